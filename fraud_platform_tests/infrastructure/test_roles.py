"""Each role can do its job, shown by the calls the platform really makes, and nothing else."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest

from fraud_platform_tests.infrastructure.calls import recorded_calls, s3_requests
from fraud_platform_tests.infrastructure.policies import Document, Request, actions, is_allowed
from fraud_platform_tests.infrastructure.terraform import ACCOUNT, NAME, REGION, REPLICA_REGION, Terraform

pytestmark = [pytest.mark.applied, pytest.mark.usefixtures("applied", "in_aws")]

DAY = date(2026, 11, 10)
LANDING, STORAGE, MLFLOW, RELEASES, TRAIL = (
    f"arn:aws:s3:::{NAME}-{purpose}-{ACCOUNT}" for purpose in ("landing", "storage", "mlflow", "releases", "trail")
)
EVERYBODY = ["webserver", "daemon", "code-location", "run", "command", "mlflow", "exporter"]
ROLES = [*EVERYBODY, "host", "execution", "deploy", "replication", "flow-logs", "trail"]
FAMILY = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}-run"


def _documents(role: str) -> list[Document]:
    iam = boto3.client("iam")
    names = iam.list_role_policies(RoleName=f"{NAME}-{role}")["PolicyNames"]
    return [iam.get_role_policy(RoleName=f"{NAME}-{role}", PolicyName=name)["PolicyDocument"] for name in names]


def _trust(role: str) -> dict[str, Any]:
    return boto3.client("iam").get_role(RoleName=f"{NAME}-{role}")["Role"]["AssumeRolePolicyDocument"]


def _may(role: str, action: str, resource: str, **context: str) -> bool:
    return is_allowed(
        Request(action, resource, {name.replace("__", ":"): value for name, value in context.items()}), _documents(role)
    )


def _refused(role: str, requests: Iterator[Request]) -> list[Request]:
    documents = _documents(role)
    return [request for request in requests if not is_allowed(request, documents)]


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
    for name in ("FRAUD_LANDING", "FRAUD_STORAGE", "FRAUD_START_DATE"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    from fraud_platform_tests.ingestion.conftest import make_rows

    body = make_rows(20).to_csv(index=False).encode()
    bucket = environment["FRAUD_LANDING"].removeprefix("s3://").split("/")[0]
    boto3.client("s3").put_object(Bucket=bucket, Key=f"landing/transactions/{DAY}/a.csv", Body=body)
    return environment


def _look_around(places: dict[str, str]) -> None:
    """What sensors do: they look at what landed and at what is stored."""
    from fraud_platform.ingestion.landing import LandingZone
    from fraud_platform.storage import DayStore

    zone = LandingZone.at(places["FRAUD_LANDING"])
    assert zone.days() == [DAY]
    assert zone.label_days() == []
    assert set(zone.fingerprints()) == {DAY}
    store = DayStore.at(places["FRAUD_STORAGE"])
    store.days("raw_transactions", "parquet")
    store.exists("raw_transactions", DAY, "parquet")


def _work(places: dict[str, str]) -> None:
    """What runs do: they read what landed, and write and read every kind of file."""
    from fraud_platform.ingestion.landing import LandingZone
    from fraud_platform.ingestion.transactions import ingest_day
    from fraud_platform.storage import DayStore

    store = DayStore.at(places["FRAUD_STORAGE"])
    table = ingest_day(LandingZone.at(places["FRAUD_LANDING"]), DAY).transactions
    store.write_table("raw_transactions", DAY, table, {"fact": "1"})
    assert len(store.read_table("raw_transactions", DAY)) == len(table)
    assert store.read_table_metadata("raw_transactions", DAY) == {"fact": "1"}
    store.write_json("drift_report", DAY, {"a": 1})
    assert store.read_json("drift_report", DAY) == {"a": 1}
    # Large enough for an upload in parts.
    store.write_bytes("trained_model", DAY, "zip", bytes(60 * 1024 * 1024))
    assert store.days("raw_transactions", "parquet") == [DAY]


def test_the_code_location_can_look_around(places: dict[str, str]) -> None:
    with recorded_calls() as calls:
        _look_around(places)
    assert _refused("code-location", s3_requests(calls)) == []


def test_a_run_can_work(places: dict[str, str]) -> None:
    with recorded_calls() as calls:
        _look_around(places)
        _work(places)
    assert {operation for _, operation, _ in calls} >= {"ListObjectsV2", "GetObject", "PutObject", "UploadPart"}
    assert _refused("run", s3_requests(calls)) == []
    # Whoever only looks could not have done it.
    assert _refused("code-location", s3_requests(calls)) != []
    assert _refused("exporter", s3_requests(calls)) != []


def test_the_exporter_can_read_what_is_stored(places: dict[str, str]) -> None:
    from fraud_platform.storage import DayStore

    store = DayStore.at(places["FRAUD_STORAGE"])
    store.write_json("drift_report", DAY, {"a": 1})
    with recorded_calls() as calls:
        assert store.days("drift_report", "json") == [DAY]
        store.read_json("drift_report", DAY)
    assert _refused("exporter", s3_requests(calls)) == []


def test_doctor_can_probe_both_places_as_a_command_and_not_as_a_run(places: dict[str, str]) -> None:
    from fraud_platform.defs.doctor import findings
    from fraud_platform.settings import load_settings

    with recorded_calls() as calls:
        storage, landing = [
            finding for finding in findings(load_settings()) if finding.subject in ("storage", "landing zone")
        ]
    assert (storage.is_well, landing.is_well) == (True, True), (storage, landing)
    of_s3 = [call for call in calls if call[0] == "s3"]
    assert _refused("command", s3_requests(of_s3)) == []
    assert {request.action for request in _refused("run", s3_requests(of_s3))} == {"s3:PutObject", "s3:DeleteObject"}


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
    assert _refused("run", s3_requests(written)) == []
    assert _refused("code-location", s3_requests(written)) == []
    assert _refused("webserver", s3_requests(shown)) == []
    assert _refused("webserver", s3_requests(written)) != []


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
    assert _refused("mlflow", s3_requests([call for call in calls if call[0] == "s3"])) == []


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
    assert _refused("daemon", iter(requests)) == []
    # The webserver ends runs and starts none.
    assert {request.action for request in _refused("webserver", iter(requests))} == {
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


def test_the_daemon_starts_nothing_but_runs_and_only_on_its_cluster() -> None:
    elsewhere = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/other"
    here = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{NAME}"
    assert _may("daemon", "ecs:RunTask", f"{FAMILY}:7", ecs__cluster=here)
    assert not _may("daemon", "ecs:RunTask", f"{FAMILY}:7", ecs__cluster=elsewhere)
    assert not _may("daemon", "ecs:RunTask", FAMILY.replace("-run", "-command") + ":1", ecs__cluster=here)
    for role in ("command", "host", "deploy"):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}"
        assert not _may("daemon", "iam:PassRole", arn, iam__PassedToService="ecs-tasks.amazonaws.com")
    assert not _may(
        "daemon", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-run", iam__PassedToService="ec2.amazonaws.com"
    )


# Who may read, write and delete where: every cell of the table is a rule.
@pytest.mark.parametrize(
    ("place", "read", "write", "delete"),
    [
        (f"{LANDING}/landing/transactions/{DAY}/a.csv", {"code-location", "run", "command"}, set(), set()),
        (f"{LANDING}/landing/.doctor-1", {"code-location", "run", "command"}, {"command"}, {"command"}),
        (
            f"{STORAGE}/storage/features/{DAY}.parquet",
            {"code-location", "run", "command", "exporter"},
            {"run", "command"},
            {"command"},
        ),
        (
            f"{STORAGE}/storage/compute_logs/storage/r/s.err",
            {"webserver", "code-location", "run", "command", "exporter"},
            {"code-location", "run", "command"},
            {"command"},
        ),
        (f"{STORAGE}/elsewhere", set(), set(), set()),
        (f"{MLFLOW}/mlflow/1/run/artifacts/model.zip", {"mlflow"}, {"mlflow"}, {"mlflow"}),
        (f"{RELEASES}/1.2.3/deploy.tar.gz", {"host"}, {"deploy"}, set()),
        (f"{TRAIL}/AWSLogs/{ACCOUNT}/a.json.gz", set(), set(), set()),
    ],
)
def test_data_is_read_written_and_deleted_by_those_whose_job_it_is(
    place: str, read: set[str], write: set[str], delete: set[str]
) -> None:
    allowed = {
        action: {role for role in ROLES if _may(role, action, place)}
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    }
    assert allowed == {"s3:GetObject": read, "s3:PutObject": write, "s3:DeleteObject": delete}


@pytest.mark.parametrize(
    "action", ["s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:DeleteBucket"]
)
def test_nobody_can_remove_history_or_change_a_bucket(action: str) -> None:
    for bucket in (LANDING, STORAGE, MLFLOW, TRAIL):
        assert [role for role in ROLES if _may(role, action, bucket) or _may(role, action, f"{bucket}/a")] == []


@pytest.mark.parametrize(
    "action",
    [
        "cloudtrail:StopLogging",
        "kms:ScheduleKeyDeletion",
        "iam:PutRolePolicy",
        "iam:CreateAccessKey",
        "ec2:RunInstances",
    ],
)
def test_nobody_can_blind_or_extend_themselves(action: str) -> None:
    assert [
        role for role in ROLES if _may(role, action, "*") or action in {a for d in _documents(role) for a in actions(d)}
    ] == []


def test_keys_open_only_through_s3_and_only_the_buckets_of_the_role(applied: Terraform) -> None:
    key = applied.outputs()["key_arns"]["data"]
    through_s3 = {"kms__ViaService": f"s3.{REGION}.amazonaws.com"}
    assert _may("run", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not _may("run", "kms:Decrypt", key, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not _may("run", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=MLFLOW)
    assert not _may("run", "kms:GenerateDataKey", key, **through_s3, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not _may("exporter", "kms:GenerateDataKey", key, **through_s3, kms__EncryptionContext__aws__s3__arn=STORAGE)
    assert not _may("daemon", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=STORAGE)


def test_passwords_are_read_by_those_who_hand_them_out() -> None:
    secrets = {
        secret["Name"]: secret["ARN"]
        for secret in boto3.client("secretsmanager", region_name=REGION).list_secrets()["SecretList"]
    }
    readers = {
        name.split("/")[-1].split("!")[0]: {role for role in ROLES if _may(role, "secretsmanager:GetSecretValue", arn)}
        for name, arn in secrets.items()
    }
    assert readers == {"dagster": {"host", "execution"}, "mlflow": {"host"}, "rds": {"host"}}


def test_roles_are_taken_only_by_whom_they_are_for() -> None:
    host = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-host"
    for role in EVERYBODY:
        principal = _trust(role)["Statement"][0]["Principal"]
        is_task = role in ("run", "command")
        assert principal == ({"Service": "ecs-tasks.amazonaws.com"} if is_task else {"AWS": host}), role
        assert _may("host", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}") != is_task, role
    assert not _may("host", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-deploy")
    assert _trust("host")["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_only_the_reviewed_environment_of_the_repository_publishes_and_it_can_start_nothing() -> None:
    statement = _trust("deploy")["Statement"][0]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:example/fraud-platform:environment:production",
        }
    }
    granted = {action for document in _documents("deploy") for action in actions(document)}
    assert {action.split(":")[0] for action in granted} == {"ecr", "s3", "kms"}
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"
    assert _may("deploy", "ecr:PutImage", repository)
    assert not _may("deploy", "ecr:PutImage", f"{repository}-other")
    assert not _may("deploy", "ecr:BatchDeleteImage", repository)


def test_replication_copies_from_the_originals_to_the_copies_and_not_back(applied: Terraform) -> None:
    for purpose, copy in applied.outputs()["bucket_copies"].items():
        original = f"arn:aws:s3:::{NAME}-{purpose}-{ACCOUNT}"
        assert _may("replication", "s3:GetReplicationConfiguration", original)
        assert _may("replication", "s3:GetObjectVersionForReplication", f"{original}/a")
        assert _may("replication", "s3:ReplicateObject", f"arn:aws:s3:::{copy}/a")
        assert _may("replication", "s3:ReplicateDelete", f"arn:aws:s3:::{copy}/a")
        assert not _may("replication", "s3:ReplicateObject", f"{original}/a")
        assert not _may("replication", "s3:GetObjectVersionForReplication", f"arn:aws:s3:::{copy}/a")
    keys = applied.outputs()["key_arns"]
    assert _may("replication", "kms:Decrypt", keys["data"], kms__ViaService=f"s3.{REGION}.amazonaws.com")
    assert _may("replication", "kms:Encrypt", keys["replica"], kms__ViaService=f"s3.{REPLICA_REGION}.amazonaws.com")


def test_upstream_systems_deliver_and_do_nothing_else() -> None:
    policy = json.loads(boto3.client("s3").get_bucket_policy(Bucket=LANDING.split(":::")[1])["Policy"])
    delivering = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert [(statement["Principal"], statement["Action"]) for statement in delivering] == [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/card-processing-export"}, "s3:PutObject")
    ]
    assert delivering[0]["Resource"] == [f"{LANDING}/landing/transactions/*", f"{LANDING}/landing/labels/*"]
