"""What an auditor would look at, in an account to which the configuration was applied."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from fraud_platform_tests.infrastructure.policies import Request, actions, is_denied, statements
from fraud_platform_tests.infrastructure.terraform import (
    ACCOUNT,
    NAME,
    REGION,
    REPLICA_REGION,
    SOURCES,
    Terraform,
    prepare,
)

pytestmark = [pytest.mark.applied, pytest.mark.usefixtures("applied", "in_aws")]

ACCESS_LOGS = f"{NAME}-access-logs-{ACCOUNT}"
# Actions that know no resources, and so can only be allowed on all of them. https://docs.aws.amazon.com/service-authorization/
WITHOUT_RESOURCES = {
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


def _s3(bucket: str) -> Any:
    return boto3.client("s3", region_name=REPLICA_REGION if "-copy-" in bucket else REGION)


def _buckets() -> list[str]:
    """Those of the configuration; that of Terraform's state belongs to another."""
    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    return [name for name in names if name.startswith(NAME)]


def _policy(bucket: str) -> dict[str, Any]:
    return json.loads(_s3(bucket).get_bucket_policy(Bucket=bucket)["Policy"])


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
    assert {f"{NAME}/database/dagster", f"{NAME}/database/mlflow"} < set(names)
    for name in names:
        value = secrets.get_secret_value(SecretId=name)["SecretString"]
        assert len(value) >= 8
        assert value not in state


def test_the_buckets_are_those_that_are_documented() -> None:
    originals = {"landing", "storage", "mlflow", "releases", "trail", "access-logs"}
    copies = {"landing-copy", "storage-copy", "mlflow-copy", "trail-copy"}
    assert set(_buckets()) == {f"{NAME}-{purpose}-{ACCOUNT}" for purpose in originals | copies}


def test_every_bucket_encrypts_with_a_key_of_ours() -> None:
    for bucket in set(_buckets()) - {ACCESS_LOGS}:
        rule = _s3(bucket).get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        key = boto3.client("kms", region_name=_s3(bucket).meta.region_name)
        assert default["SSEAlgorithm"] == "aws:kms", bucket
        assert key.describe_key(KeyId=default["KMSMasterKeyID"])["KeyMetadata"]["KeyManager"] == "CUSTOMER", bucket
        assert key.get_key_rotation_status(KeyId=default["KMSMasterKeyID"])["KeyRotationEnabled"], bucket
    # Load balancers write to no bucket that encrypts with KMS.
    rule = _s3(ACCESS_LOGS).get_bucket_encryption(Bucket=ACCESS_LOGS)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_every_bucket_keeps_versions_and_lets_old_ones_go() -> None:
    for bucket in _buckets():
        assert _s3(bucket).get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled", bucket
        rules = _s3(bucket).get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        old = [
            rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
            for rule in rules
            if "NoncurrentVersionExpiration" in rule
        ]
        assert old == [30], bucket


def test_no_bucket_can_become_public() -> None:
    for bucket in _buckets():
        block = _s3(bucket).get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert list(block.values()) == [True] * 4, bucket
        controls = _s3(bucket).get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert controls == [{"ObjectOwnership": "BucketOwnerEnforced"}], bucket
        open_to_all = [
            statement
            for statement in statements(_policy(bucket))
            if statement["Effect"] == "Allow" and statement["Principal"] in ("*", {"AWS": "*"})
        ]
        assert open_to_all == [], bucket


@pytest.mark.parametrize(
    ("context", "is_refused"),
    [
        ({"aws:SecureTransport": "false"}, True),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, True),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.2"}, False),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}, False),
    ],
)
def test_every_bucket_answers_only_over_tls(context: dict[str, str], is_refused: bool) -> None:
    for bucket in _buckets():
        for action, resource in (
            ("s3:GetObject", f"arn:aws:s3:::{bucket}/a"),
            ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        ):
            assert is_denied(Request(action, resource, context), _policy(bucket)) == is_refused, bucket


@pytest.mark.parametrize(
    ("header", "value", "is_refused"),
    [
        (None, None, False),
        ("s3:x-amz-server-side-encryption", "aws:kms", False),
        ("s3:x-amz-server-side-encryption", "AES256", True),
        # Somebody else's key.
        ("s3:x-amz-server-side-encryption-aws-kms-key-id", f"arn:aws:kms:{REGION}:999999999999:key/k", True),
    ],
)
def test_an_upload_cannot_choose_another_encryption(header: str | None, value: str | None, is_refused: bool) -> None:
    bucket = f"{NAME}-landing-{ACCOUNT}"
    context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"} | ({header: value} if header and value else {})
    request = Request("s3:PutObject", f"arn:aws:s3:::{bucket}/landing/a.csv", context)
    assert is_denied(request, _policy(bucket)) == is_refused


def test_what_could_not_be_made_again_has_a_copy_in_the_other_region(applied: Terraform) -> None:
    for purpose, copy in applied.outputs()["bucket_copies"].items():
        original = f"{NAME}-{purpose}-{ACCOUNT}"
        assert _s3(copy).get_bucket_location(Bucket=copy)["LocationConstraint"] == REPLICA_REGION
        rule = _s3(original).get_bucket_replication(Bucket=original)["ReplicationConfiguration"]["Rules"][0]
        assert rule["Status"] == "Enabled"
        assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{copy}"


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


def test_the_trail_sees_every_region_and_every_read_and_write_of_data() -> None:
    trails = boto3.client("cloudtrail", region_name=REGION)
    trail = trails.describe_trails()["trailList"][0]
    assert trail["IsMultiRegionTrail"]
    assert trail["LogFileValidationEnabled"]
    assert trail["KmsKeyId"]
    assert trails.get_trail_status(Name=trail["Name"])["IsLogging"]
    selectors = trails.get_event_selectors(TrailName=trail["Name"])["AdvancedEventSelectors"]
    watched = next(
        field["StartsWith"]
        for selector in selectors
        for field in selector["FieldSelectors"]
        if field["Field"] == "resources.ARN"
    )
    data = [bucket for bucket in _buckets() if bucket != ACCESS_LOGS and "-trail-" not in bucket]
    assert sorted(watched) == sorted(f"arn:aws:s3:::{bucket}/" for bucket in data)


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
    services = {"ecr", "ecs", "iam", "kms", "logs", "secretsmanager", "sts"}
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
    assert [secret["name"] for secret in run["secrets"]] == ["PGPASSWORD"]
    assert (run["user"], run["readonlyRootFilesystem"], prepare["readonlyRootFilesystem"]) == ("10001", True, True)
    assert {point["containerPath"] for point in run["mountPoints"]} == {"/tmp", "/var/lib/fraud-platform"}  # noqa: S108 - in the container
    assert run["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]


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


def test_the_bucket_of_the_state_is_private_encrypted_and_keeps_versions(aws: str, tmp_path: Path) -> None:
    bootstrap = prepare(tmp_path / "bootstrap", aws, SOURCES / "bootstrap")
    bootstrap.succeed("apply", "-auto-approve")
    assert bootstrap.run("plan", "-detailed-exitcode").returncode == 0
    bucket = f"fraud-platform-terraform-state-{ACCOUNT}"
    assert f'bucket     = "{bucket}"' in bootstrap.outputs()["backend"]
    s3 = boto3.client("s3", region_name=REGION)
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert list(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == [True] * 4
    request = Request("s3:GetObject", f"arn:aws:s3:::{bucket}/production.tfstate", {"aws:SecureTransport": "false"})
    assert is_denied(request, _policy(bucket))
