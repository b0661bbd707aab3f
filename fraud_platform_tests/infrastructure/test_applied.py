"""What an auditor would look at, in an account to which the configuration was applied."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from fraud_platform_tests.infrastructure.policies import actions, statements
from fraud_platform_tests.infrastructure.terraform import (
    ACCOUNT,
    NAME,
    REGION,
    Terraform,
)
from fraud_platform_tests.production.processes import IN_IMAGE, ROOT

pytestmark = [pytest.mark.applied, pytest.mark.usefixtures("applied", "in_aws")]

# Actions that know no resources, and so can only be allowed on all of them. https://docs.aws.amazon.com/service-authorization/
WITHOUT_RESOURCES = {
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ssm:ListCommandInvocations",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


def _role_policies() -> Iterator[tuple[str, dict[str, Any]]]:
    iam = boto3.client("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            yield role["RoleName"], iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]


def test_a_second_plan_changes_nothing(applied: Terraform) -> None:
    finished = applied.run("plan", "-detailed-exitcode", "-parallelism=40")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_no_password_is_in_the_state(applied: Terraform) -> None:
    secrets = boto3.client("secretsmanager", region_name=REGION)
    state = (applied.folder / "terraform.tfstate").read_text()
    names = [secret["Name"] for secret in secrets.list_secrets()["SecretList"]]
    made = {"database/dagster", "database/mlflow", "signing/model_key", "signing/audit_key"}
    assert {f"{NAME}/{name}" for name in made} < set(names)
    # A person puts these in, so that no plan ever knows them.
    channels = {name for name in names if name.startswith(f"{NAME}/alerts/")}
    assert {name.rpartition("/")[2] for name in channels} == {
        "alert_urls",
        "alertmanager_chat_url",
        "alertmanager_mail_login",
        "alertmanager_pager_key",
    }
    for name in set(names) - channels:
        value = secrets.get_secret_value(SecretId=name)["SecretString"]
        assert len(value) >= (64 if "/signing/" in name else 8)
        assert value not in state


def test_the_world_reaches_only_the_load_balancers_two_ports() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    # The configuration's own network; moto's account begins with a default one.
    network = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [NAME]}])["Vpcs"][0]["VpcId"]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network]}])["SecurityGroups"]
    world = {
        (group["GroupName"], rule["FromPort"], rule["ToPort"])
        for group in groups
        for rule in group["IpPermissions"]
        if any(entry["CidrIp"] == "0.0.0.0/0" for entry in rule["IpRanges"]) or rule["Ipv6Ranges"]
    }
    assert world == {(f"{NAME}-load-balancer", 443, 443), (f"{NAME}-load-balancer", 80, 80)}
    default = next(group for group in groups if group["GroupName"] == "default")
    assert (default["IpPermissions"], default["IpPermissionsEgress"]) == ([], [])


def test_port_80_only_redirects_and_every_page_asks_for_a_login() -> None:
    balancers = boto3.client("elbv2", region_name=REGION)
    arn = balancers.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    listeners = {
        listener["Port"]: listener for listener in balancers.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    }
    assert set(listeners) == {80, 443}
    redirect = listeners[80]["DefaultActions"][0]
    assert (redirect["Type"], redirect["RedirectConfig"]["Protocol"]) == ("redirect", "HTTPS")
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    for rule in balancers.describe_rules(ListenerArn=listeners[443]["ListenerArn"])["Rules"]:
        kinds = [action["Type"] for action in sorted(rule["Actions"], key=lambda action: action.get("Order", 1))]
        assert kinds in (["fixed-response"], ["authenticate-oidc", "forward"])


def test_the_host_gives_its_role_to_no_container_and_has_no_public_address() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    host = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [f"{NAME}-host"]}])["Reservations"][0][
        "Instances"
    ][0]
    assert host["MetadataOptions"]["HttpTokens"] == "required"
    assert host["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert host.get("PublicIpAddress") is None
    assert all(volume["Encrypted"] for volume in ec2.describe_volumes()["Volumes"])


def test_the_database_is_private_encrypted_backed_up_and_speaks_tls() -> None:
    rds = boto3.client("rds", region_name=REGION)
    database = rds.describe_db_instances()["DBInstances"][0]
    assert (database["PubliclyAccessible"], database["StorageEncrypted"]) == (False, True)
    assert (database["MultiAZ"], database["DeletionProtection"]) == (True, True)
    assert database["BackupRetentionPeriod"] == 35
    assert database["MasterUserSecret"]["KmsKeyId"]
    group = database["DBParameterGroups"][0]["DBParameterGroupName"]
    parameters = {
        p["ParameterName"]: p["ParameterValue"]
        for p in rds.describe_db_parameters(DBParameterGroupName=group)["Parameters"]
    }
    assert parameters["rds.force_ssl"] == "1"


def test_every_log_is_encrypted_and_ends() -> None:
    for group in boto3.client("logs", region_name=REGION).describe_log_groups()["logGroups"]:
        assert group["retentionInDays"] == 365, group["logGroupName"]
        assert group["kmsKeyId"], group["logGroupName"]


def test_no_role_may_do_everything_or_to_everything() -> None:
    roles = set()
    for role, document in _role_policies():
        roles.add(role)
        assert [action for action in actions(document) if "*" in action] == [], role
        for statement in statements(document):
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert "*" not in resources or set(listed) <= WITHOUT_RESOURCES, f"{role}: {statement}"
    services = {"webserver", "daemon", "code-location", "run", "command", "mlflow", "exporter"}
    others = {"host", "execution", "deploy", "replication", "flow-logs", "trail"}
    assert roles == {f"{NAME}-{role}" for role in services | others}


def test_every_action_exists() -> None:
    """IAM takes a misspelt action without a word."""
    services = {"ecr", "ecs", "iam", "kms", "logs", "secretsmanager", "ssm", "sts"}
    # Permissions that are no operations: https://docs.aws.amazon.com/service-authorization/latest/reference/
    others = {
        "ecr:PutImage", "iam:PassRole", "kms:GenerateDataKey",
        "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
        "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
        "s3:GetReplicationConfiguration", "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags",
        "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    }  # fmt: skip
    operations = {
        f"{service}:{operation}"
        for service in services
        for operation in boto3.client(service, region_name=REGION).meta.service_model.operation_names
    }
    written = {action for _, document in _role_policies() for action in actions(document)}
    assert written - operations - others == set()


def test_the_task_of_a_run_is_told_where_everything_is_and_writes_only_where_it_may(applied: Terraform) -> None:
    ecs = boto3.client("ecs", region_name=REGION)
    definition = ecs.describe_task_definition(taskDefinition=f"{NAME}-run")["taskDefinition"]
    prepare, run = definition["containerDefinitions"]
    environment = {entry["name"]: entry["value"] for entry in run["environment"]}
    assert environment == applied.outputs()["environment"]
    assert environment["FRAUD_LANDING"] == f"s3://{NAME}-landing-{ACCOUNT}/landing"
    assert environment["FRAUD_STORAGE"] == f"s3://{NAME}-storage-{ACCOUNT}/storage"
    assert environment["MLFLOW_TRACKING_URI"] == "http://10.40.128.10:5000"
    assert environment["FRAUD_SEARCH_TRIALS"] == "12"
    assert environment["FRAUD_POSTGRES_URL"].startswith("postgresql://dagster@")
    assert environment["FRAUD_POSTGRES_URL"].endswith("/dagster?sslmode=require")
    assert (run["user"], run["readonlyRootFilesystem"], prepare["readonlyRootFilesystem"]) == ("10001", True, True)
    assert {point["containerPath"] for point in run["mountPoints"]} == {"/tmp", "/var/lib/fraud-platform"}  # noqa: S108 - in the container
    assert run["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]


@pytest.mark.parametrize("family", ["run", "command"])
def test_a_task_that_loads_models_or_writes_the_audit_trail_has_both_keys(family: str) -> None:
    ecs = boto3.client("ecs", region_name=REGION)
    definition = ecs.describe_task_definition(taskDefinition=f"{NAME}-{family}")["taskDefinition"]
    prepare, task = definition["containerDefinitions"]
    given = {secret["name"]: secret["valueFrom"].split(":secret:")[1] for secret in task["secrets"]}
    # Behind the name AWS adds six signs of its own.
    assert {variable: name.rpartition("-")[0] for variable, name in given.items()} == {
        "PGPASSWORD": f"{NAME}/database/dagster",
        "MODEL_KEY": f"{NAME}/signing/model_key",
        "AUDIT_KEY": f"{NAME}/signing/audit_key",
    }
    # It makes files of them, and is in the image.
    assert task["entryPoint"] == [f"{IN_IMAGE}/with_keys.sh"]
    assert "deploy/with_keys.sh" in (ROOT / "Dockerfile").read_text()
    assert "secrets" not in prepare


def test_a_release_replaces_the_host_and_the_task_definitions_and_nothing_that_holds_data(applied: Terraform) -> None:
    applied.succeed("plan", "-var=image_tag=1.2.4", "-out=rollout", "-parallelism=40")
    changes = json.loads(applied.succeed("show", "-json", "rollout"))["resource_changes"]
    actions_of = {change["address"]: change["change"]["actions"] for change in changes if change["mode"] == "managed"}
    replaced = {address for address, what in actions_of.items() if "delete" in what}
    assert replaced == {
        "aws_instance.host",
        "aws_volume_attachment.data",
        'aws_ecs_task_definition.platform["run"]',
        'aws_ecs_task_definition.platform["command"]',
        *(f'aws_lb_target_group_attachment.page["{page}"]' for page in ("dagster", "mlflow", "grafana")),
    }
    updated = {address for address, what in actions_of.items() if what == ["update"]}
    assert updated == {'aws_cloudwatch_metric_alarm.main["host-is-unwell"]'}


def test_what_holds_data_cannot_be_destroyed(applied: Terraform) -> None:
    finished = applied.run("plan", "-destroy", "-refresh=false", "-no-color")
    assert finished.returncode == 1
    # What those depend on, such as their key, is not even tried.
    protected = {"aws_s3_bucket.data", "aws_s3_bucket.copy", "aws_kms_key.replica", "aws_db_instance.platform"}
    message = " ".join(finished.stderr.replace("│", " ").split())
    assert message.count("Instance cannot be destroyed") >= len(protected)
    assert [resource for resource in protected if resource not in message] == []
