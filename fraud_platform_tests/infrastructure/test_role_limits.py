"""No role can do more than its job: who reads, writes, deletes, starts and takes over what."""

import json
import re

import boto3
import pytest

from fraud_platform_tests.infrastructure.policies import actions
from fraud_platform_tests.infrastructure.roles import (
    AUDIT,
    EVERYBODY,
    FAMILY,
    LANDING,
    MLFLOW,
    RELEASES,
    ROLES,
    STORAGE,
    TRAIL,
    documents,
    may,
    trust,
)
from fraud_platform_tests.infrastructure.terraform import ACCOUNT, NAME, REGION, REPLICA_REGION, Terraform

pytestmark = [pytest.mark.applied, pytest.mark.usefixtures("applied", "in_aws")]

DAY = "2026-11-10"


def test_the_daemon_starts_nothing_but_runs_and_only_on_its_cluster() -> None:
    elsewhere = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/other"
    here = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{NAME}"
    assert may("daemon", "ecs:RunTask", f"{FAMILY}:7", ecs__cluster=here)
    assert not may("daemon", "ecs:RunTask", f"{FAMILY}:7", ecs__cluster=elsewhere)
    assert not may("daemon", "ecs:RunTask", FAMILY.replace("-run", "-command") + ":1", ecs__cluster=here)
    for role in ("command", "host", "deploy"):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}"
        assert not may("daemon", "iam:PassRole", arn, iam__PassedToService="ecs-tasks.amazonaws.com")
    assert not may(
        "daemon", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-run", iam__PassedToService="ec2.amazonaws.com"
    )


