"""A drifted day goes in, an alert comes out: real exporter, Prometheus and Alertmanager, with the files of deploy/.

Their commands are those of docker-compose.yml. Intervals are seconds here instead of minutes, and the chat is a webhook
of the test; everything else is as deployed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from fraud_platform.defs.instance import open_instance
from fraud_platform.settings import load_settings
from fraud_platform_tests.platform_home import INGESTED, SCORED, PlatformHome, day_number, environment_of, simulated
from fraud_platform_tests.production.processes import (
    DEPLOY,
    PROGRAMS,
    Processes,
    command_of,
    free_port,
    health_check_of,
    processes,
)
from fraud_platform_tests.production.receiver import Received, chat, exposition
from fraud_platform_tests.production.test_alert_rules import host_metrics, panels_of, program

# As many as a score must be poor in a row; the drifted day comes after them.
DAYS = [day_number(number) for number in range(1, 9)]
DRIFTED = day_number(9)
RUNBOOKS = "https://grafana.example.org/docs/runbooks"

# What node exporter 1.9 shows of a machine, as far as the dashboards ask for it.
NODE = """
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 1000
node_cpu_seconds_total{cpu="0",mode="user"} 50
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 3e+09
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 4e+09
# TYPE node_disk_read_bytes_total counter
node_disk_read_bytes_total{device="nvme0n1"} 1e+06
# TYPE node_disk_written_bytes_total counter
node_disk_written_bytes_total{device="nvme0n1"} 2e+06
# TYPE node_filesystem_avail_bytes gauge
node_filesystem_avail_bytes{device="/dev/nvme0n1p1",fstype="ext4",mountpoint="/"} 5e+10
# TYPE node_filesystem_size_bytes gauge
node_filesystem_size_bytes{device="/dev/nvme0n1p1",fstype="ext4",mountpoint="/"} 8e+10
# TYPE node_load5 gauge
node_load5 0.5
"""


@dataclass(frozen=True)
class Watched:
    """A platform that has lived for some days, and who watches it."""

    home: PlatformHome
    processes: Processes
    ports: dict[str, int]
    received: Received

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        url = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query"
        answer = requests.get(url, params={"query": query}, timeout=10).json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def told(self, alert: str) -> list[str]:
        """What the chat has heard of an alert."""
        texts = [json.dumps(message) for message in self.received.messages]
        return [text for text in texts if alert in text]


@pytest.fixture(scope="module")
def watched(trained_home, tmp_path_factory) -> Iterator[Watched]:
    """Eight days decided and judged, and everybody who watches."""
    programs = {name: program(name) for name in ("prometheus", "prometheus-alertmanager")}
    folder = tmp_path_factory.mktemp("watched")
    shutil.copytree(trained_home.settings.home, folder / "home")
    ports = {name: free_port() for name in ("exporter", "prometheus", "alertmanager")}
    shown = NODE + host_metrics(folder)
    with (
        environment_of(folder / "home"),
        open_instance() as instance,
        chat() as received,
        exposition(shown) as node,
        processes(folder, {**os.environ, "RUNBOOKS": RUNBOOKS}) as started,
    ):
        home = PlatformHome(load_settings(), instance)
        home.land(DAYS[4:])
        home.materialise([*INGESTED, *SCORED], DAYS[0], DAYS[-1])
        exporter = command_of("exporter", **{"9700": str(ports["exporter"])})
        started.start("exporter", [str(PROGRAMS / exporter[0]), *exporter[1:], "--every=1"])
        alertmanager = command_of(
            "alertmanager",
            **{
                "=/alertmanager": f"={folder}/alerts",
                "/etc/alertmanager": str(_alertmanager(folder, received.port)),
                "9093": str(ports["alertmanager"]),
            },
        )
        started.start("alertmanager", [programs["prometheus-alertmanager"], *alertmanager])
        prometheus = command_of(
            "prometheus",
            **{
                "=/prometheus": f"={folder}/series",
                "/etc/prometheus": str(_prometheus(folder, ports, node)),
                "9090": str(ports["prometheus"]),
            },
        )
        started.start("prometheus", [programs["prometheus"], *prometheus])
        seen = Watched(home, started, ports, received)
        check = [PROGRAMS / "python", *health_check_of("exporter", **{"9700": str(ports["exporter"])})[1:]]
        started.wait("exporter", lambda: started.run(check).returncode == 0)
        started.wait("Prometheus", lambda: _is_ready(ports["prometheus"]) and seen.ask("sum(fraud_source_up) == 3"))
        yield seen


def _prometheus(folder: Path, ports: dict[str, int], node: int) -> Path:
    """The folder of Prometheus's configuration: deploy's, with this machine's addresses and seconds for minutes."""
    there = folder / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", there)
    path = there / "prometheus.yml"
    text = path.read_text().replace("interval: 15s", "interval: 1s")
    for address, port in {
        "exporter:9700": ports["exporter"],
        "node-exporter:9100": node,
        "alertmanager:9093": ports["alertmanager"],
        "127.0.0.1:9090": ports["prometheus"],
    }.items():
        assert f'"{address}"' in text
        text = text.replace(f'"{address}"', f'"127.0.0.1:{port}"')
    path.write_text(text)
    return there


