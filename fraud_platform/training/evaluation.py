"""How good a model is on rows it did not see, with the interval in which that figure can be trusted.

Acceptance limits and release decisions do not belong here; they read these figures.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import DataError
from fraud_platform.metrics import confusion_counts
from fraud_platform.training.bootstrap import RankingGroups, sample_jointly, sampled_sums

Floats = NDArray[np.float64]
Metric = Literal["average_precision", "roc_auc", "precision", "recall", "f1"]

# How many alerts a day an analyst team looks at, for precision at k.
ALERT_BUDGET = 100


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


@dataclass(frozen=True)
class Evaluation:
    """Every figure of one model on one set of rows; definitions in `fraud_platform.metrics`.

    Attributes:
        precision_at_k: precision among the `k` most suspicious transactions.
        confusion: rows, not transactions, by true_positives, false_positives, true_negatives, false_negatives.
        fraud_amount: what the frauds moved, in the currency of `Amount`.
        fraud_amount_alerted: the part of it that was alerted.
        threshold: the decision threshold that precision, recall, f1 and confusion were measured at.
        confidence: what share of such intervals holds the true figure.
        legitimate_weight: how many transactions each legitimate row stood for; every figure is weighted by it.
        fraud_rate: share of frauds among the transactions the rows stand for, which every figure holds at.
    """

    average_precision: Interval
    roc_auc: Interval
    f1: Interval
    precision: Interval
    recall: Interval
    precision_at_k: Interval
    brier: Interval
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

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as a JSON document, None for figures that do not exist."""
        return {
            name: figure.as_dict() if isinstance(figure, Interval) else dict(figure) if name == "confusion" else figure
            for name, figure in vars(self).items()
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Evaluation":
        """The evaluation that `as_dict` wrote."""
        figures: dict[str, Any] = dict(document)
        for name in ("average_precision", "roc_auc", "f1", "precision", "recall", "precision_at_k", "brier"):
            figures[name] = Interval.from_dict(document[name])
        return cls(**figures)


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
    errors = ((scores - is_fraud) ** 2)[:, np.newaxis]
    fraud_errors, legitimate_errors = sampled_sums(errors, is_fraud, samples=bootstrap_samples, generator=generator)
    fraud_count = int(is_fraud.sum())
    transactions = fraud_count + legitimate_weight * (is_fraud.size - fraud_count)
    return Evaluation(
        average_precision=_percentile_interval(sampled.average_precision(), confidence),
        roc_auc=_percentile_interval(sampled.roc_auc(), confidence),
        f1=_percentile_interval(sampled.f1(), confidence),
        precision=_percentile_interval(sampled.precision(), confidence),
        recall=_percentile_interval(sampled.recall(), confidence),
        precision_at_k=_percentile_interval(sampled.precision_at_k(k), confidence),
        brier=_percentile_interval(
            (fraud_errors + legitimate_weight * legitimate_errors)[:, 0] / transactions, confidence
        ),
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