# Who may read, write and delete where: every cell of the table is a rule.
@pytest.mark.parametrize(
    ("place", "read", "write", "delete"),
    [
        (f"{LANDING}/landing/transactions/{DAY}/a.csv", {"code-location", "run", "command"}, set(), set()),
        (
            f"{LANDING}/landing/.doctor-1",
            {"code-location", "run", "command"},
            {"code-location", "command"},
            {"code-location", "command"},
        ),
        (
            f"{STORAGE}/storage/.doctor-1",
            {"code-location", "run", "command", "exporter"},
            {"code-location", "run", "command"},
            {"code-location", "run", "command"},
        ),
        (
            f"{STORAGE}/storage/features/{DAY}.parquet",
            {"code-location", "run", "command", "exporter"},
            {"run", "command"},
            {"run", "command"},
        ),
        (
            f"{STORAGE}/storage/compute_logs/storage/r/s.err",
            {"webserver", "code-location", "run", "command", "exporter"},
            {"code-location", "run", "command"},
            {"run", "command"},
        ),
        (
            f"{AUDIT}/audit/000000/000000000001.json",
            {"code-location", "run", "command"},
            {"code-location", "run", "command"},
            set(),
        ),
        (
            f"{AUDIT}/audit/.doctor-1",
            {"code-location", "run", "command"},
            {"code-location", "run", "command"},
            {"code-location", "command"},
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
        action: {role for role in ROLES if may(role, action, place)}
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    }
    assert allowed == {"s3:GetObject": read, "s3:PutObject": write, "s3:DeleteObject": delete}


@pytest.mark.parametrize(
    "action", ["s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:DeleteBucket"]
)
def test_nobody_can_remove_history_or_change_a_bucket(action: str) -> None:
    for bucket in (LANDING, STORAGE, AUDIT, MLFLOW, TRAIL):
        assert [role for role in ROLES if may(role, action, bucket) or may(role, action, f"{bucket}/a")] == []


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
        role for role in ROLES if may(role, action, "*") or action in {a for d in documents(role) for a in actions(d)}
    ] == []


def test_keys_open_only_through_s3_and_only_the_buckets_of_the_role(applied: Terraform) -> None:
    key = applied.outputs()["key_arns"]["data"]
    through_s3 = {"kms__ViaService": f"s3.{REGION}.amazonaws.com"}
    assert may("run", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not may("run", "kms:Decrypt", key, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not may("run", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=MLFLOW)
    assert not may("run", "kms:GenerateDataKey", key, **through_s3, kms__EncryptionContext__aws__s3__arn=LANDING)
    assert not may("exporter", "kms:GenerateDataKey", key, **through_s3, kms__EncryptionContext__aws__s3__arn=STORAGE)
    assert not may("daemon", "kms:Decrypt", key, **through_s3, kms__EncryptionContext__aws__s3__arn=STORAGE)


def test_passwords_are_read_by_those_who_hand_them_out() -> None:
    secrets = {
        secret["Name"]: secret["ARN"]
        for secret in boto3.client("secretsmanager", region_name=REGION).list_secrets()["SecretList"]
    }
    readers = {
        name.split("/")[-1].split("!")[0]: {role for role in ROLES if may(role, "secretsmanager:GetSecretValue", arn)}
        for name, arn in secrets.items()
    }
    assert {name: who for name, who in readers.items() if not name.startswith("alert")} == {
        "dagster": {"host", "execution"},
        "mlflow": {"host"},
        "rds": {"host"},
        "model_key": {"host", "execution"},
        "audit_key": {"host", "execution"},
    }
    assert [who for name, who in readers.items() if name.startswith("alert")] == [{"host"}] * 4


def test_roles_are_taken_only_by_whom_they_are_for() -> None:
    host = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-host"
    for role in EVERYBODY:
        principal = trust(role)["Statement"][0]["Principal"]
        is_task = role in ("run", "command")
        assert principal == ({"Service": "ecs-tasks.amazonaws.com"} if is_task else {"AWS": host}), role
        assert may("host", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{role}") != is_task, role
    assert not may("host", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{NAME}-deploy")
    assert trust("host")["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_only_the_reviewed_environment_of_the_repository_publishes() -> None:
    statement = trust("deploy")["Statement"][0]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:example/fraud-platform:environment:production",
        }
    }
    granted = {action for document in documents("deploy") for action in actions(document)}
    assert {action.split(":")[0] for action in granted} == {"ecr", "s3", "kms", "ssm"}
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"
    assert may("deploy", "ecr:PutImage", repository)
    assert not may("deploy", "ecr:PutImage", f"{repository}-other")
    assert not may("deploy", "ecr:BatchDeleteImage", repository)


def test_the_workflow_gives_the_host_the_known_orders_and_no_other_command() -> None:
    document = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/{NAME}-production"
    instance = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"
    assert may("deploy", "ssm:SendCommand", document)
    assert not may("deploy", "ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript")
    assert may("deploy", "ssm:SendCommand", instance, **{"ssm:resourceTag/Name": f"{NAME}-host"})
    assert not may("deploy", "ssm:SendCommand", instance, **{"ssm:resourceTag/Name": "another"})
    assert not may("deploy", "ssm:SendCommand", instance)
    described = boto3.client("ssm", region_name=REGION).get_document(Name=f"{NAME}-production")["Content"]
    pattern = re.compile(json.loads(described)["parameters"]["words"]["allowedPattern"])
    for words in ("retrain 2026-11-20", "promote 1.2.0 somebody workflow-run-7", "doctor"):
        assert pattern.match(words)
    for words in ("doctor; id", "upgrade image", "promote 1.2.0 $(id) x", "retrain 2026-11-20 && id", ""):
        assert not pattern.match(words)


def test_replication_copies_from_the_originals_to_the_copies_and_not_back(applied: Terraform) -> None:
    for purpose, copy in applied.outputs()["bucket_copies"].items():
        original = f"arn:aws:s3:::{NAME}-{purpose}-{ACCOUNT}"
        assert may("replication", "s3:GetReplicationConfiguration", original)
        assert may("replication", "s3:GetObjectVersionForReplication", f"{original}/a")
        assert may("replication", "s3:ReplicateObject", f"arn:aws:s3:::{copy}/a")
        assert may("replication", "s3:ReplicateDelete", f"arn:aws:s3:::{copy}/a")
        assert not may("replication", "s3:ReplicateObject", f"{original}/a")
        assert not may("replication", "s3:GetObjectVersionForReplication", f"arn:aws:s3:::{copy}/a")
    keys = applied.outputs()["key_arns"]
    assert may("replication", "kms:Decrypt", keys["data"], kms__ViaService=f"s3.{REGION}.amazonaws.com")
    assert may("replication", "kms:Encrypt", keys["replica"], kms__ViaService=f"s3.{REPLICA_REGION}.amazonaws.com")


def test_upstream_systems_deliver_and_do_nothing_else() -> None:
    policy = json.loads(boto3.client("s3").get_bucket_policy(Bucket=LANDING.split(":::")[1])["Policy"])
    delivering = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert [(statement["Principal"], statement["Action"]) for statement in delivering] == [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/card-processing-export"}, "s3:PutObject")
    ]
    assert delivering[0]["Resource"] == [f"{LANDING}/landing/transactions/*", f"{LANDING}/landing/labels/*"]
