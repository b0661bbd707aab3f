"""Candidates and figures as Markdown tables, for the pages where people compare models.

Computing figures does not belong here.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fraud_platform.training.evaluation import Evaluation, Interval

_SHOWN = ("average_precision", "f1", "precision", "recall", "precision_at_k", "roc_auc", "brier")

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


def evaluation_markdown(evaluation: Evaluation) -> str:
    """One row per figure with its bounds, then the confusion counts."""
    rows = [f"| {name.replace('_', ' ')} | {_interval(getattr(evaluation, name).as_dict())} |" for name in _SHOWN]
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in evaluation.confusion.items())
    return "\n".join(
        [
            f"{evaluation.row_count:,} transactions, {evaluation.fraud_count:,} frauds; intervals at "
            f"{evaluation.confidence:.0%}.",
            "",
            "| figure | value |",
            "|---|---|",
            *rows,
            "",
            counts,
        ]
    )


def _interval(document: Mapping[str, float | None]) -> str:
    interval = Interval.from_dict(document)
    return f"{_number(interval.value)} ({_number(interval.low)} to {_number(interval.high)})"


def _number(figure: float | None) -> str:
    if figure is None or not math.isfinite(figure):
        return "n/a"
    # A Brier score of rare frauds begins in the fourth decimal.
    return f"{figure:.3f}" if abs(figure) >= SMALL or not figure else f"{figure:.1e}"


def _setting(setting: Any) -> str:
    return f"{setting:.4g}" if isinstance(setting, float) else str(setting)
