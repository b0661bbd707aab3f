"""What is watched of the stored reports: how far each feature has moved, and what became of the decisions.

Making the reports belongs to `report` and `outcome`; when a figure is alarming belongs to whoever is told.
"""

from collections.abc import Iterable, Mapping
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
class DriftFigures:
    """What is watched of one drift report.

    Attributes:
        day: the last day of its window.
        shifts: of every feature, and of the score under its own name.
        drifted_count: features that count as drifted.
        is_drifted: the verdict.
    """

    day: date
    shifts: Mapping[str, FeatureShift]
    drifted_count: int
    is_drifted: bool


@dataclass(frozen=True)
class OutcomeFigures:
    """What is watched of one report on performance: of its day (`day`) and of the week that ends with it (`week`).

    Attributes:
        realised: scores by window; empty where labels say nothing yet.
        estimated: the same as the probabilities promise it.
        confusion: decisions of the week, by how they turned out.
        labelled_share: share of the week's decisions whose label is known.
    """

    realised: Mapping[str, Mapping[str, float]]
    estimated: Mapping[str, Mapping[str, float]]
    confusion: Mapping[str, float]
    labelled_share: float


@dataclass(frozen=True)
class JudgedDay:
    """A day whose labels are mature and say something: its scores, None where one has no value."""

    day: date
    scores: Mapping[str, float | None]


def drift_figures(report: Mapping[str, Any]) -> DriftFigures:
    """The figures of a drift report as it is stored."""
    rows = [*report["features"], *([report["score"]] if report["score"] else [])]
    return DriftFigures(
        day=date.fromisoformat(report["day"]),
        shifts={row["feature"]: _feature_shift(row) for row in rows},
        drifted_count=len(report["verdict"]["drifted_features"]),
        is_drifted=bool(report["verdict"]["is_drifted"]),
    )


def _feature_shift(row: Mapping[str, Any]) -> FeatureShift:
    before, now = row["reference_std"], row["analysis_std"]
    moved = row["mean_shift_sigma"]
    return FeatureShift(
        psi=float(row["psi"]),
        mean_sigmas=None if moved is None else float(moved),
        std_sigmas=(now - before) / before if before else None,
        is_out_of_range=row["analysis_min"] < row["reference_min"] or row["analysis_max"] > row["reference_max"],
    )


def best_f1_of_last_days(judged: Mapping[date, JudgedDay]) -> float | None:
    """The best F1 among the last `BEST_OF_DAYS` judged days; None before there are so many.

    Below a limit, it says that each of these days was.
    """
    values = [score for day in sorted(judged) if (score := judged[day].scores.get("f1")) is not None]
    return max(values[-BEST_OF_DAYS:]) if len(values) >= BEST_OF_DAYS else None


def outcome_figures(outcome: Mapping[str, Any]) -> OutcomeFigures:
    """The figures of a report on performance as it is stored."""
    week = outcome["rolling"]
    return OutcomeFigures(
        realised={"day": _applicable(outcome["realised"], SCORES), "week": _applicable(week["realised"], SCORES)},
        estimated={"day": _applicable(outcome["estimated"], SCORES), "week": _applicable(week["estimated"], SCORES)},
        confusion=_applicable(week["realised"], COUNTS),
        labelled_share=float(week["realised"]["labelled_share"]),
    )


def _applicable(performance: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Those of the figures that have a value; none where the question has no answer yet."""
    if performance["status"] != "applicable":
        return {}
    return {name: float(performance[name]) for name in names if performance[name] is not None}
