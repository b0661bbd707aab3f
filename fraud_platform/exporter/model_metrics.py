"""The metrics of the model: how far the world has moved from what it learned, how right it was, who it is.

What the figures are belongs to `monitoring`. Labels are names of features, windows and stages, all of them few.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from fraud_platform.exporter.families import gauge, gauges
from fraud_platform.exporter.snapshot import Snapshot
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.monitoring.report import SCORE_COLUMN
from fraud_platform.monitoring.stored_figures import SCORES, DriftFigures, best_f1_of_last_days
from fraud_platform.registry.registry import STAGES, ModelVersion

_KNOWN = (*FEATURE_NAMES, SCORE_COLUMN)


def model_metrics(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    """Every metric of the model."""
    if snapshot.drift:
        yield from _drift(snapshot.drift)
    yield from _performance(snapshot)
    yield from _registry(snapshot.versions, snapshot.champion, now)


def _drift(drift: DriftFigures) -> Iterator[Metric]:
    # A report of other features than these would bring series of its own.
    shifts = {name: shift for name, shift in drift.shifts.items() if name in _KNOWN}
    for name, meaning, figure in (
        ("psi", "Population stability index of the last days against training.", "psi"),
        ("mean_shift_sigmas", "By how many of training's standard deviations the mean has moved.", "mean_sigmas"),
        ("std_shift_sigmas", "By how many of them the standard deviation itself has changed.", "std_sigmas"),
    ):
        values = {feature: getattr(shift, figure) for feature, shift in shifts.items()}
        yield gauges(f"fraud_feature_{name}", meaning, "feature", values)
    yield gauge(
        "fraud_features_out_of_range",
        "Features with a value beyond the smallest or largest of training.",
        sum(shift.is_out_of_range for name, shift in shifts.items() if name != SCORE_COLUMN),
    )
    yield gauge("fraud_features_drifted", "Features that count as drifted.", drift.drifted_count)
    yield gauge("fraud_drift_detected", "1 where the newest day counts as drifted.", drift.is_drifted)


def _performance(snapshot: Snapshot) -> Iterator[Metric]:
    judged, newest = snapshot.judged, snapshot.performance
    for kind, about, meaning in (
        ("realised", judged and judged.realised, "of the newest day with mature labels, and of the week up to it."),
        ("estimated", newest and newest.estimated, "of the newest day and its week, as the probabilities promise it."),
    ):
        for name in SCORES:
            values = {window: scores.get(name) for window, scores in (about or {}).items()}
            yield gauges(f"fraud_{kind}_{name}", f"{_word(name)} {meaning}", "window", values)
    if judged:
        yield gauges(
            "fraud_confusion_rows", "Decisions of that week, by how they turned out.", "outcome", judged.confusion
        )
        yield gauge(
            "fraud_labelled_ratio", "Share of that week's decisions whose label is known.", judged.labelled_share
        )
    if history := snapshot.history:
        yield gauge(
            "fraud_realised_f1_week_best",
            "The best F1 of the last seven days with mature labels: each of them was this or worse.",
            best_f1_of_last_days(history.judged),
        )


def _registry(versions: tuple[ModelVersion, ...], champion: ModelVersion | None, now: datetime) -> Iterator[Metric]:
    stages = Counter(version.stage for version in versions)
    yield gauges(
        "fraud_registered_models", "Registered models by stage.", "stage", {stage: stages[stage] for stage in STAGES}
    )
    about = GaugeMetricFamily(
        "fraud_model_info", "1, with who decides now.", labels=["version", "semver", "algorithm", "origin"]
    )
    if champion:
        about.add_metric([champion.version, champion.semver, champion.algorithm, champion.origin], 1)
    yield about
    learned_until = datetime.combine(champion.as_of + timedelta(days=1), time(), UTC) if champion else None
    yield gauge(
        "fraud_model_age_seconds",
        "How long ago the last day ended that the champion has learned from.",
        (now - learned_until).total_seconds() if learned_until else None,
    )


def _word(score: str) -> str:
    return "F1" if score == "f1" else score.replace("_", " ").capitalize()
