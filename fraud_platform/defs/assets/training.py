"""A model as of a day: who learns from what, what came out, and whether it holds."""

import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from fraud_platform.defs.assets.splits import GROUP, WINDOW
from fraud_platform.defs.daily_asset import ONE_RUN_PER_DAY, DayMap, Input, daily_asset
from fraud_platform.defs.jobs import CAUSE_TAG
from fraud_platform.defs.metadata import image
from fraud_platform.defs.recording import record_retraining
from fraud_platform.defs.resources import ExperimentTracking, Platform
from fraud_platform.governance.pan_guard import mask_card_numbers

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle


@daily_asset(
    inputs={"splits": Input(), "features": Input(days_back=WINDOW)},
    resources=("platform", "tracking"),
    backfill_policy=ONE_RUN_PER_DAY,
    group_name=GROUP,
    kinds={"xgboost", "lightgbm", "scikitlearn", "mlflow"},
    io_manager_key="bundles",
    pool="training",
)
def trained_model(
    day: date,
    context: dg.AssetExecutionContext,
    splits: pd.DataFrame,
    features: DayMap,
    platform: Platform,
    tracking: ExperimentTracking,
) -> dg.Output:
    """The best model that can be made as of this day, as one sealed bundle.

    **Why it exists.** Everything a decision depends on travels together: estimator, calibration, threshold, the
    distribution it learned from and where it came from. Nothing in a bundle is ever unpickled, and its digest changes
    with any byte.

    **What it does.** Searches each candidate family (logistic regression, random forest, XGBoost, LightGBM) with Optuna
    on the training split. Compares the best of them, and an ensemble of the boosted ones, by what they say of training
    and validation rows they were not fitted on; of equals the simpler wins. On the same answers it chooses the
    calibration and a threshold for every policy, then fits the winner to all of these rows. Every trial is tracked in
    MLflow. The test split is not read.
    """
    from fraud_platform.registry.mlflow_tracker import TrainingFacts
    from fraud_platform.registry.provenance import code_provenance
    from fraud_platform.registry.tables import candidates_markdown, evaluation_markdown, thresholds_markdown
    from fraud_platform.training.candidates import select_candidates
    from fraud_platform.training.dataset import assemble
    from fraud_platform.training.splitting import development_share
    from fraud_platform.training.training import DecisionRules, train
    from fraud_platform.training.tuning import SearchBudget
    from fraud_platform.training.window import baseline_profile, window_data_version, window_origin

    settings = platform.settings
    footers = platform.footers("features", features)
    data_version, origin = window_data_version(footers, splits), window_origin(footers)
    with tracking.run(context) as tracker:
        began = time.monotonic()
        result = train(
            assemble(features, splits, "train", production_fraud_rate=settings.production_fraud_rate),
            assemble(features, splits, "validation", production_fraud_rate=settings.production_fraud_rate),
            candidates=select_candidates(settings.candidates),
            rules=DecisionRules(
                policy=settings.threshold_policy,
                min_precision=settings.min_precision,
                review_cost=settings.review_cost,
                reviews_per_day=settings.reviews_per_day,
                development_share=development_share(splits),
            ),
            known_points=platform.known_points(day),
            budget=SearchBudget(trials=settings.search_trials, seconds=settings.search_seconds),
            seed=settings.seed,
            baseline=baseline_profile(footers, splits, last_days=settings.drift_baseline_days),
            data_version=data_version,
            as_of=day,
            origin=origin,
            on_progress=context.log.info,
        )
        facts = TrainingFacts(
            as_of=day,
            data_version=data_version,
            seed=settings.seed,
            origin=origin,
            cause=mask_card_numbers(context.run.tags.get(CAUSE_TAG, "by hand")),
            code=code_provenance(platform.project_root),
            training_duration_seconds=time.monotonic() - began,
        )
        tracker.log_training(result, facts)
    return dg.Output(
        result.bundle,
        metadata={
            "algorithm": result.bundle.algorithm,
            "bundle_sha256": result.bundle.digest,
            "candidates": dg.MetadataValue.md(candidates_markdown(result.bundle.provenance["candidates"])),
            "threshold": result.bundle.threshold.value,
            "threshold_policy": result.bundle.threshold.policy,
            "threshold_policies": dg.MetadataValue.md(thresholds_markdown(result.bundle)),
            "out_of_fold": dg.MetadataValue.md(evaluation_markdown(result.out_of_fold)),
            "forward_in_time": dg.MetadataValue.md(
                evaluation_markdown(result.forward) if result.forward else "not applicable: too few days or frauds"
            ),
            "calibration": result.bundle.calibration.kind,
            "data_version": data_version,
            "data_origin": origin,
            "seed": settings.seed,
            "training_seconds": facts.training_duration_seconds,
            "audit_head": record_retraining(platform, context.run.run_id, result.bundle, facts),
            "git_commit": facts.code.git_commit or "unknown",
            "uv_lock_sha256": facts.code.uv_lock_sha256 or "unknown",
            "mlflow_run_id": tracker.run_id,
        },
    )


