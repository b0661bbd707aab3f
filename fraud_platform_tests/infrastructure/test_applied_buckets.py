"""What an auditor would ask of the buckets, and of the trail that watches them, once the configuration was applied."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from fraud_platform_tests.infrastructure.policies import Request, is_denied, statements
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


def _s3(bucket: str) -> Any:
    return boto3.client("s3", region_name=REPLICA_REGION if "-copy-" in bucket else REGION)


def _buckets() -> list[str]:
    """Those of the configuration; that of Terraform's state belongs to another."""
    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    return [name for name in names if name.startswith(NAME)]


def _policy(bucket: str) -> dict[str, Any]:
    return json.loads(_s3(bucket).get_bucket_policy(Bucket=bucket)["Policy"])


def test_the_buckets_are_those_that_are_documented() -> None:
    originals = {"landing", "storage", "audit", "mlflow", "releases", "trail", "access-logs"}
    copies = {"landing-copy", "storage-copy", "audit-copy", "mlflow-copy", "trail-copy"}
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


def test_an_entry_of_the_audit_trail_is_added_and_never_written_over() -> None:
    bucket = f"{NAME}-audit-{ACCOUNT}"
    tls = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
    entry = f"arn:aws:s3:::{bucket}/audit/000000/000000000001.json"
    assert is_denied(Request("s3:PutObject", entry, tls), _policy(bucket))
    assert not is_denied(Request("s3:PutObject", entry, {**tls, "s3:if-none-match": "*"}), _policy(bucket))


def test_tombstones_stay_and_other_files_of_storage_may_go() -> None:
    bucket = f"{NAME}-storage-{ACCOUNT}"
    tls = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
    for key, is_refused in {"storage/tombstones/0123": True, "storage/features/2026-11-10.parquet": False}.items():
        assert is_denied(Request("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{key}", tls), _policy(bucket)) == is_refused


def test_what_could_not_be_made_again_has_a_copy_in_the_other_region(applied: Terraform) -> None:
    for purpose, copy in applied.outputs()["bucket_copies"].items():
        original = f"{NAME}-{purpose}-{ACCOUNT}"
        assert _s3(copy).get_bucket_location(Bucket=copy)["LocationConstraint"] == REPLICA_REGION
        rule = _s3(original).get_bucket_replication(Bucket=original)["ReplicationConfiguration"]["Rules"][0]
        assert rule["Status"] == "Enabled"
        assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{copy}"


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
