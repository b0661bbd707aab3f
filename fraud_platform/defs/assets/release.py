"""What was decided about the model of a day, carried out and written down."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from fraud_platform.defs.assets.splits import GROUP
from fraud_platform.defs.daily_asset import ONE_RUN_PER_DAY, Input, daily_asset
from fraud_platform.defs.history import latest_materialisation_metadata
from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG
from fraud_platform.defs.metadata import pictures_in
from fraud_platform.defs.recording import record_release
from fraud_platform.defs.resources import Platform
from fraud_platform.governance.pan_guard import mask_card_numbers

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# Retraining is monthly; two missed months fail.
MODEL_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=62), warn_window=timedelta(days=35))


@daily_asset(
    inputs={"trained_model": Input(), "validation_metrics": Input()},
    backfill_policy=ONE_RUN_PER_DAY,
    group_name=GROUP,
    kinds={"mlflow", "json"},
    io_manager_key="documents",
    pool="registry",
    freshness_policy=MODEL_FRESHNESS,
)
def model_release(
    day: date,
    context: dg.AssetExecutionContext,
    trained_model: "ModelBundle",
    validation_metrics: Mapping[str, Any],
    platform: Platform,
) -> dg.Output:
    """What the registry did with the candidate, and why.

    **Why it exists.** Releasing a model is a decision, and decisions are written down: what was compared, which rule
    decided, and what asked for the training in the first place.

    **What it does.** Registers the bundle in MLflow. Reads the acceptance verdict again (a check only blocks inside one
    run), compares with the champion on the same rows, tries the stored bundle in a fresh process, and moves the alias
    `champion`; or begins a shadow (`FRAUD_SHADOW_DAYS`), waits for approval (`FRAUD_REQUIRE_APPROVAL`), or says why
    not.
    """
    from fraud_platform.registry.card_page import card_page
    from fraud_platform.registry.mlflow_tracker import MlflowTracker
    from fraud_platform.registry.releasing import release_candidate

    trained = latest_materialisation_metadata(context.instance, "trained_model", day)
    run_id = trained.get("mlflow_run_id")
    released = release_candidate(
        platform.registry,
        trained_model,
        validation_metrics,
        day=day,
        trigger=mask_card_numbers(context.run.tags.get(TRIGGER_TAG, "manual")),
        cause=mask_card_numbers(context.run.tags.get(CAUSE_TAG, "by hand")),
        policy=platform.policy,
        decided_at=datetime.now(UTC),
        run_id=run_id,
        trained=trained,
        first_day=platform.first_undecided_day(day),
    )
    pictures = pictures_in(latest_materialisation_metadata(context.instance, "validation_metrics", day))
    page = card_page(f"fraud_detector {released.version.semver}", released.model_card, pictures)
    # The command `card` adds what became of the model since.
    card = {"version": released.version.version, "markdown": released.model_card, "pictures": pictures}
    platform.store.write_json("model_card", day, card)
    platform.store.write_bytes("model_card_page", day, "html", page.encode())
    if run_id:
        tracker = MlflowTracker(platform.tracking_url, run_id=run_id)
        tracker.log_document("model_metadata", released.metadata)
        tracker.log_file("model_card.md", released.model_card.encode())
        tracker.log_file("model_card.html", page.encode())
    return dg.Output(
        released.as_dict(),
        metadata={
            "action": released.action,
            "reason": released.reason,
            "trigger": released.trigger,
            "cause": released.cause,
            "model_version": released.version.version,
            "model_semver": released.version.semver,
            "champion": released.champion,
            # Figures, so that the page plots them from model to model.
            "test_f1": validation_metrics["test"]["f1"]["value"],
            "test_average_precision": validation_metrics["test"]["average_precision"]["value"],
            "audit_head": record_release(platform, context.run.run_id, released),
            "policy_version": released.policy.version,
            "policy": dict(released.policy.as_dict()),
            "model_metadata": dict(released.metadata),
            "model_card": dg.MetadataValue.md(released.model_card),
        },
    )