@daily_asset(
    inputs={"trained_model": Input(), "splits": Input(), "features": Input(days_back=WINDOW)},
    resources=("platform", "tracking"),
    backfill_policy=ONE_RUN_PER_DAY,
    group_name=GROUP,
    kinds={"json", "mlflow"},
    io_manager_key="documents",
)
def validation_metrics(
    day: date,
    context: dg.AssetExecutionContext,
    trained_model: "ModelBundle",
    splits: pd.DataFrame,
    features: DayMap,
    platform: Platform,
    tracking: ExperimentTracking,
) -> dg.Output:
    """What the model reaches on rows that had no part in making it, with intervals, and whether that is enough.

    **Why it exists.** This is the only place that reads the test split, and every reading is recorded
    (`test_readings`): a test split that is looked at again and again becomes a validation split.

    **What it does.** Evaluates the candidate, and the champion on the same rows; bootstraps every figure; holds them
    against the acceptance gates. A failed gate fails the check `acceptance_gates`, and `model_release` refuses.
    """
    from fraud_platform.registry.pictures import validation_pictures
    from fraud_platform.registry.tables import evaluation_markdown
    from fraud_platform.registry.validation import TestReading, validate, validation_document
    from fraud_platform.training.dataset import assemble

    settings = platform.settings
    reading = TestReading(at=datetime.now(UTC), run_id=context.run.run_id, bundle_sha256=trained_model.digest)
    readings = platform.record_test_reading(day, reading.as_dict())
    test = assemble(features, splits, "test", production_fraud_rate=settings.production_fraud_rate)
    validation = validate(
        trained_model,
        test,
        gates=platform.policy,
        champion=platform.champion_beside(trained_model.digest),
        seed=settings.seed,
        legitimate_weight=test.legitimate_weight,
        review_cost=settings.review_cost,
    )
    document = validation_document(validation, trained_model, readings=readings)
    plots = validation_pictures(trained_model, test, validation, seed=settings.seed)
    with tracking.run(context) as tracker:
        tracker.log_evaluation(validation.evaluation, "test")
        tracker.log_plots(plots)
        tracker.log_document("validation_metrics", document)
        tracker.set_tags({"test_split_read_at": reading.at.isoformat(), "accepted": str(validation.is_accepted)})
    evaluation = validation.evaluation
    return dg.Output(
        document,
        metadata={
            "verdict": validation.sentence,
            "test_average_precision": evaluation.average_precision.value,
            "test_f1": evaluation.f1.value,
            "test_precision": evaluation.precision.value,
            "test_recall": evaluation.recall.value,
            "metrics": dg.MetadataValue.md(evaluation_markdown(validation.evaluation, validation.slices)),
            "test_readings": len(document["test_readings"]),
            "bundle_sha256": trained_model.digest,
            "mlflow_run_id": tracker.run_id,
            **{name: image(png, name.replace("_", " ")) for name, png in plots.items()},
        },
    )
