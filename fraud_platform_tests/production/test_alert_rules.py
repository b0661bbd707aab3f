"""Rules, routes and dashboards, read by the programs they are for: promtool, amtool and the code that makes them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from fraud_platform_tests.production.processes import DEPLOY, ROOT, compose_file

RULES = [
    rule for group in yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule["alert"] for rule in RULES]
RUNBOOKS = ROOT / "docs/runbooks"
SITE = "{{ $externalLabels.runbooks }}/"
# Who is told, by severity: everybody in the chat, and whoever is on call.
ROUTES = {"warning": "chat", "critical": "chat,mail,pager"}


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: prometheus and prometheus-alertmanager)")
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


def test_prometheus_takes_its_configuration_and_rules():
    checked = run(program("promtool"), "check", "config", "deploy/prometheus/prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_beyond_its_limit_and_is_silent_at_it():
    tested = run(program("promtool"), "test", "rules", "deploy/prometheus/rules_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_tests_that_it_fires_and_that_it_does_not():
    tests = yaml.safe_load((DEPLOY / "prometheus/rules_test.yml").read_text())["tests"]
    asked = [(each["alertname"], bool(each["exp_alerts"])) for test in tests for each in test["alert_rule_test"]]
    assert {name for name, fires in asked if fires} == set(ALERTS)
    assert {name for name, fires in asked if not fires} == set(ALERTS)


@pytest.mark.parametrize("rule", RULES, ids=ALERTS)
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ROUTES
    assert rule["annotations"]["summary"].endswith(".")
    page = rule["annotations"]["runbook_url"]
    assert page.startswith(SITE)
    assert (RUNBOOKS / page.removeprefix(SITE)).is_file()


def test_every_runbook_is_of_an_alert_and_in_the_index():
    pages = {rule["annotations"]["runbook_url"].removeprefix(SITE): rule["alert"] for rule in RULES}
    assert {page.name for page in RUNBOOKS.glob("*.md")} == {*pages, "index.md"}
    index = (RUNBOOKS / "index.md").read_text()
    for page, alert in pages.items():
        assert f"[`{alert}`]({page})" in index
        text = (RUNBOOKS / page).read_text()
        assert text.startswith(f"# {alert}\n")
        for question in ("## What it means", "## What to look at", "## What to do", "## How to know it is over"):
            assert question in text, f"{page} lacks {question!r}"


def test_alertmanager_takes_its_configuration():
    checked = run(program("amtool"), "check-config", "deploy/alertmanager/alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("severity", "receivers"), ROUTES.items())
def test_who_is_told_depends_on_how_bad_it_is(severity, receivers):
    configuration = "--config.file=deploy/alertmanager/alertmanager.yml"
    routed = run(program("amtool"), "config", "routes", "test", configuration, f"severity={severity}")
    assert routed.stdout.strip() == receivers


def test_only_alerts_that_exist_silence_others_or_are_silenced():
    inhibitions = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())["inhibit_rules"]
    matchers = [text for rule in inhibitions for side in rule.values() for text in side if text.startswith("alertname")]
    named = {name for text in matchers for name in text.split('"')[1].split("|")}
    assert named <= set(ALERTS)


def test_alertmanager_finds_its_secrets_where_the_container_has_them():
    text = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
    named = {line.split("/run/secrets/")[1] for line in text.splitlines() if "/run/secrets/" in line}
    assert named == set(compose_file()["services"]["alertmanager"]["secrets"])


def test_what_is_scraped_is_a_service_at_its_own_port():
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in scraped for group in job["static_configs"] for target in group["targets"]]
    services = compose_file()["services"]
    for target in targets:
        host, port = target.split(":")
        service = services["prometheus" if host == "127.0.0.1" else host]
        assert any(port in word for word in service["command"]), target
        assert host == "127.0.0.1" or "metrics" in service["networks"]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """What the code makes of the dashboards, by the names of their files."""
    folder = DEPLOY / "grafana"
    with pytest.MonkeyPatch.context() as patch:
        # The script finds its neighbours as when it is started.
        patch.syspath_prepend(str(folder))
        specification = importlib.util.spec_from_file_location("make_dashboards", folder / "make_dashboards.py")
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        dashboards: dict[str, str] = module.dashboards()
        for name in ("boards", "panels"):
            del sys.modules[name]
    return dashboards


def test_the_committed_dashboards_are_those_that_the_code_makes(made):
    folder = DEPLOY / "grafana/dashboards"
    assert {path.name: path.read_text() for path in folder.iterdir()} == made, "run `make dashboards`"


def test_grafana_finds_the_source_of_every_panel_and_the_dashboards():
    provisioning = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    for path in (DEPLOY / "grafana/dashboards").iterdir():
        for panel in panels_of(json.loads(path.read_text())):
            assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards/fraud-platform.yml").read_text())["providers"]
    volumes = compose_file()["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in volumes


def panels_of(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels with queries."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


DOCKER = """#!/bin/sh
# As Docker answers: the identifiers of two containers, then what the format asks of each.
case "$1" in
  ps) printf '4f1\\n9c2\\n' ;;
  inspect) printf 'daemon 4 true healthy\\nwebserver 0 true unhealthy\\n' ;;
esac
"""


def host_metrics(folder: Any) -> str:
    """What host_metrics.sh writes on a machine with two containers and one network card."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    devices = folder / "dev"
    devices.write_text(
        "Inter-|   Receive            |  Transmit\n face |bytes packets ...\n"
        "    lo: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
        "enp0s31f6:1000 9 0 0 0 0 0 0 2000 8 0 0 0 0 0 0\n"
        "veth1a2b: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n"
    )
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "NET_DEV": str(devices)}
    written = subprocess.run(
        [DEPLOY / "host_metrics.sh", folder / "out"], env=environment, capture_output=True, text=True, check=False
    )
    assert written.returncode == 0, written.stderr
    assert [path.name for path in (folder / "out").iterdir()] == ["host.prom"]
    return str((folder / "out/host.prom").read_text())


def test_the_host_tells_of_restarts_health_and_its_own_network(tmp_path):
    lines = [line for line in host_metrics(tmp_path).splitlines() if not line.startswith("#")]
    assert lines == [
        'fraud_container_restarts_total{service="daemon"} 4',
        'fraud_container_running{service="daemon"} 1',
        'fraud_container_healthy{service="daemon"} 1',
        'fraud_container_restarts_total{service="webserver"} 0',
        'fraud_container_running{service="webserver"} 1',
        'fraud_container_healthy{service="webserver"} 0',
        'fraud_host_network_bytes_total{device="enp0s31f6",direction="received"} 1000',
        'fraud_host_network_bytes_total{device="enp0s31f6",direction="sent"} 2000',
    ]


def test_promtool_reads_what_the_host_tells(tmp_path):
    text = host_metrics(tmp_path)
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
