"""While a day is processed something breaks: the day finishes after recovery, and its result is an undisturbed one.

The real stack, one fault after the other. Every process that ends is started again, as the restart policy of
docker-compose.yml does. The model is one that was made before; how it is made is on trial elsewhere.
"""

import io
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
import requests

from fraud_platform.defs.jobs import DAILY_ASSETS
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform_tests.platform_home import PlatformHome
from fraud_platform_tests.production.stack import BUCKET, DAY, ROWS, Stack, running_stack
from fraud_platform_tests.webhook import Webhook, open_webhook

# A stack of its own, and a day for each fault: some minutes.
pytestmark = pytest.mark.faults

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($run: ID!) { runOrError(runId: $run) { ... on Run { status tags { key value }
    eventConnection { events { __typename ... on MessageEvent { message } } } } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"""
# What tells when it was made, and by which run.
TIMES = {"scored_at", "created_at", "audit_head", "made_at", "at"}


@dataclass
class Day:
    """One day of the stack, run again and again, and who is told when it fails."""

    stack: Stack
    webhook: Webhook

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer of the webserver; None while it does not give one."""
        url = f"http://127.0.0.1:{self.stack.ports['webserver']}/graphql"
        try:
            answer = requests.post(url, json={"query": query, "variables": variables}, timeout=10).json()
        except (OSError, ValueError):
            return None
        return answer.get("data")

    def stored(self) -> list[str]:
        """What is stored of the day."""
        return [key for key in self.stack.keys("storage/") if f"{DAY}." in key and "compute_logs" not in key]

    def forget(self) -> None:
        """Removes what is stored of the day beside what was ingested."""
        for key in self.stored():
            self.stack.s3.delete_object(Bucket=BUCKET, Key=key)

    def launch(self) -> str:
        """Queues the job `daily` of the day; gives its run."""
        selector = {
            "repositoryLocationName": "fraud_platform",
            "repositoryName": "__repository__",
            "jobName": "daily",
        }
        tags = [{"key": "dagster/partition", "value": DAY.isoformat()}]
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}

        def launched() -> str | None:
            # A code location that has just been replaced is not known to the webserver at once.
            answer = self.ask(LAUNCH, params=params)
            return answer["launchRun"].get("run", {}).get("runId") if answer else None

        run_id: str = self.stack.processes.wait("launch", launched, is_restarting=True)
        return run_id

    def worker_of(self, run_id: str) -> int | None:
        """The process of the code location that works at a run; None before there is one."""
        answer = self.ask(RUN, run=run_id)
        events = answer["runOrError"]["eventConnection"]["events"] if answer else []
        found = re.findall(r"\(pid: (\d+)\)", " ".join(event.get("message", "") for event in events))
        return int(found[-1]) if found else None

    def is_under_way(self) -> bool:
        """Whether some of the day is stored and some is not yet."""
        return any(key.startswith("storage/features/") for key in self.stored())

    def lineage(self, run_id: str) -> list[tuple[str, str]]:
        """The run and those that were made to repeat it: identifier and status, newest first."""
        answer = self.ask(RUNS)
        if answer is None:
            return []
        runs = answer["runsOrError"]["results"]
        return [
            (run["runId"], run["status"])
            for run in runs
            if run["runId"] == run_id or {"key": "dagster/root_run_id", "value": run_id} in run["tags"]
        ]

    def is_finished(self, run_id: str) -> bool:
        """Whether the run, or one that repeats it, has done the day; that none is left is an error."""
        statuses = [status for _, status in self.lineage(run_id)]
        return "SUCCESS" in statuses

    def content(self) -> Mapping[str, Any]:
        """What is stored of the day, without times."""
        found: dict[str, Any] = {}
        for key in self.stored():
            body = self.stack.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            if key.endswith(".parquet"):
                table = pd.read_parquet(io.BytesIO(body))
                found[key] = table.drop(columns=[name for name in table if name in TIMES]).to_json()
            else:
                found[key] = _without_times(json.loads(body))
        return found


def _without_times(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _without_times(each) for name, each in document.items() if name not in TIMES}
    return [_without_times(each) for each in document] if isinstance(document, list) else document


@pytest.fixture(scope="module")
def day(tmp_path_factory, trained_home) -> Iterator[Day]:
    """A day that has been ingested, and a champion to decide about it."""
    folder = tmp_path_factory.mktemp("faults")
    # Gone processes are looked for every two seconds instead of every thirty.
    with (
        running_stack(folder, is_s3_behind_a_door=True, poll_interval_seconds=2) as stack,
        open_webhook() as webhook,
    ):
        (stack.postgres.secrets / "alert_urls").write_text(f"{webhook.url}\n")
        key = (stack.postgres.secrets / "model_key").read_bytes()
        _release(trained_home, MlflowRegistry(stack.processes.environment["MLFLOW_TRACKING_URI"], key=key))
        stack.processes.wait("ingestion", lambda: stack.finished("daily", 1))
        yield Day(stack, webhook)


def _release(home: PlatformHome, registry: MlflowRegistry) -> None:
    """The champion of a home as the champion of another registry."""
    champion = home.platform.registry.find("champion")
    bundle = home.platform.registry.load(champion)
    version = registry.register(
        bundle.to_bytes(),
        digest=bundle.digest,
        as_of=champion.as_of,
        algorithm=champion.algorithm,
        feature_schema_version=bundle.feature_schema_version,
        origin=champion.origin,
        cause="a test",
        run_id=None,
        created_at=champion.created_at,
        description="made before",
    )
    first_day = champion.as_of + timedelta(days=1)
    registry.promote(version, day=first_day, reason="a test", promoted_at=champion.created_at, notes={})


@pytest.fixture(scope="module")
def undisturbed(day) -> Mapping[str, Any]:
    """What is stored of the day when nothing disturbs it."""
    day.forget()
    run_id = day.launch()
    day.stack.processes.wait("the day", lambda: day.is_finished(run_id))
    stored = day.content()
    assert {key.split("/")[1] for key in stored} >= set(DAILY_ASSETS)
    return stored


def kill_worker(day: Day, run_id: str, seconds: float) -> None:
    """The process of the run, as the kernel does when memory is short."""
    worker = day.worker_of(run_id)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)