def _alertmanager(folder: Path, webhook: int) -> Path:
    """The same of Alertmanager; the chat's secret is the address of the test's webhook, the others are empty."""
    there = folder / "alertmanager"
    shutil.copytree(DEPLOY / "alertmanager", there)
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "alertmanager_chat_url").write_text(f"http://127.0.0.1:{webhook}/chat")
    for name in ("alertmanager_mail_login", "alertmanager_pager_key"):
        (secrets / name).write_text("")
    path = there / "alertmanager.yml"
    text = path.read_text().replace("/run/secrets", str(secrets))
    # Nobody is to be called by a test.
    text = text.replace("smtp.example.org:587", "127.0.0.1:9")
    for slow, quick in {"group_wait: 30s": "group_wait: 1s", "group_interval: 5m": "group_interval: 2s"}.items():
        assert slow in text
        text = text.replace(slow, quick)
    path.write_text(text)
    return there


def _is_ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def _queries() -> list[tuple[str, str]]:
    asked = []
    for path in sorted((DEPLOY / "grafana/dashboards").iterdir()):
        for panel in panels_of(json.loads(path.read_text())):
            asked += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return asked


def test_everything_that_is_scraped_is_up(watched):
    up = watched.processes.wait("every target", lambda: len(found := watched.ask("up == 1")) == 4 and found)
    assert {each["metric"]["job"] for each in up} == {"fraud-platform", "node", "prometheus", "alertmanager"}


def test_every_query_of_every_dashboard_returns_data(watched):
    asked = _queries()
    assert len(asked) > 60
    # Rates need several scrapes after the first round of reading.
    watched.processes.wait("a few scrapes", lambda: watched.ask("count_over_time(fraud_runs_total[5m]) > 5"))
    empty = [(panel, query) for panel, query in asked if not watched.ask(query)]
    assert empty == []


def test_a_drifted_day_is_told_with_its_runbook(watched):
    assert watched.ask("fraud_feature_mean_shift_sigmas{feature='V7'} < 1")
    assert watched.told("FraudFeatureShift") == []
    (table,) = simulated([DRIFTED])
    # One day of the seven by 35 standard deviations: 5 over all of them.
    table["V7"] += 35 * table["V7"].std()
    watched.home.put(DRIFTED, "simulated.parquet", table)
    watched.home.daily(DRIFTED)
    (told, *_) = watched.processes.wait("message", lambda: watched.told("FraudFeatureShift"), 60)
    assert "V7: mean or standard deviation is" in told
    assert f"{RUNBOOKS}/feature-shift.md" in told
    assert "FIRING warning" in told


def test_an_exporter_that_is_started_again_shows_the_same_figures(watched):
    query = "{__name__=~'fraud_(predictions_total|feature_psi|realised_f1|runs_total)'}"

    def figures() -> dict[str, str]:
        return {json.dumps(each["metric"], sort_keys=True): each["value"][1] for each in watched.ask(query)}

    both_days = "fraud_runs_total{chain='daily',status='success'} == 2"
    watched.processes.wait("the end of the run", lambda: watched.ask(both_days))
    before = figures()
    old = watched.processes.running["exporter"]
    command = old.args
    old.kill()
    old.wait()
    watched.processes.start("exporter", command)
    is_back = "changes(process_start_time_seconds{job='fraud-platform'}[1m]) > 0 and on() sum(fraud_source_up) == 3"
    watched.processes.wait("restart", lambda: watched.ask(is_back))
    assert figures() == before
