"""Promotion and rollback as Dagster jobs: what they do, what they leave in the event log, how they refuse."""

import shutil
from typing import Any

import dagster as dg

from fraud_platform.defs.history import cause_of_failure, latest_materialisation_metadata
from fraud_platform.defs.runs import QUIET
from fraud_platform.registry.shadow import begin_shadow
from fraud_platform_tests.platform_home import PlatformHome, day_number, register_twin


def run(home: PlatformHome, job: str, op: str, **config: Any) -> dg.ExecuteInProcessResult:
    return home.definitions.resolve_job_def(job).execute_in_process(
        instance=home.instance, run_config={"ops": {op: {"config": config}}, **QUIET}, raise_on_error=False
    )


def observed(home: PlatformHome) -> dict[str, Any]:
    """The newest observation of `model_release`."""
    (record,) = home.instance.fetch_observations(dg.AssetKey("model_release"), limit=1).records
    return {name: entry.value for name, entry in record.asset_observation.metadata.items()}


def test_a_promotion_and_a_rollback_are_seen_beside_the_releases(copied_home):
    registry = copied_home.platform.registry
    register_twin(registry)
    assert run(copied_home, "promote_model", "promotion", version="2", reason="better", approved_by="Ada").success
    assert registry.find("champion").version == "2"
    told = observed(copied_home)
    assert (told["champion"], told["replaced"], told["approved_by"]) == ("1.1.0", "1.0.0", "Ada")
    assert told["decides_from"] == day_number(5).isoformat()
    assert run(copied_home, "roll_back_model", "rollback", reason="worse").success
    assert registry.find("champion").version == "1"
    assert (observed(copied_home)["champion"], observed(copied_home)["reason"]) == ("1.0.0", "worse")
    # Every change stands in the audit trail, an approval on its own.
    entries = [(entry.event, entry.subject, entry.reason) for entry in copied_home.platform.audit.entries()]
    assert entries[-3:] == [
        ("approval", "model/1.1.0", "better"),
        ("promotion", "model/1.1.0", "better"),
        ("rollback", "model/1.0.0", "worse"),
    ]
    assert set(registry.notes("audit_head")) == {"1", "2"}


def test_a_refusal_is_one_line_and_is_not_tried_again(copied_home):
    result = run(copied_home, "roll_back_model", "rollback")
    assert not result.success
    assert "there is no previous model to return to" in (cause_of_failure(result.all_events) or "")
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_damaged_challenger_costs_no_decision(copied_home, trained_home):
    registry, day = copied_home.platform.registry, day_number(4)
    twin = register_twin(registry, as_of=day_number(3))
    begin_shadow(registry, twin, first_day=day, reason="a test")
    # MLflow keeps absolute paths: what the copy registers lies where the original does.
    (stored,) = (trained_home.settings.home / "mlflow-artifacts").rglob(f"{twin.run_id}/artifacts/model/*.zip")
    stored.write_bytes(b"damaged")
    copied_home.materialise(("daily_predictions",), day)
    decided = copied_home.store.read_table("daily_predictions", day)
    assert len(decided) == len(copied_home.store.read_table("features", day))
    assert decided["fraud_probability"].notna().all()
    assert decided["challenger_version"].isna().all()
    told = latest_materialisation_metadata(copied_home.instance, "daily_predictions", day)
    assert "somebody changed it" in told["challenger_problem"]


def test_answers_of_a_challenger_outlive_its_bundle(copied_home, trained_home):
    registry, day = copied_home.platform.registry, day_number(4)
    twin = register_twin(registry, as_of=day_number(3))
    begin_shadow(registry, twin, first_day=day, reason="a test")
    copied_home.materialise(("daily_predictions", "shadow_report"), day)
    before = {asset: copied_home.stored_bytes([asset]) for asset in ("daily_predictions", "shadow_report")}
    (stored,) = (trained_home.settings.home / "mlflow-artifacts").rglob(f"{twin.run_id}/artifacts/model/*.zip")
    stored.write_bytes(b"damaged")
    shutil.rmtree(copied_home.settings.home / "bundles")
    copied_home.materialise(("daily_predictions", "shadow_report"), day)
    assert before == {asset: copied_home.stored_bytes([asset]) for asset in before}
    told = latest_materialisation_metadata(copied_home.instance, "daily_predictions", day)
    assert told["challenger_version"] == twin.version
    assert "the answers it gave before are kept" in told["challenger_problem"]
