"""deploy/dagster.yaml: what Dagster makes of it, and what a setting that is missing says."""

import pytest
import yaml
from dagster import DagsterInstance
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.instance.ref import InstanceRef

from fraud_platform.defs.production import BucketLogs, PostgresHistory, WatchedRunLauncher
from fraud_platform.errors import PlatformError
from fraud_platform_tests.production.processes import DEPLOY, ROOT

LOCAL = yaml.safe_load((ROOT / "dagster.yaml").read_text())
PRODUCTION = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())


def test_dagster_takes_every_word_of_the_file():
    # Reads the file as Dagster does, without opening what it names.
    reference = InstanceRef.from_dir(str(DEPLOY))
    assert reference.storage_data.class_name == PostgresHistory.__name__
    assert reference.compute_logs_data.class_name == BucketLogs.__name__
    assert reference.run_launcher_data.class_name == WatchedRunLauncher.__name__
    assert reference.run_coordinator_data.class_name == "QueuedRunCoordinator"


def test_what_must_not_happen_twice_at_once_is_limited_as_on_one_machine():
    there, here = PRODUCTION["concurrency"], LOCAL["concurrency"]
    assert there["runs"]["tag_concurrency_limits"] == here["runs"]["tag_concurrency_limits"]
    assert there["pools"] == here["pools"]


def test_a_failed_check_never_runs_the_whole_job_again():
    assert PRODUCTION["run_retries"]["enabled"]
    assert PRODUCTION["run_retries"]["retry_on_asset_or_op_failure"] is False


def test_the_history_that_is_the_audit_trail_is_not_purged():
    assert set(PRODUCTION["retention"]) == {"sensor", "schedule"}


def test_the_ecs_option_is_one_that_dagster_takes():
    from dagster_aws.ecs import EcsRunLauncher

    option = yaml.safe_load((DEPLOY / "ecs_run_launcher.yaml").read_text())
    launcher = option["run_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_aws.ecs", "EcsRunLauncher")
    checked = process_config(resolve_to_config_type(EcsRunLauncher.config_type()), launcher["config"])
    assert checked.success, checked.errors
    whole = process_config(resolve_to_config_type(dagster_instance_config_schema()), {**PRODUCTION, **option})
    assert whole.success, whole.errors


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "FRAUD_POSTGRES_URL is not set"),
        (
            {"FRAUD_POSTGRES_URL": "postgresql://x@127.0.0.1:1/x", "FRAUD_POSTGRES_PASSWORD_FILE": "/nowhere/password"},
            "FRAUD_POSTGRES_PASSWORD_FILE=/nowhere/password cannot be read: No such file",
        ),
    ],
)
def test_an_instance_without_its_database_says_what_is_missing(monkeypatch, settings, missing):
    monkeypatch.setenv("DAGSTER_HOME", str(DEPLOY))
    for name, text in settings.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(PlatformError, match=missing):
        DagsterInstance.get()


def test_logs_need_a_bucket(monkeypatch, tmp_path):
    monkeypatch.setenv("FRAUD_STORAGE", str(tmp_path))
    with pytest.raises(PlatformError, match=f"FRAUD_STORAGE={tmp_path} is no s3:// prefix"):
        BucketLogs.from_config_value(None, {})


@pytest.mark.parametrize(
    ("storage", "prefix"), [("s3://bank", "compute_logs"), ("s3://bank/a/storage/", "a/storage/compute_logs")]
)
def test_logs_lie_beside_the_assets(monkeypatch, storage, prefix):
    monkeypatch.setenv("FRAUD_STORAGE", storage)
    logs = BucketLogs.from_config_value(None, {})
    assert (logs._s3_bucket, logs._s3_prefix) == ("bank", prefix)


@pytest.mark.parametrize(
    ("told", "used"),
    [
        # The driver that is installed is named, whatever SQLAlchemy would take by itself.
        ("postgresql://x@db/x", "postgresql+psycopg2://x@db/x"),
        ("postgres://x@db/x", "postgresql+psycopg2://x@db/x"),
        # Whoever names one is heard.
        ("postgresql+psycopg://x@db/x", "postgresql+psycopg://x@db/x"),
        ("", ""),
    ],
)
def test_a_database_is_reached_with_the_driver_that_is_installed(monkeypatch, told, used):
    from fraud_platform.settings import load_settings

    monkeypatch.setenv("FRAUD_POSTGRES_URL", told)
    assert load_settings().history_url == used