def kill_code_location(day: Day, run_id: str, seconds: float) -> None:
    """The code location, and with it every run at work."""
    day.stack.processes.kill("code-location")


def kill_daemon_and_webserver(day: Day, run_id: str, seconds: float) -> None:
    """Those that only look on."""
    day.stack.processes.kill("daemon")
    day.stack.processes.kill("webserver")


def kill_mlflow(day: Day, run_id: str, seconds: float) -> None:
    """The registry."""
    day.stack.processes.kill("mlflow")


def stop_s3(day: Day, run_id: str, seconds: float) -> None:
    """S3 refuses every connection for a while."""
    assert day.stack.s3_door is not None
    day.stack.s3_door.shut()
    time.sleep(seconds)
    day.stack.s3_door.open()


def freeze_s3(day: Day, run_id: str, seconds: float) -> None:
    """S3 takes connections and does not answer for a while."""
    server = day.stack.processes.running["s3"]
    server.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.send_signal(signal.SIGCONT)


def stop_postgres(day: Day, run_id: str, seconds: float) -> None:
    """PostgreSQL is shut down, as for an upgrade, for a while."""
    day.stack.postgres.stop()
    time.sleep(seconds)
    day.stack.postgres.start()


def kill_postgres(day: Day, run_id: str, seconds: float) -> None:
    """PostgreSQL crashes, and recovers from its log."""
    day.stack.postgres.stop(signal.SIGKILL)
    day.stack.postgres.start()


Fault = Callable[[Day, str, float], None]


def suffer(
    day: Day, fault: Fault, seconds: float, undisturbed: Mapping[str, Any], *, moment: float | None = None
) -> None:
    """The day under a fault, `moment` seconds after its launch or while it works: it finishes as if nothing had
    happened.
    """
    day.forget()
    run_id = day.launch()
    if moment is None:
        day.stack.processes.wait("beginning of the day", day.is_under_way, pause=0.1)
    else:
        time.sleep(moment)
    fault(day, run_id, seconds)
    day.stack.processes.wait("the day", lambda: day.is_finished(run_id), is_restarting=True)
    # Whoever reads it now sees it once, whole and as it would have been.
    assert day.content() == undisturbed
    assert not [key for key in day.stored() if key.endswith(".partial")]
    statuses = [status for _, status in day.lineage(run_id)]
    assert statuses.count("SUCCESS") == 1, statuses


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (kill_worker, 0),
        (kill_code_location, 0),
        (kill_daemon_and_webserver, 0),
        (kill_mlflow, 0),
        (stop_s3, 5),
        (stop_postgres, 5),
    ],
)
def test_a_day_finishes_as_if_nothing_had_happened(day, undisturbed, fault, seconds):
    suffer(day, fault, seconds, undisturbed)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (stop_s3, 30),
        (freeze_s3, 30),
        (stop_postgres, 30),
        (kill_postgres, 0),
    ],
)
def test_a_day_survives_half_a_minute_without_what_it_rests_on(day, undisturbed, fault, seconds):
    suffer(day, fault, seconds, undisturbed)


@pytest.mark.parametrize("moment", [0, 1, 2, 3.5, 5, 6.5, 8, 10])
def test_postgres_may_go_at_any_moment_of_a_day(day, undisturbed, moment):
    suffer(day, stop_postgres, 1, undisturbed, moment=moment)


def test_the_audit_trail_and_the_history_are_whole_afterwards(day, undisturbed):
    verified = day.stack.processes.run(["fraud-platform", "audit", "verify"])
    assert verified.returncode == 0, verified.stderr
    unfinished = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    assert day.stack.postgres.ask("dagster", unfinished) == ["0"]


def test_people_were_told_of_every_run_that_failed(day, undisturbed):
    failed = set(day.stack.postgres.ask("dagster", "SELECT run_id FROM runs WHERE status = 'FAILURE'"))
    assert failed

    def told() -> set[str]:
        return {found for each in day.webhook.received for found in re.findall(r"Run ([0-9a-f-]{36})", each["message"])}

    day.stack.processes.wait("messages", lambda: told() == failed, seconds=60, is_restarting=True)
    password = day.webhook.url.partition("@")[0].rpartition(":")[2]
    assert password not in "".join(day.stack.processes.log(name) for name in day.stack.processes.running)


def test_whatever_a_service_wrote_is_a_line_of_json(day, undisturbed):
    for service in ("webserver", "daemon"):
        lines = [json.loads(line) for line in day.stack.processes.log(service).splitlines()]
        assert {line["service"] for line in lines} == {service}
    runs = [line for line in day.stack.processes.log("code-location").splitlines() if '"prediction_complete"' in line]
    predictions = [json.loads(line) for line in runs]
    assert {(line["partition"], line["model_version"], line["row_count"]) for line in predictions} == {
        (DAY.isoformat(), "1", ROWS)
    }
