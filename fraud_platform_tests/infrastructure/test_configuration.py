"""The configuration before anything is built: its form, its variables, and what a plan promises."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fraud_platform.settings import Settings
from fraud_platform_tests.infrastructure.terraform import SOURCES, VARIABLES, Terraform, executable

CONCERNS = sorted(SOURCES.glob("*.tf"))


@pytest.fixture(scope="module")
def planned(configuration: Terraform) -> dict[str, dict[str, Any]]:
    """Every resource the plan would create, by address, with what is known of it beforehand."""
    configuration.succeed("plan", "-out=plan", "-parallelism=40")
    plan = json.loads(configuration.succeed("show", "-json", "plan"))
    return {
        change["address"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["mode"] == "managed"
    }


def _of_type(planned: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    found = {address: values for address, values in planned.items() if address.startswith(f"{kind}.")}
    assert found, f"nothing is a {kind}"
    return found


def test_the_files_are_in_terraforms_own_format() -> None:
    command = [executable(), "fmt", "-check", "-recursive", "-diff", str(SOURCES)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout


def test_the_configuration_is_valid(configuration: Terraform) -> None:
    assert json.loads(configuration.succeed("validate", "-json"))["diagnostics"] == []


def test_the_lock_file_holds_for_every_platform_the_project_supports() -> None:
    lock = (SOURCES / ".terraform.lock.hcl").read_text()
    # One digest of each archive in the provider's release; those of the platforms at hand also by content.
    assert lock.count('"zh:') == 15
    assert lock.count('"h1:') >= 2


@pytest.mark.parametrize("concern", CONCERNS, ids=lambda path: path.name)
def test_a_file_has_one_concern_and_says_it(concern: Path) -> None:
    assert concern.read_text().startswith("# "), "the file does not say its concern"
    # The variables are one table.
    assert len(concern.read_text().splitlines()) <= (450 if concern.name == "variables.tf" else 300)


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_variable_and_output_is_described(kind: str) -> None:
    text = "".join(path.read_text() for path in CONCERNS)
    blocks = text.split(f'\n{kind} "')[1:]
    assert len(blocks) >= 10
    assert [block.split('"')[0] for block in blocks if "  description = " not in block.split("\n}\n")[0] + "\n"] == []
    if kind == "variable":
        assert [block.split('"')[0] for block in blocks if "  type " not in block.split("\n}\n")[0]] == []


# Each with what the message must say.
WRONG_VARIABLES: dict[str, tuple[Any, str]] = {
    "account_id": ("1234", "twelve digits"),
    # A name that moves cannot say what runs.
    "image_tag": ("latest", "'latest' names none"),
    "start_date": ("10.11.2026", "YYYY-MM-DD"),
    "replica_region": ("eu-central-1", "must differ from region"),
    "noncurrent_days": (90, "a month to erase"),
    "retention_days": ({"landing": 30}, "90 days or more"),
    "run_size": ({"cpu": 1024, "memory_mib": 65536}, "2 to 8 MiB"),
    "allowed_cidrs": (["everywhere"], "IPv4 ranges"),
    "zone_letters": (["a"], "2 or 3 zones"),
    # Where data lies is not a setting of its own.
    "settings": ({"FRAUD_STORAGE": "s3://elsewhere", "AWS_ENDPOINT_URL": "http://a"}, "follow from what is built"),
    "landing_writer_arns": (["*"], "one role or user"),
    "database": ({"backup_days": 0}, "7 to 35"),
    "model_key_version": (1.5, "model_key_version is 1, 2, 3"),
    "audit_key_version": (0, "audit_key_version is 1, 2, 3"),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Terraform says of all the wrong variables; it needs no provider to judge them."""
    folder = tmp_path_factory.mktemp("variables")
    shutil.copy(SOURCES / "variables.tf", folder)
    wrong = {variable: value for variable, (value, _) in WRONG_VARIABLES.items()}
    (folder / "test.auto.tfvars.json").write_text(json.dumps({**VARIABLES, **wrong}))
    finished = subprocess.run(
        [executable(), "plan", "-no-color"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    # Messages are broken into lines, with a border on each.
    return " ".join(finished.stderr.replace("│", " ").split())


@pytest.mark.parametrize("variable", WRONG_VARIABLES)
def test_a_wrong_variable_is_refused_with_what_is_right(complaints: str, variable: str) -> None:
    assert WRONG_VARIABLES[variable][1] in complaints


def test_the_platform_knows_every_variable_that_tasks_are_given(
    planned: dict[str, dict[str, Any]], configuration: Terraform
) -> None:
    plan = json.loads(configuration.succeed("show", "-json", "plan"))
    environment = plan["planned_values"]["outputs"]["environment"]
    names = set(environment.get("value") or _keys_of_environment())
    known = {f"FRAUD_{field.upper()}" for field in Settings.model_fields} | {
        "MLFLOW_TRACKING_URI",
        "AWS_DEFAULT_REGION",
    }
    # The history's place, where this release of the platform has such a setting.
    assert names - known <= {"FRAUD_POSTGRES_URL"}


def _keys_of_environment() -> list[str]:
    block = (SOURCES / "locals.tf").read_text().split("environment = merge(var.settings, {")[1].split("})")[0]
    return [line.split("=")[0].strip() for line in block.strip().splitlines()]


def test_the_world_reaches_only_443_and_80(planned: dict[str, dict[str, Any]]) -> None:
    rules = _of_type(planned, "aws_vpc_security_group_ingress_rule").values()
    assert {rule["from_port"] for rule in rules if rule["cidr_ipv4"] or rule["cidr_ipv6"]} == {443, 80}
    assert all(
        rule["ip_protocol"] == "tcp" and rule["from_port"] == rule["to_port"] and rule["description"] for rule in rules
    )
    for address, group in _of_type(planned, "aws_security_group").items():
        assert "ingress" not in group, f"{address} has rules of its own"


def test_no_bucket_can_become_public_or_be_emptied_by_terraform(planned: dict[str, dict[str, Any]]) -> None:
    buckets = _of_type(planned, "aws_s3_bucket")
    assert len(buckets) == 12
    assert not any(bucket["force_destroy"] for bucket in buckets.values())
    blocks = _of_type(planned, "aws_s3_bucket_public_access_block").values()
    assert len(blocks) == len(buckets)
    for block in blocks:
        assert all(
            block[switch]
            for switch in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        )
    for kind in (
        "versioning",
        "server_side_encryption_configuration",
        "policy",
        "lifecycle_configuration",
        "ownership_controls",
    ):
        assert len(_of_type(planned, f"aws_s3_bucket_{kind}")) == len(buckets), kind


def test_what_is_erased_is_erased_in_the_copy_and_encrypted_objects_are_copied(
    planned: dict[str, dict[str, Any]],
) -> None:
    replications = _of_type(planned, "aws_s3_bucket_replication_configuration")
    assert len(replications) == 5
    for replication in replications.values():
        rule = replication["rule"][0]
        assert rule["status"] == rule["delete_marker_replication"][0]["status"] == "Enabled"
        assert rule["source_selection_criteria"][0]["sse_kms_encrypted_objects"][0]["status"] == "Enabled"


def test_retention_is_what_was_asked_for(planned: dict[str, dict[str, Any]]) -> None:
    def expiry(purpose: str) -> dict[str, int]:
        rules = planned[f'aws_s3_bucket_lifecycle_configuration.data["{purpose}"]']["rule"]
        return {rule["id"]: rule["expiration"][0]["days"] for rule in rules if rule["expiration"]}

    assert expiry("landing") == {"retention": 2557}
    # The platform's own job knows which asset goes when, and keeps tombstones.
    assert expiry("storage") == {"compute-logs": 365}
    assert expiry("audit") == {}
    # A model stays loadable.
    assert expiry("mlflow") == {}


def test_nothing_that_holds_data_goes_without_protection(planned: dict[str, dict[str, Any]]) -> None:
    assert planned["aws_db_instance.platform"]["deletion_protection"]
    assert not planned["aws_db_instance.platform"]["skip_final_snapshot"]
    assert planned["aws_lb.main"]["enable_deletion_protection"]
    text = "".join(path.read_text() for path in CONCERNS)
    protected = [
        block.split("\n}\n")[0]
        for kind in ("aws_s3_bucket", "aws_kms_key", "aws_db_instance")
        for block in text.split(f'\nresource "{kind}" ')[1:]
    ]
    assert len(protected) == 6
    assert all("prevent_destroy = true" in block for block in protected)
