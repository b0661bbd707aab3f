"""Candidates and figures as Markdown tables, for the pages where people compare models.

Computing figures does not belong here.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.slices import Slice

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# Average precision first: where frauds are rare, the area under the ROC curve hardly tells models apart.
FIGURES = (
    "average_precision",
    "f1",
    "precision",
    "recall",
    "precision_at_k",
    "recall_at_1_percent_false_positives",
    "fraud_amount_share_alerted",
    "cost_per_transaction",
    "expected_calibration_error",
    "roc_auc",
    "brier",
)

SMALL = 0.001


def candidates_markdown(candidates: Sequence[Mapping[str, Any]]) -> str:
    """One row per contender: its average precision in each stage, and the parameters found."""
    header = "| candidate | average precision: inner folds | out of fold | validation | fitted rows | parameters |"
    shown = ("cv", "out_of_fold", "validation", "train")
    rows = [
        f"| {row['name']} | {' | '.join(_number(row[f'{figure}_average_precision']) for figure in shown)} "
        f"| {', '.join(f'{name}={_setting(setting)}' for name, setting in sorted(row['params'].items()))} |"
        for row in candidates
    ]
    return "\n".join([header, "|---|--:|--:|--:|--:|---|", *rows])


def thresholds_markdown(bundle: "ModelBundle") -> str:
    """One row per threshold policy, the one in force first, with what it gave on rows the models had not seen."""
    shown = ("precision", "recall", "f1", "alert_share", "fraud_amount_share", "cost_per_transaction")
    rows = [
        f"| {threshold.policy.replace('_', ' ')} | {_number(threshold.value)} "
        f"| {' | '.join(_number(threshold.expected.get(name)) for name in shown)} |"
        for threshold in (bundle.threshold, *bundle.alternatives)
    ]
    header = f"| policy | threshold | {' | '.join(name.replace('_', ' ') for name in shown)} |"
    return "\n".join([header, f"|---|{'--:|' * (len(shown) + 1)}", *rows])


def evaluation_markdown(evaluation: Evaluation, slices: Sequence[Slice] = ()) -> str:
    """One row per figure with its bounds, the confusion counts, then one row per slice."""
    rows = [f"| {name.replace('_', ' ')} | {_interval(getattr(evaluation, name))} |" for name in FIGURES]
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in evaluation.confusion.items())
    return "\n".join(
        [
            f"{evaluation.rows_in_words}; intervals at {evaluation.confidence:.0%}. "
            f"A missed fraud costs its amount, an alert {evaluation.review_cost:g}.",
            "",
            "| figure | value |",
            "|---|---|",
            *rows,
            "",
            counts,
            *(["", slices_markdown(slices)] if slices else []),
        ]
    )


def slices_markdown(slices: Sequence[Slice]) -> str:
    """One row per slice: counts of rows, then shares with their bounds, where there are frauds enough."""
    header = "| slice | rows | frauds | alerts | caught | recall | precision | alert rate |"
    rows = [
        f"| {each.name} | {each.row_count:,} | {each.fraud_count:,} | {each.alert_count:,} | {each.caught_count:,} "
        f"| {_share(each, each.recall)} | {_share(each, each.precision)} | {_interval(each.alert_rate)} |"
        for each in slices
    ]
    return "\n".join([header, "|---|--:|--:|--:|--:|---|---|---|", *rows])


def _share(of: Slice, share: Interval) -> str:
    return _interval(share) if of.is_applicable else "not applicable"


def _interval(interval: Interval) -> str:
    return f"{_number(interval.value)} ({_number(interval.low)} to {_number(interval.high)})"


def _number(figure: float | None) -> str:
    if figure is None or not math.isfinite(figure):
        return "n/a"
    # A Brier score of rare frauds begins in the fourth decimal.
    return f"{figure:.3f}" if abs(figure) >= SMALL or not figure else f"{figure:.1e}"


def _setting(setting: Any) -> str:
    return f"{setting:.4g}" if isinstance(setting, float) else str(setting)
