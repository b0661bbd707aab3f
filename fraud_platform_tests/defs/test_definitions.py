"""The graph as its users meet it: names they rely on, and what every asset and check must bring along."""

import dagster as dg
import pytest

from fraud_platform.definitions import defs
from fraud_platform.defs.assets.release import model_release
from fraud_platform.defs.assets.splits import splits
from fraud_platform.defs.assets.training import trained_model, validation_metrics
from fraud_platform.defs.daily_asset import ONE_RUN_PER_DAY, ONE_RUN_PER_RANGE
from fraud_platform.defs.partitions import DAYS

GRAPH = defs.resolve_asset_graph()

# Each asset and what it is made from.
ASSETS = {
    "raw_transactions": set(),
    "confirmed_labels": {"raw_transactions"},
    "features": {"raw_transactions"},
    "daily_predictions": {"features"},
    "review_queue": {"daily_predictions"},
    "drift_report": {"features", "daily_predictions"},
    "realised_performance": {"daily_predictions", "confirmed_labels"},
    "shadow_report": {"daily_predictions", "confirmed_labels"},
    "splits": {"features", "confirmed_labels"},
    "trained_model": {"splits", "features"},
    "validation_metrics": {"trained_model", "splits", "features"},
    "model_release": {"trained_model", "validation_metrics"},
}
DAILY = {
    "raw_transactions",
    "confirmed_labels",
    "features",
    "daily_predictions",
    "review_queue",
    "drift_report",
    "realised_performance",
    "shadow_report",
}
RETRAINING = {"splits", "trained_model", "validation_metrics", "model_release"}

# Blocking or not: contracts and the ingestion gate block, model gates and drift limits inform.
CHECKS = {
    "raw_transactions:schema": True,
    "raw_transactions:quarantine_share": True,
    "confirmed_labels:schema": True,
    "confirmed_labels:labels_stand": False,
    "features:schema": True,
    "splits:schema": True,
    "daily_predictions:schema": True,
    "review_queue:schema": True,
    "validation_metrics:acceptance_gates": False,
    "drift_report:drift_limits": False,
}


def node(asset: str):
    return GRAPH.get(dg.AssetKey(asset))


def test_these_are_the_assets_and_what_they_are_made_from():
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in GRAPH.get(key).parent_keys}
        for key in GRAPH.get_all_asset_keys()
    }
    assert found == ASSETS


def test_these_are_the_checks_and_which_of_them_block():
    found = {
        f"{key.asset_key.to_user_string()}:{key.name}": GRAPH.get_check_spec(key).blocking
        for key in GRAPH.asset_check_keys
    }
    assert found == CHECKS


def test_these_are_the_jobs_clocks_and_sensors():
    repository = defs.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        "daily",
        "retraining",
        "promote_model",
        "retention",
        "roll_back_model",
        "settle_shadow",
    }
    assert {schedule.name: schedule.job_name for schedule in repository.schedule_defs} == {
        "daily_schedule": "daily",
        "monthly_retraining_schedule": "retraining",
        "retention_schedule": "retention",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "landing_sensor",
        "late_labels_sensor",
        "retrain_on_drift_sensor",
        "retrain_on_performance_sensor",
        "shadow_sensor",
        "rollback_sensor",
        "run_failure_sensor",
        "notification_sensor",
    }
    # Nobody has to know of a sensor to be served by it.
    assert {sensor.default_status for sensor in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}


@pytest.mark.parametrize(("job", "assets"), [("daily", DAILY), ("retraining", RETRAINING)])
def test_a_job_covers_its_chain_and_the_checks_on_it(job, assets):
    layer = defs.resolve_job_def(job).asset_layer
    assert {key.to_user_string() for key in layer.selected_asset_keys} == assets
    checks = {f"{key.asset_key.to_user_string()}:{key.name}" for key in layer.asset_graph.asset_check_keys}
    assert checks == {name for name in CHECKS if name.partition(":")[0] in assets}


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_documents_itself(asset):
    description = node(asset).description
    assert len(description.splitlines()[0]) > 40
    assert "**Why it exists.**" in description
    assert "**What it does.**" in description


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_has_owner_group_kinds_and_the_calendar(asset):
    found = node(asset)
    assert found.owners == ["team:fraud-platform"]
    assert found.group_name in {"ingestion", "features", "training", "scoring", "monitoring"}
    assert found.kinds
    assert found.partitions_def == DAYS


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_is_tried_again_with_growing_jittered_pauses(asset):
    policy = defs.resolve_assets_def(asset).op.retry_policy
    assert (policy.max_retries, policy.delay) == (5, 2)
    assert (policy.backoff, policy.jitter) == (dg.Backoff.EXPONENTIAL, dg.Jitter.PLUS_MINUS)


@pytest.mark.parametrize("asset", ASSETS)
def test_data_are_backfilled_as_a_range_and_models_day_by_day(asset):
    assert node(asset).backfill_policy == (ONE_RUN_PER_DAY if asset in RETRAINING else ONE_RUN_PER_RANGE)


def test_what_must_not_happen_twice_at_once_has_a_pool():
    pools = {
        each.key.to_user_string(): each.op.pool for each in (splits, trained_model, validation_metrics, model_release)
    }
    assert pools == {
        "splits": None,
        "trained_model": "training",
        "validation_metrics": None,
        "model_release": "registry",
    }


def test_freshness_is_watched_where_a_delay_hurts():
    watched = {name for name in ASSETS if node(name).freshness_policy is not None}
    assert watched == {"raw_transactions", "daily_predictions", "model_release"}


@pytest.mark.parametrize("key", sorted(GRAPH.asset_check_keys, key=str), ids=lambda key: key.to_user_string())
def test_a_check_has_the_partitions_of_its_asset_and_says_what_it_holds(key):
    # Dagster accepts a check with another calendar than its asset's without a word.
    spec = GRAPH.get_check_spec(key)
    assert spec.partitions_def == GRAPH.get(key.asset_key).partitions_def
    assert len(spec.description) > 40


def test_the_calendar_ends_with_the_last_complete_day_in_utc():
    assert str(DAYS.timezone) == "UTC"
    assert DAYS.end_offset == 0


def test_what_is_asked_for_is_provided_and_nothing_else():
    dg.Definitions.validate_loadable(defs)
    askers = [*defs.assets, *defs.asset_checks, *defs.sensors]
    asked_for = {key for asker in askers for key in asker.required_resource_keys}
    # Dagster's own, for the checks' outputs: they have none.
    assert asked_for - {"io_manager"} == set(defs.resources)
