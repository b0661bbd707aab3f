"""Each role can do its job, shown by the calls the platform really makes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from fraud_platform_tests.infrastructure.calls import recorded_calls, s3_requests
from fraud_platform_tests.infrastructure.policies import Request
from fraud_platform_tests.infrastructure.roles import FAMILY, refused
from fraud_platform_tests.infrastructure.terraform import ACCOUNT, NAME, REGION, Terraform

pytestmark = [pytest.mark.applied, pytest.mark.usefixtures("applied", "in_aws")]

DAY = date(2026, 11, 10)
PROBED = ["storage", "landing zone", "audit trail"]


@pytest.fixture
def open_buckets(applied: Terraform, in_aws: None) -> Iterator[None]:
    """The buckets without their policies: moto does not look at conditions, and so refuses what they refuse to some."""
    s3 = boto3.client("s3", region_name=REGION)
    buckets = [name for purpose, name in applied.outputs()["buckets"].items() if purpose != "access-logs"]
    policies = {bucket: s3.get_bucket_policy(Bucket=bucket)["Policy"] for bucket in buckets}
    for bucket in buckets:
        s3.delete_bucket_policy(Bucket=bucket)
    yield
    for bucket, policy in policies.items():
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@pytest.fixture
def places(applied: Terraform, open_buckets: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The environment that the services are given, in force, with a day in the landing zone."""
    environment: dict[str, str] = applied.outputs()["environment"]
    for name in ("FRAUD_LANDING", "FRAUD_STORAGE", "FRAUD_AUDIT", "FRAUD_START_DATE"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    from fraud_platform_tests.ingestion.conftest import make_rows

    body = make_rows(20).to_csv(index=False).encode()
    bucket = environment["FRAUD_LANDING"].removeprefix("s3://").split("/")[0]
    boto3.client("s3").put_object(Bucket=bucket, Key=f"landing/transactions/{DAY}/a.csv", Body=body)
    return environment


def _look_around(places: dict[str, str]) -> None:
    """What sensors do: they look at what landed and at what is stored."""
    from fraud_platform.day_store import DayStore
    from fraud_platform.ingestion.landing import LandingZone

    zone = LandingZone.at(places["FRAUD_LANDING"])
    assert zone.days() == [DAY]
    assert zone.label_days() == []
    assert set(zone.fingerprints()) == {DAY}
    store = DayStore.at(places["FRAUD_STORAGE"])
    store.days("raw_transactions", "parquet")
    store.exists("raw_transactions", DAY, "parquet")


def _work(places: dict[str, str]) -> None:
    """What runs do: they read what landed, write, read and remove files, and say so in the audit trail."""
    from fraud_platform.day_store import DayStore
    from fraud_platform.governance.audit import open_trail
    from fraud_platform.ingestion.landing import LandingZone
    from fraud_platform.ingestion.transactions import ingest_day

    store = DayStore.at(places["FRAUD_STORAGE"])
    table = ingest_day(LandingZone.at(places["FRAUD_LANDING"]), DAY).transactions
    store.write_table("raw_transactions", DAY, table, {"fact": "1"})
    assert len(store.read_table("raw_transactions", DAY)) == len(table)
    assert store.read_table_metadata("raw_transactions", DAY) == {"fact": "1"}
    store.write_json("drift_report", DAY, {"a": 1})
    assert store.read_json("drift_report", DAY) == {"a": 1}
    trail = open_trail(places["FRAUD_AUDIT"], actor="a test", clock=lambda: datetime.now(UTC))
    trail.record("retention", subject="storage", reason="a test", details={})
    assert trail.head() is not None
    # Large enough for an upload in parts.
    store.write_bytes("trained_model", DAY, "zip", bytes(60 * 1024 * 1024))
    assert store.days("raw_transactions", "parquet") == [DAY]
    store.path("trained_model", DAY, "zip").unlink()


def test_the_code_location_can_look_around(places: dict[str, str]) -> None:
    with recorded_calls() as calls:
        _look_around(places)
    assert refused("code-location", s3_requests(calls)) == []


def test_a_run_can_work(places: dict[str, str]) -> None:
    with recorded_calls() as calls:
        _look_around(places)
        _work(places)
    assert {operation for _, operation, _ in calls} >= {"ListObjectsV2", "GetObject", "PutObject", "UploadPart"}
    assert refused("run", s3_requests(calls)) == []
    # Whoever only looks could not have done it.
    assert refused("code-location", s3_requests(calls)) != []
    assert refused("exporter", s3_requests(calls)) != []


def test_the_exporter_can_read_what_is_stored(places: dict[str, str]) -> None:
    from fraud_platform.day_store import DayStore

    store = DayStore.at(places["FRAUD_STORAGE"])
    store.write_json("drift_report", DAY, {"a": 1})
    with recorded_calls() as calls:
        assert store.days("drift_report", "json") == [DAY]
        store.read_json("drift_report", DAY)
    assert refused("exporter", s3_requests(calls)) == []


def test_doctor_can_probe_both_places_as_a_command_and_not_as_a_run(places: dict[str, str]) -> None:
    from fraud_platform.defs.doctor import findings
    from fraud_platform.settings import load_settings

    with recorded_calls() as calls:
        found = [finding for finding in findings(load_settings()) if finding.subject in PROBED]
    assert {finding.subject: finding.is_well for finding in found} == dict.fromkeys(PROBED, True), found
    of_s3 = [call for call in calls if call[0] == "s3"]
    assert refused("command", s3_requests(of_s3)) == []
    assert {request.action for request in refused("run", s3_requests(of_s3))} == {"s3:PutObject", "s3:DeleteObject"}


def test_what_runs_print_is_kept_by_the_run_and_shown_by_the_webserver(places: dict[str, str], tmp_path: Path) -> None:
    from dagster._core.storage.compute_log_manager import ComputeIOType
    from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

    bucket, prefix = places["FRAUD_STORAGE"].removeprefix("s3://").split("/")
    logs = S3ComputeLogManager(bucket, prefix=f"{prefix}/compute_logs", local_dir=str(tmp_path / "run"))
    with recorded_calls() as written, logs.open_log_stream(["run", "step"], ComputeIOType.STDERR) as stream:
        stream.write("printed")
    elsewhere = S3ComputeLogManager(bucket, prefix=f"{prefix}/compute_logs", local_dir=str(tmp_path / "web"))
    with recorded_calls() as shown:
        assert b"printed" in (elsewhere.get_log_data(["run", "step"]).stderr or b"")
    assert refused("run", s3_requests(written)) == []
    assert refused("code-location", s3_requests(written)) == []
    assert refused("webserver", s3_requests(shown)) == []
    assert refused("webserver", s3_requests(written)) != []


@pytest.mark.usefixtures("open_buckets")
def test_mlflow_can_keep_list_and_remove_artifacts(applied: Terraform, tmp_path: Path) -> None:
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    repository = S3ArtifactRepository(f"s3://{NAME}-mlflow-{ACCOUNT}/mlflow/1/run/artifacts")
    (tmp_path / "model.zip").write_bytes(b"model")
    with recorded_calls() as calls:
        repository.log_artifact(str(tmp_path / "model.zip"))
        assert [file.path for file in repository.list_artifacts()] == ["model.zip"]
        repository.download_artifacts("model.zip")
        repository.delete_artifacts("model.zip")
    assert refused("mlflow", s3_requests([call for call in calls if call[0] == "s3"])) == []


def test_the_daemon_can_launch_watch_and_end_a_run_with_the_launcher_it_is_given(
    applied: Terraform, tmp_path: Path
) -> None:
    """The real EcsRunLauncher, as the host configures it, on the cluster that was built."""
    from fraud_platform_tests.infrastructure.launching import launch, open_instance, task_of

    with recorded_calls() as calls, open_instance(str(tmp_path), applied.outputs()["run_launcher"]) as instance:
        run = launch(instance)
        health = instance.run_launcher.check_run_worker_health(run)
        assert instance.run_launcher.terminate(run.run_id)
    assert health.status.value == "RUNNING"
    assert {operation for _, operation, _ in calls} == {
        "DescribeTaskDefinition",
        "RunTask",
        "DescribeTasks",
        "StopTask",
    }
    requests = _ecs_requests(calls)
    assert refused("daemon", iter(requests)) == []
    # The webserver ends runs and starts none.
    assert {request.action for request in refused("webserver", iter(requests))} == {
        "ecs:RunTask",
        "ecs:TagResource",
        "iam:PassRole",
    }
    task = task_of(run)
    assert task["taskDefinitionArn"].startswith(f"{FAMILY}:")
    override = task["overrides"]["containerOverrides"][0]
    assert override["name"] == "run"
    assert "execute_run" in override["command"]


def _ecs_requests(calls: list[tuple[str, str, dict[str, Any]]]) -> list[Request]:
    requests = []
    for _, operation, parameters in calls:
        if operation == "DescribeTaskDefinition":
            requests.append(Request("ecs:DescribeTaskDefinition", "*"))
        elif operation == "RunTask":
            cluster = parameters["cluster"]
            task = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{NAME}/0123"
            passed = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            requests += [
                Request("ecs:RunTask", parameters["taskDefinition"], {"ecs:cluster": cluster}),
                Request("ecs:TagResource", task, {"ecs:CreateAction": "RunTask"}),
                *(
                    Request("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}", passed)
                    for role in ("run", "execution")
                ),
            ]
        elif operation in ("DescribeTasks", "StopTask"):
            for task in parameters.get("tasks", [parameters.get("task")]):
                requests.append(Request(f"ecs:{operation}", task))
    return requests
