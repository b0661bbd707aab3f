"""How far an estimate from probabilities may be off by chance alone: intervals of the confidence-based estimate.

The estimate itself belongs to `performance`. That the probabilities are wrong is not in these intervals: where labels
mature, the estimate's error shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.metrics import ratio

CONFIDENCE = 0.95
# The 2.5 % quantile then rests on a dozen draws, which moves a bound by less than a tenth of the interval.
DRAWS = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """Where a figure lies in 95 of 100 worlds that the probabilities describe; None where it has no value."""

    low: float | None
    high: float | None

    def holds(self, figure: float) -> bool:
        """Whether `figure` lies within, ends included."""
        return self.low is not None and self.high is not None and self.low <= figure <= self.high


def estimated_bounds(predictions: pd.DataFrame, *, seed: int, draws: int = DRAWS) -> dict[str, Bounds]:
    """The central 95 % interval of precision, recall, f1 and average_precision, if the probabilities are right.

    Labels are drawn again and again, each transaction a fraud with its own probability, and every figure is computed on
    each draw. Frauds are drawn as the arrivals of a Poisson process in which transaction i lasts `-log(1 - p_i)`: it is
    hit at least once with probability p_i, independently of the others, and a draw costs as much as it has frauds
    instead of as much as the day has transactions.

    Args:
        predictions: `fraud_probability` in [0, 1], calibrated, and `prediction`; of one day or several.
        seed: of the draws.
        draws: how many.
    """
    probabilities = predictions["fraud_probability"].to_numpy(dtype=np.float64)
    order = np.argsort(-probabilities, kind="stable")
    ranked, is_alert = probabilities[order], (predictions["prediction"].to_numpy() == 1)[order]
    drawn = _drawn_frauds(ranked, draws, np.random.default_rng(seed))
    figures = _figures(drawn, ranked, is_alert, draws)
    return {name: _bounds(values) for name, values in figures.items()}


def _drawn_frauds(ranked: Floats, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The frauds of every draw as `draw * n + place in the ranking`, ascending, each once."""
    # A certain fraud would last for ever; missed once in a billion draws is certain enough.
    until = np.cumsum(-np.log1p(-np.minimum(ranked, 1 - 1e-9)))
    total = float(until[-1]) if until.size else 0.0
    counts = generator.poisson(total, draws)
    places = np.searchsorted(until, generator.uniform(0, total, int(counts.sum())), side="right")
    # Rounding must not lead beyond the last transaction.
    places = np.minimum(places, max(ranked.size - 1, 0))
    return np.unique(np.repeat(np.arange(draws), counts) * ranked.size + places)


def _figures(drawn: NDArray[np.int64], ranked: Floats, is_alert: NDArray[np.bool_], draws: int) -> Mapping[str, Floats]:
    """Each figure's value on every draw, nan where it has none; [draws] each."""
    size = max(ranked.size, 1)
    draw, place = drawn // size, drawn % size
    frauds = np.bincount(draw, minlength=draws).astype(np.float64)
    hits = np.bincount(draw[is_alert[place]], minlength=draws).astype(np.float64)
    alerts = float(is_alert.sum())
    # Rows of equal probability move together: what counts is the end of their run.
    end = np.searchsorted(-ranked, -ranked, side="right")[place]
    found = np.searchsorted(drawn, draw * size + end, side="left") - np.searchsorted(drawn, draw * size, side="left")
    gained = np.bincount(draw, weights=found / end, minlength=draws) if drawn.size else np.zeros(draws)
    return {
        "precision": ratio(hits, alerts),
        "recall": ratio(hits, frauds),
        "f1": ratio(2 * hits, alerts + frauds),
        "average_precision": ratio(gained, frauds),
    }


def _bounds(values: Floats) -> Bounds:
    known = values[np.isfinite(values)]
    if not known.size:
        return Bounds(None, None)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Bounds(float(low), float(high))
