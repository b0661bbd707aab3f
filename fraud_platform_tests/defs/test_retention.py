"""The job `retention` removes what is too old, tells the audit trail and Dagster, and can be rehearsed."""

from datetime import date

import dagster as dg
import pytest

from fraud_platform.definitions import defs
from fraud_platform.defs.checks import SCHEMAS
from fraud_platform.defs.erasing import TABLES
from fraud_platform.defs.jobs import DAILY_ASSETS, RETRAINING_ASSETS
from fraud_platform.defs.retention import rules_of
from fraud_platform.settings import load_settings
from fraud_platform_tests.platform_home import PlatformHome, open_home

OLD = date(2015, 3, 1)


@pytest.fixture
def old_home(tmp_path):
    """A home that holds a day of eleven years ago."""
    with open_home(tmp_path / "home") as home:
        for asset in ("drift_report", "realised_performance"):
            home.store.write_json(asset, OLD, {})
        home.store.write_bytes("features", OLD, "parquet", b"x")
        home.store.write_json("drift_report", home.settings.start_date, {})
        yield home


def run(home: PlatformHome, **config: bool) -> dg.ExecuteInProcessResult:
    return home.definitions.resolve_job_def("retention").execute_in_process(
        instance=home.instance, run_config={"ops": {"apply_retention": {"config": config}}}
    )


def test_every_stored_asset_has_a_period():
    ruled = {rule.asset for rule in rules_of(load_settings())}
    beside = {"quarantine", "label_quarantine", "test_readings", "model_card", "model_card_page"}
    assert ruled == {*DAILY_ASSETS, *RETRAINING_ASSETS, *beside}


def test_every_table_that_names_transactions_is_reached_by_erasure():
    assert {asset for asset, schema in SCHEMAS.items() if "transaction_id" in schema().columns} == set(TABLES)


def test_a_rehearsal_tells_and_removes_nothing(old_home):
    result = run(old_home, is_rehearsal=True)
    assert result.output_for_node("apply_retention") == {"features": 1, "drift_report": 1, "realised_performance": 1}
    assert old_home.store.days("drift_report", "json")[0] == OLD
    assert old_home.platform.audit.head() is None


def test_what_is_too_old_goes_and_is_written_down(old_home):
    result = run(old_home)
    assert old_home.store.days("drift_report", "json") == [old_home.settings.start_date]
    assert not old_home.store.exists("features", OLD, "parquet")
    (entry,) = old_home.platform.audit.entries()
    assert (entry.event, entry.subject) == ("retention", "storage")
    assert entry.details["files"] == {"features": 1, "drift_report": 1, "realised_performance": 1}
    assert entry.details["run_id"] == result.run_id
    (seen,) = old_home.instance.fetch_observations(dg.AssetKey("features"), limit=10).records
    observation = seen.asset_observation
    assert (observation.partition, observation.metadata["removed_by"].value) == (
        OLD.isoformat(),
        "FRAUD_RETENTION_FEATURES_DAYS",
    )
    assert run(old_home).output_for_node("apply_retention") == {}
    assert len(list(old_home.platform.audit.entries())) == 1


def test_the_schedule_is_off_until_somebody_agrees():
    schedule = defs.get_repository_def().get_schedule_def("retention_schedule")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
