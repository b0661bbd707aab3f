"""How good a model is on rows it did not see, with the interval in which that figure can be trusted.

Acceptance limits and release decisions do not belong here; they read these figures.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import DataError
from fraud_platform.metrics import confusion_counts, ratio
from fraud_platform.training.bootstrap import RankingGroups, sample_jointly, sampled_sums
from fraud_platform.training.reliability import BIN_COUNT, bin_of

Floats = NDArray[np.float64]
Metric = Literal["average_precision", "roc_auc", "precision", "recall", "f1"]

# How many alerts a day an analyst team looks at, for precision at k.
ALERT_BUDGET = 100
# What it costs to look into one alert, in the currency of `Amount`: some minutes of an analyst.
REVIEW_COST = 5.0


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds of its confidence interval; all nan where the figure does not exist."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """The interval as a JSON document, None for nan."""
        return {name: float(bound) if np.isfinite(bound) else None for name, bound in asdict(self).items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, float | None]) -> "Interval":
        """The interval that `as_dict` wrote."""
        bounds = {name: float("nan") if bound is None else float(bound) for name, bound in document.items()}
        return cls(bounds["value"], bounds["low"], bounds["high"])

    @classmethod
    def unknown(cls) -> "Interval":
        """A figure nobody measured."""
        return cls(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Evaluation:
    """Every figure of one model on one set of rows; definitions in `fraud_platform.metrics` and `reliability`.

    Attributes:
        precision_at_k: precision among the `k` most suspicious transactions.
        recall_at_1_percent_false_positives: most recall that alerts at most 1 % of the legitimate.
        expected_calibration_error: how far probabilities are from what came true. Resampling adds noise, which counts
            as error: of a well calibrated model, the interval lies above the figure.
        fraud_amount_share_alerted: share of what frauds moved that was alerted.
        cost_per_transaction: a missed fraud costs its amount, every alert `review_cost`.
        confusion: rows, not transactions, by true_positives, false_positives, true_negatives, false_negatives.
        fraud_amount: what the frauds moved, in the currency of `Amount`.
        fraud_amount_alerted: the part of it that was alerted.
        threshold: the decision threshold that precision, recall, f1 and confusion were measured at.
        confidence: what share of such intervals holds the true figure.
        legitimate_weight: how many transactions each legitimate row stood for; every figure is weighted by it.
        fraud_rate: share of frauds among the transactions the rows stand for, which every figure holds at.
        review_cost: what looking into one alert costs, in the currency of `Amount`.
    """

    average_precision: Interval
    roc_auc: Interval
    f1: Interval
    precision: Interval
    recall: Interval
    precision_at_k: Interval
    brier: Interval
    recall_at_1_percent_false_positives: Interval
    expected_calibration_error: Interval
    fraud_amount_share_alerted: Interval
    cost_per_transaction: Interval
    confusion: Mapping[str, int]
    row_count: int
    fraud_count: int
    fraud_amount: float
    fraud_amount_alerted: float
    threshold: float
    k: int
    confidence: float
    legitimate_weight: float
    fraud_rate: float
    review_cost: float

    @property
    def rows_in_words(self) -> str:
        """What the figures were measured on, and the fraud rate they hold at."""
        rows = f"{self.row_count:,} rows for " if self.legitimate_weight != 1 else ""
        transactions = f"{rows}{self.fraud_count / self.fraud_rate:,.0f} transactions"
        return f"{transactions}, {self.fraud_count:,} frauds, at a fraud rate of {self.fraud_rate:.3%}"

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as a JSON document, None for figures that do not exist."""
        return {
            name: figure.as_dict() if isinstance(figure, Interval) else dict(figure) if name == "confusion" else figure
            for name, figure in vars(self).items()
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Evaluation":
        """The evaluation that `as_dict` wrote; what an earlier version did not measure is unknown."""
        known: dict[str, Any] = {
            "legitimate_weight": 1.0,
            "fraud_rate": document["fraud_count"] / document["row_count"],
            "review_cost": REVIEW_COST,
            **document,
        }
        for field in fields(cls):
            if field.type is Interval:
                stored = document.get(field.name)
                known[field.name] = Interval.from_dict(stored) if stored else Interval.unknown()
        return cls(**known)


def evaluate(
    probabilities: ArrayLike,
    labels: ArrayLike,
    amounts: ArrayLike,
    threshold: float,
    *,
    seed: int,
    bootstrap_samples: int = 200,
    confidence: float = 0.95,
    k: int = ALERT_BUDGET,
    legitimate_weight: float = 1.0,
    review_cost: float = REVIEW_COST,
) -> Evaluation:
    """Every figure on these rows, each with a stratified percentile-bootstrap interval.

    A bootstrap sample draws as many frauds and as many legitimate rows, with replacement, as there are. Files often
    hold only a part of the legitimate transactions; without their weight, precision would be that of a world with
    more fraud.

    Args:
        probabilities: calibrated probabilities, [n], in [0, 1].
        labels: 1 = fraud, 0 = legitimate, [n].
        amounts: what each transaction moved, [n].
        threshold: decision threshold; alert where probability >= threshold.
        seed: seed of the bootstrap.
        bootstrap_samples: how many samples; the more, the steadier the bounds.
        confidence: in (0, 1).
        k: how many of the most suspicious transactions precision_at_k looks at.
        legitimate_weight: how many transactions each legitimate row stands for, > 0; a fraud stands for itself.
        review_cost: what looking into one alert costs, in the currency of `amounts`.

    Raises:
        DataError: there is no fraud or no legitimate row among the rows.
        ValueError: a probability or the weight is out of range, or lengths differ.

    Source: Efron and Tibshirani (1993), "An introduction to the bootstrap", chapter 13.
    """
    scores, is_fraud = _checked_rows(probabilities, labels, legitimate_weight)
    moved = np.asarray(amounts, np.float64)
    is_alert = scores >= threshold
    generator = np.random.default_rng(seed)
    groups = RankingGroups.of(scores, is_fraud, threshold)
    (sampled,) = sample_jointly(
        (groups,), is_fraud, samples=bootstrap_samples, generator=generator, legitimate_weight=legitimate_weight
    )
    columns = _summed_columns(scores, is_fraud, is_alert, moved, review_cost)
    frauds, legitimate = sampled_sums(columns, is_fraud, samples=bootstrap_samples, generator=generator)
    fraud_count = int(is_fraud.sum())
    transactions = fraud_count + legitimate_weight * (is_fraud.size - fraud_count)
    means = (frauds + legitimate_weight * legitimate) / transactions
    interval = partial(_percentile_interval, confidence=confidence)
    return Evaluation(
        average_precision=interval(sampled.average_precision()),
        roc_auc=interval(sampled.roc_auc()),
        f1=interval(sampled.f1()),
        precision=interval(sampled.precision()),
        recall=interval(sampled.recall()),
        precision_at_k=interval(sampled.precision_at_k(k)),
        brier=interval(means[:, _ERROR]),
        recall_at_1_percent_false_positives=interval(sampled.recall_at_false_positive_rate(0.01)),
        expected_calibration_error=interval(np.abs(means[:, _EXCESS:]).sum(axis=1)),
        fraud_amount_share_alerted=interval(ratio(frauds[:, _CAUGHT], frauds[:, _MOVED])),
        cost_per_transaction=interval(means[:, _COST]),
        confusion={name: int(count) for name, count in vars(confusion_counts(is_fraud, is_alert)).items()},
        row_count=int(scores.size),
        fraud_count=fraud_count,
        fraud_amount=float(moved[is_fraud].sum()),
        fraud_amount_alerted=float(moved[is_fraud & is_alert].sum()),
        threshold=float(threshold),
        k=k,
        confidence=confidence,
        legitimate_weight=float(legitimate_weight),
        fraud_rate=fraud_count / transactions,
        review_cost=float(review_cost),
    )


def paired_bootstrap_difference(
    champion_probabilities: ArrayLike,
    challenger_probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    seed: int,
    metric: Metric = "average_precision",
    samples: int = 1000,
    confidence: float = 0.95,
    champion_threshold: float | None = None,
    challenger_threshold: float | None = None,
    legitimate_weight: float = 1.0,
) -> Interval:
    """Challenger minus champion in `metric` on the same rows, with a stratified percentile-bootstrap interval.

    Both models are measured on the same samples, so what is hard about a sample cancels out. Decision rule: the
    challenger is better where the interval's low bound is above 0, not worse than by m where it is above -m.

    Args:
        champion_probabilities: of the model in charge, [n].
        challenger_probabilities: of the model that wants to be, for the same rows, [n].
        labels: 1 = fraud, 0 = legitimate, [n].
        seed: seed of the bootstrap.
        metric: what to compare.
        samples: how many bootstrap samples.
        confidence: in (0, 1), two-sided.
        champion_threshold: decision threshold; needed for precision, recall and f1.
        challenger_threshold: decision threshold; needed for precision, recall and f1.
        legitimate_weight: how many transactions each legitimate row stands for, > 0; a fraud stands for itself.

    Raises:
        DataError: there is no fraud or no legitimate row among the rows.
        ValueError: `metric` is unknown or needs thresholds that are not given, or the weight is out of range.

    Source: Efron and Tibshirani (1993), "An introduction to the bootstrap", chapters 10 and 13.
    """
    if metric not in get_args(Metric):
        raise ValueError(f"metric must be one of {', '.join(get_args(Metric))}, not {metric!r}")
    thresholds = (champion_threshold, challenger_threshold)
    if metric in ("precision", "recall", "f1") and None in thresholds:
        raise ValueError(f"{metric} depends on decisions; give champion_threshold and challenger_threshold")
    rankings = []
    for probabilities, threshold in zip((champion_probabilities, challenger_probabilities), thresholds, strict=True):
        scores, is_fraud = _checked_rows(probabilities, labels, legitimate_weight)
        rankings.append(RankingGroups.of(scores, is_fraud, threshold))
    generator = np.random.default_rng(seed)
    champion, challenger = sample_jointly(
        tuple(rankings), is_fraud, samples=samples, generator=generator, legitimate_weight=legitimate_weight
    )
    difference = getattr(challenger, metric)() - getattr(champion, metric)()
    return _percentile_interval(difference, confidence)


# Columns of `_summed_columns`; from _EXCESS on, one for each bin of probability.
_ERROR, _COST, _MOVED, _CAUGHT, _EXCESS = range(5)


def _summed_columns(
    scores: Floats, is_fraud: NDArray[np.bool_], is_alert: NDArray[np.bool_], moved: Floats, review_cost: float
) -> Floats:
    """What of each row has to be summed up for the figures that no ranking gives, [n, 4 + bins]."""
    columns = np.zeros((scores.size, _EXCESS + BIN_COUNT))
    columns[:, _ERROR] = (scores - is_fraud) ** 2
    columns[:, _COST] = np.where(is_alert, review_cost, np.where(is_fraud, moved, 0.0))
    columns[:, _MOVED] = moved
    columns[:, _CAUGHT] = np.where(is_alert, moved, 0.0)
    columns[np.arange(scores.size), _EXCESS + bin_of(scores)] = scores - is_fraud
    return columns


def _percentile_interval(figures: Floats, confidence: float) -> Interval:
    """The first figure, which is that of the rows themselves, bounded by the percentiles of the sampled others."""
    value, sampled = float(figures[0]), figures[1:][np.isfinite(figures[1:])]
    if not np.isfinite(value) or sampled.size == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(sampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _checked_rows(
    probabilities: ArrayLike, labels: ArrayLike, legitimate_weight: float
) -> tuple[Floats, NDArray[np.bool_]]:
    if not 0 < legitimate_weight < np.inf:
        raise ValueError(f"legitimate_weight must be a positive number, not {legitimate_weight}")
    scores, is_fraud = np.asarray(probabilities, np.float64), np.asarray(labels) == 1
    if scores.ndim != 1 or scores.shape != is_fraud.shape:
        raise ValueError(f"one probability per label is needed, not {scores.shape} for {is_fraud.shape}")
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ValueError("probabilities must lie between 0 and 1")
    if is_fraud.all() or not is_fraud.any():
        raise DataError(
            f"{is_fraud.size} rows with {int(is_fraud.sum())} frauds cannot be evaluated, both classes are needed; "
            "widen the training window or wait for labels"
        )
    return scores, is_fraud
