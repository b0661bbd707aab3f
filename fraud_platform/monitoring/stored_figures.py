"""What is watched of the stored reports: how far each feature has moved, and what became of the decisions.

Making the reports belongs to `report` and `outcome`; when a figure is alarming belongs to whoever is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

# After so many days in a row below a limit, a score is poor and not unlucky.
BEST_OF_DAYS = 7
SCORES = ("precision", "recall", "f1", "average_precision")
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


@dataclass(frozen=True)
class FeatureShift:
    """How far a feature of the last days is from what the model was trained on.

    Attributes:
        psi: population stability index.
        mean_sigmas: by how many of the training's standard deviations the mean has moved; None for a constant.
        std_sigmas: the same of the standard deviation itself: 0 unchanged, 1 doubled; None for a constant.
        is_out_of_range: whether a value is beyond the smallest or largest of the training.
    """

    psi: float
    mean_sigmas: float | None
    std_sigmas: float | None
    is_out_of_range: bool


@dataclass(frozen=True)
class JudgedDay:
    """A day whose labels are mature and say something: its scores, None where one has no value."""

    day: date
    scores: Mapping[str, float | None]


def feature_shifts(report: Mapping[str, Any]) -> dict[str, FeatureShift]:
    """The shift of every feature of a drift report, the score `fraud_probability` among them."""
    rows = [*report["features"], *([report["score"]] if report["score"] else [])]
    return {row["feature"]: _feature_shift(row) for row in rows}


def _feature_shift(row: Mapping[str, Any]) -> FeatureShift:
    before, now = row["reference_std"], row["analysis_std"]
    return FeatureShift(
        psi=row["psi"],
        mean_sigmas=row["mean_shift_sigma"],
        std_sigmas=(now - before) / before if before else None,
        is_out_of_range=row["analysis_min"] < row["reference_min"] or row["analysis_max"] > row["reference_max"],
    )


def best_f1_of_last_days(judged: Mapping[date, JudgedDay]) -> float | None:
    """The best F1 among the last `BEST_OF_DAYS` judged days; None before there are so many.

    Below a limit, it says that each of these days was.
    """
    values = [score for day in sorted(judged) if (score := judged[day].scores.get("f1")) is not None]
    return max(values[-BEST_OF_DAYS:]) if len(values) >= BEST_OF_DAYS else None


def applicable_scores(performance: Mapping[str, Any]) -> dict[str, float]:
    """The scores of one set of decisions, as `performance` stores them; empty where they do not apply yet."""
    if performance["status"] != "applicable":
        return {}
    return {name: performance[name] for name in SCORES if performance[name] is not None}


def confusion_counts_of(performance: Mapping[str, Any]) -> dict[str, float]:
    """Decisions by how they turned out; empty where nothing is known yet."""
    return {name: performance[name] for name in COUNTS} if performance["status"] == "applicable" else {}
