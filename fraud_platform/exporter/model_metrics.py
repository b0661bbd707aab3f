"""The metrics of the model: how far the world has moved from what it learned, how right it was, who it is.

What the figures are belongs to `monitoring`. Labels are names of features, windows and stages, all of them few.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from fraud_platform.exporter.families import gauge, gauges
from fraud_platform.exporter.snapshot import Snapshot
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.monitoring.report import SCORE_COLUMN
from fraud_platform.monitoring.stored_figures import (
    COUNTS,
    SCORES,
    applicable_scores,
    best_f1_of_last_days,
    confusion_counts_of,
    feature_shifts,
)
from fraud_platform.registry.registry import STAGES, ModelVersion

_KNOWN = (*FEATURE_NAMES, SCORE_COLUMN)


def model_metrics(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    """Every metric of the model."""
    if snapshot.drift:
        yield from _drift(snapshot.drift)
    yield from _performance(snapshot)
    yield from _registry(snapshot.versions, snapshot.champion, now)


def _drift(report: Mapping[str, Any]) -> Iterator[Metric]:
    # A report of other features than these would bring series of its own.
    shifts = {name: shift for name, shift in feature_shifts(report).items() if name in _KNOWN}
    yield gauges(
        "fraud_feature_psi",
        "Population stability index of the last days against training.",
        "feature",
        {name: shift.psi for name, shift in shifts.items()},
    )
    yield gauges(
        "fraud_feature_mean_shift_sigmas",
        "By how many of training's standard deviations the mean has moved.",
        "feature",
        {name: shift.mean_sigmas for name, shift in shifts.items()},
    )
    yield gauges(
        "fraud_feature_std_shift_sigmas",
        "By how many of training's standard deviations the standard deviation has changed.",
        "feature",
        {name: shift.std_sigmas for name, shift in shifts.items()},
    )
    yield gauge(
        "fraud_features_out_of_range",
        "Features with a value beyond the smallest or largest of training.",
        sum(shift.is_out_of_range for name, shift in shifts.items() if name != SCORE_COLUMN),
    )
    yield gauge("fraud_features_drifted", "Features that count as drifted.", len(report["verdict"]["drifted_features"]))
    yield gauge("fraud_drift_detected", "1 where the newest day counts as drifted.", report["verdict"]["is_drifted"])


def _performance(snapshot: Snapshot) -> Iterator[Metric]:
    judged, newest = snapshot.judged, snapshot.performance
    realised = {"day": judged["realised"], "week": judged["rolling"]["realised"]} if judged else {}
    estimated = {"day": newest["estimated"], "week": newest["rolling"]["estimated"]} if newest else {}
    for kind, about, meaning in (
        ("realised", realised, "of the newest day with mature labels, and of the week that ends with it."),
        ("estimated", estimated, "of the newest day and its week, as the calibrated probabilities promise it."),
    ):
        scores = {window: applicable_scores(performance) for window, performance in about.items()}
        for name in SCORES:
            values = {window: scores[window].get(name) for window in scores}
            yield gauges(f"fraud_{kind}_{name}", f"{_word(name)} {meaning}", "window", values)
    week = confusion_counts_of(realised["week"]) if realised else {}
    yield gauges(
        "fraud_confusion_rows",
        "Decisions of that week, by how they turned out.",
        "outcome",
        {name: week.get(name) for name in COUNTS},
    )
    yield gauge(
        "fraud_labelled_ratio",
        "Share of that week's decisions whose label is known.",
        realised["week"]["labelled_share"] if realised else None,
    )
    history = snapshot.history
    yield gauge(
        "fraud_realised_f1_week_best",
        "The best F1 of the last seven days with mature labels: each of them was this or worse.",
        best_f1_of_last_days(history.judged) if history else None,
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
