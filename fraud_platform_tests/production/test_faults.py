"""While a day is processed something breaks: the day finishes after recovery, and its result is an undisturbed one.

The real stack, one fault after the other. Every process that ends is started again, as the restart policy of
docker-compose.yml does. The model is one that was made before; how it is made is on trial elsewhere.
"""

import io
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
import requests

from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform_tests.production.stack import BUCKET, DAY, Stack, running_stack

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($run: ID!) { runOrError(runId: $run) { ... on Run { status tags { key value }
    eventConnection { events { __typename ... on MessageEvent { message } } } } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }"""
# What tells when it was made, and by which run.
TIMES = {"scored_at", "created_at", "audit_head", "made_at", "at"}


@dataclass
class Day:
    """One day of the stack, run again and again."""

    stack: Stack

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer of the webserver; None while it does not give one."""
        url = f"http://127.0.0.1:{self.stack.ports['webserver']}/graphql"
        try:
            answer = requests.post(url, json={"query": query, "variables": variables}, timeout=10).json()
        except (OSError, ValueError):
            return None
        return answer.get("data")

    def keys(self) -> list[str]:
        """What is stored of the day."""
        return [key for key in self.stack.keys("storage/") if f"{DAY}." in key and "compute_logs" not in key]

    def forget(self) -> None:
        """Removes what is stored of the day beside what was ingested."""
        for key in self.keys():
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
        launched = self.stack.processes.wait("launch", lambda: self.ask(LAUNCH, params=params))["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

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

    def content(self) -> Mapping[str, Any]:
        """What is stored of the day, without times."""
        found: dict[str, Any] = {}
        for key in self.keys():
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
    with running_stack(folder, is_s3_behind_a_door=True, poll_interval_seconds=2) as stack:
        registry = MlflowRegistry(stack.processes.environment["MLFLOW_TRACKING_URI"])
        champion = trained_home.platform.registry.find("champion")
        bundle = trained_home.platform.registry.load(champion)
        made = registry.register(
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
        from datetime import timedelta

        registry.promote(
            made, day=champion.as_of + timedelta(days=1), reason="a test", promoted_at=champion.created_at, notes={}
        )
        stack.processes.wait("ingestion", lambda: stack.finished("daily", 1))
        yield Day(stack)


def test_explore(day):
    t = time.monotonic()
    run = day.launch()
    day.stack.processes.wait("run", lambda: [s for r, s in day.lineage(run) if s == "SUCCESS"])
    print("RUN", time.monotonic() - t)
    c = day.content()
    print({k: str(v)[:200] for k, v in c.items()})
    for name in ("code-location", "daemon", "webserver"):
        print(name, day.stack.processes.log(name)[-3000:])
