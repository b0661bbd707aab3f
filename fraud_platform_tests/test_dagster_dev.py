"""`dagster dev` in this checkout, as a user starts it: what it loads, and what is launched through its GraphQL API."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from fraud_platform_tests.platform_home import PlatformHome, day_number

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 180
REPOSITORY = {"repositoryLocationName": "fraud_platform", "repositoryName": "__repository__"}
LANDED = [day_number(1), day_number(2)]

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""


@dataclass(frozen=True)
class DevServer:
    """A running `dagster dev`."""

    url: str
    log: Path
    process: subprocess.Popen

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def wait(self, what: str, look: Callable[[], Any]) -> Any:
        """What `look` gives once it gives something."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"dagster dev ended early:\n{self.log.read_text()[-3000:]}"
            if found := look():
                return found
            time.sleep(0.5)
        raise AssertionError(f"no {what} within {DEADLINE_SECONDS} s:\n{self.log.read_text()[-3000:]}")

    def is_answering(self) -> bool:
        """Whether the web server is up."""
        try:
            return requests.get(f"{self.url}/server_info", timeout=5).ok
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def dev(trained_home: PlatformHome, tmp_path_factory) -> Iterator[DevServer]:
    """`dagster dev` on a copy of the trained home where two days are landed."""
    before = set(ROOT.iterdir())
    home = tmp_path_factory.mktemp("dev") / "home"
    shutil.copytree(trained_home.settings.home, home)
    shutil.rmtree(home / "storage")
    for number in (3, 4):
        shutil.rmtree(home / "landing" / "transactions" / day_number(number).isoformat())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT,
            env={**os.environ, "FRAUD_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = DevServer(f"http://127.0.0.1:{port}", log, process)
        try:
            server.wait("answer", server.is_answering)
            yield server
        finally:
            # What Ctrl-C in a terminal does: everything dagster dev has started hears it.
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)
    assert set(ROOT.iterdir()) <= before, "dagster dev left something in the checkout"


def finished_run(dev: DevServer, run_id: str) -> str | None:
    query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
    status = dev.ask(query, id=run_id)["runOrError"]["status"]
    return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None


def test_the_code_location_loads_without_errors(dev):
    query = """{ workspaceOrError { ... on Workspace { locationEntries {
        name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
    (entry,) = dev.wait(
        "code location",
        lambda: [
            each for each in dev.ask(query)["workspaceOrError"]["locationEntries"] if each["loadStatus"] == "LOADED"
        ],
    )
    assert entry["name"] == "fraud_platform"
    assert entry["locationOrLoadError"] == {"__typename": "RepositoryLocation"}


def test_the_asset_page_reads_like_documentation(dev):
    nodes = dev.ask("{ assetNodes { assetKey { path } description groupName kinds isPartitioned hasAssetChecks } }")
    assert len(nodes["assetNodes"]) == 12
    for node in nodes["assetNodes"]:
        assert "**Why it exists.**" in node["description"]
        assert node["isPartitioned"]


def test_a_landed_day_is_ingested_scored_and_watched_without_being_asked_for(dev):
    """The landing sensor runs from the start and finds the days."""
    query = """{ runsOrError(filter: {pipelineName: "daily"}) { ... on Runs { results {
        runId status tags { key value } } } } }"""

    def finished() -> dict[str, str] | None:
        runs = dev.ask(query)["runsOrError"]["results"]
        of_sensor = {
            tags["dagster/partition"]: run["status"]
            for run in runs
            if (tags := {tag["key"]: tag["value"] for tag in run["tags"]}).get("fraud/trigger") == "landing"
        }
        is_over = len(of_sensor) == len(LANDED) and set(of_sensor.values()) <= {"SUCCESS", "FAILURE"}
        return of_sensor if is_over else None

    assert dev.wait("runs of the landing sensor", finished) == {day.isoformat(): "SUCCESS" for day in LANDED}


def test_a_materialisation_launched_through_graphql_succeeds(dev):
    params = {
        "selector": {**REPOSITORY, "pipelineName": "daily"},
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": LANDED[0].isoformat()}]},
    }
    launched = dev.ask(LAUNCH, params=params)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    assert dev.wait("end of the run", lambda: finished_run(dev, run_id)) == "SUCCESS"


def test_a_range_backfill_launched_through_graphql_succeeds_in_one_run(dev):
    assets = ("raw_transactions", "confirmed_labels", "features", "daily_predictions")
    params = {
        "assetSelection": [{"path": [asset]} for asset in assets],
        "partitionNames": [day.isoformat() for day in LANDED],
    }
    launched = dev.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    query = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
        status runs(limit: 10) { status } } } }"""

    def ended() -> dict[str, Any] | None:
        backfill = dev.ask(query, id=launched["backfillId"])["partitionBackfillOrError"]
        return None if backfill["status"] in ("REQUESTED", "COMPLETING") else backfill

    backfill = dev.wait("end of the backfill", ended)
    assert backfill["status"] == "COMPLETED_SUCCESS"
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]


def test_nothing_deprecated_and_no_error_is_shown(dev):
    shown = dev.log.read_text()
    assert "deprecat" not in shown.lower()
    assert "Traceback" not in shown
    ours = [line for line in shown.splitlines() if re.search(r"\b(ERROR|CRITICAL|Warning)\b", line)]
    assert ours == []
