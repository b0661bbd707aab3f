"""One day with the platform's own library calls and nothing around them: what the daily job does, without Dagster.

Tables are handed on in memory; each is validated against its contract and stored, as the job does.
"""

from datetime import UTC, date, datetime, timedelta

from fraud_platform.day_store import DayStore
from fraud_platform.features.engineering import build_features
from fraud_platform.features.profile import profile_table
from fraud_platform.features.schema import FEATURE_NAMES, features_schema
from fraud_platform.ingestion.gate import require_sound_day
from fraud_platform.ingestion.label_figures import label_figures
from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.ingestion.labels import labels_of_day
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import confirmed_labels_schema, raw_transactions_schema
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform.monitoring.limits import DriftLimits
from fraud_platform.monitoring.outcome import ROLLING_DAYS, LabelRules, outcome_of_day
from fraud_platform.monitoring.report import drift_report, drift_table_markdown, plot_drift
from fraud_platform.monitoring.window import feature_profiles, score_profiles
from fraud_platform.registry.champion import model_for_day
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.scoring.review_queue import review_queue, review_queue_schema
from fraud_platform.scoring.schema import daily_predictions_schema
from fraud_platform.scoring.scorer import profile_scores, score_day
from fraud_platform.settings import Settings


def process_day(settings: Settings, day: date, storage_url: str) -> None:
    """Landing to drift report and realised performance of `day`, stored below `storage_url`."""
    landing, store = LandingZone.at(settings.landing_url), DayStore.at(storage_url)
    registry = MlflowRegistry(
        settings.tracking_url, artifact_url=settings.artifact_url, cache=settings.home / "bundles"
    )

    ingested = ingest_day(landing, day)
    raw, raw_footer = ingested.transactions, ingested.summary.as_metadata()
    store.write_table("quarantine", day, ingested.quarantine)
    store.write_table("raw_transactions", day, raw, raw_footer)
    raw_transactions_schema().validate(raw, lazy=True, inplace=True)
    require_sound_day(raw_footer, max_share=settings.max_quarantine_share)

    arrived = labels_of_day(landing, day, {day: raw})
    labels, facts = arrived.labels, LabelFacts.of_table(arrived.labels, arrived.count_by_transaction_day)
    label_figures(arrived)
    store.write_table("label_quarantine", day, arrived.quarantine, facts.as_text())
    store.write_table("confirmed_labels", day, labels, facts.as_text())
    confirmed_labels_schema().validate(labels, lazy=True, inplace=True)

    features = build_features(raw)
    footer = {name: raw_footer[name] for name in ("data_version", "origin")}
    footer["profile"] = profile_table(features, FEATURE_NAMES).to_text()
    store.write_table("features", day, features, footer)
    features_schema().validate(features, lazy=True, inplace=True)

    version = model_for_day(registry, day).version
    bundle = registry.load(version)
    predictions = score_day(
        features, bundle, version.version, scored_at=datetime.now(UTC), reason_count=settings.reasons_per_alert
    )
    scored_footer = {"profile": profile_scores(predictions).to_text(), "model_version": version.version}
    store.write_table("daily_predictions", day, predictions, scored_footer)
    daily_predictions_schema().validate(predictions, lazy=True, inplace=True)

    queue = review_queue(predictions, day, sample_size=settings.review_sample_size, seed=settings.seed)
    store.write_table("review_queue", day, queue)
    review_queue_schema().validate(queue, lazy=True, inplace=True)

    stored = _stored("features", store, day - timedelta(days=settings.drift_window_days - 1), day)
    report = drift_report(
        day=day,
        model_version=version.version,
        reference=bundle.baseline,
        analysis_by_day=feature_profiles({each: store.read_table_metadata("features", each) for each in stored}),
        score_analysis_by_day=score_profiles(
            {each: store.read_table_metadata("daily_predictions", each) for each in stored}, version.version
        ),
        limits=DriftLimits(psi=settings.drift_psi_limit, feature_count=settings.drift_feature_limit),
        origin=raw_footer["origin"],
    )
    plot_drift(report)
    drift_table_markdown(report)
    store.write_json("drift_report", day, report)

    first = day - timedelta(days=ROLLING_DAYS - 1)
    decided = {
        each: store.read_table("daily_predictions", each, ["transaction_id", "fraud_probability", "prediction"])
        for each in _stored("daily_predictions", store, first, day)
        if each != day
    }
    label_days = _stored("confirmed_labels", store, first, day + timedelta(days=settings.label_horizon_days))
    known = {
        each: store.read_table("confirmed_labels", each, ["transaction_id", "Class"])
        for each in label_days
        if each != day
    }
    outcome = outcome_of_day(
        day,
        {**decided, day: predictions},
        {**known, day: labels},
        {each: LabelFacts.of_text(store.read_table_metadata("confirmed_labels", each)) for each in label_days},
        rules=LabelRules(
            delay_days=settings.label_delay_days,
            unlabelled_is_legitimate=settings.unlabelled_is_legitimate,
        ),
        seed=settings.seed,
    )
    store.write_json("realised_performance", day, outcome.as_dict())


def _stored(asset: str, store: DayStore, first: date, last: date) -> list[date]:
    return [day for day in store.days(asset, "parquet") if first <= day <= last]
