"""How good decisions and rankings are: arrays in, floats out.

Arguments come in scikit-learn's order: labels, then predictions or probabilities, then weights. A score without a
value (0/0, such as precision without alerts) is nan, so that no comparison with a limit passes; malformed input
raises ValueError. Intervals, thresholds and verdicts do not belong here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConfusionCounts:
    """Decisions against labels, as counts of rows or sums of their weights."""

    true_positives: float
    false_positives: float
    true_negatives: float
    false_negatives: float


@dataclass(frozen=True)
class RankedCounts:
    """What alerting on every row at or above a score would give, one entry per distinct score, highest first.

    Attributes:
        thresholds: distinct scores, descending, float64 [m].
        true_positives: frauds at or above each threshold, float64 [m].
        false_positives: legitimate rows at or above each threshold, float64 [m].
    """

    thresholds: Floats
    true_positives: Floats
    false_positives: Floats

    @property
    def fraud_total(self) -> float:
        """Weight of all frauds."""
        return float(self.true_positives[-1]) if self.true_positives.size else 0.0

    @property
    def legitimate_total(self) -> float:
        """Weight of all legitimate rows."""
        return float(self.false_positives[-1]) if self.false_positives.size else 0.0

    @property
    def precisions(self) -> Floats:
        """Precision at each threshold, [m], in [0, 1]."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recalls(self) -> Floats:
        """Recall at each threshold, [m], in [0, 1]; nan without frauds."""
        return ratio(self.true_positives, self.fraud_total)

    @property
    def f1_scores(self) -> Floats:
        """F1 at each threshold, [m], in [0, 1]; nan without frauds."""
        return ratio(2 * self.true_positives, self.true_positives + self.false_positives + self.fraud_total)

    @property
    def average_precision(self) -> float:
        """See the function `average_precision`."""
        if self.fraud_total == 0:
            return float("nan")
        gained = np.diff(self.true_positives, prepend=0.0)
        return float(gained[gained > 0] @ self.precisions[gained > 0] / self.fraud_total)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """`numerator / denominator` element by element; nan where the denominator is 0."""
    above, below = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def confusion_counts(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> ConfusionCounts:
    """Decisions against labels.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        predictions: 1 = alert, 0 = none, [n].
        weights: how many transactions each row stands for, >= 0, [n]; 1 each when None.

    Raises:
        ValueError: lengths differ, or a label or prediction is neither 0 nor 1.
    """
    is_fraud, scale = _checked(labels, weights)
    is_alert = _binary(predictions, "predictions", is_fraud.size)
    cells = np.bincount(2 * is_fraud.astype(np.int8) + is_alert, weights=scale, minlength=4)
    return ConfusionCounts(
        true_positives=float(cells[3]),
        false_positives=float(cells[1]),
        true_negatives=float(cells[0]),
        false_negatives=float(cells[2]),
    )


def precision(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of alerts that are fraud, TP / (TP + FP), in [0, 1]; nan without alerts."""
    counts = confusion_counts(labels, predictions, weights)
    return float(ratio(counts.true_positives, counts.true_positives + counts.false_positives))


def recall(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of frauds that were alerted, TP / (TP + FN), in [0, 1]; nan without frauds."""
    counts = confusion_counts(labels, predictions, weights)
    return float(ratio(counts.true_positives, counts.true_positives + counts.false_negatives))


def f1(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), in [0, 1]; nan with neither frauds nor alerts."""
    counts = confusion_counts(labels, predictions, weights)
    errors = counts.false_positives + counts.false_negatives
    return float(ratio(2 * counts.true_positives, 2 * counts.true_positives + errors))


def ranked_counts(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> RankedCounts:
    """The one sorted pass that every ranking metric and curve is read from; rows of equal score move together.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        probabilities: any score that grows with suspicion, finite, [n].
        weights: how many transactions each row stands for, >= 0, [n]; 1 each when None.

    Raises:
        ValueError: lengths differ, a label is neither 0 nor 1, or a score is not finite.
    """
    is_fraud, scale = _checked(labels, weights)
    scores = _scores(probabilities, is_fraud.size)
    # Stable, so that sums of weights round the same way on every machine.
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    is_last_of_its_score = np.append(ranked[1:] != ranked[:-1], True)[: ranked.size]
    mass = np.ones(ranked.size) if scale is None else scale[order]
    fraud_mass = np.where(is_fraud[order], mass, 0.0)
    true_positives = np.cumsum(fraud_mass)[is_last_of_its_score]
    false_positives = np.cumsum(mass - fraud_mass)[is_last_of_its_score]
    return RankedCounts(ranked[is_last_of_its_score], true_positives, false_positives)


def average_precision(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Precision averaged over the recall each threshold gains, sum (R_i - R_{i-1}) P_i, in [0, 1]; nan without frauds.

    The step-wise area under the precision-recall curve (no interpolation between points, which would flatter).
    """
    return ranked_counts(labels, probabilities, weights).average_precision


def roc_auc(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Chance that a random fraud scores above a random legitimate row, ties counting half; nan without both classes."""
    counts = ranked_counts(labels, probabilities, weights)
    gained = np.diff(counts.true_positives, prepend=0.0)
    tied = np.diff(counts.false_positives, prepend=0.0)
    won = gained @ (counts.legitimate_total - counts.false_positives + tied / 2)
    return float(ratio(won, counts.fraud_total * counts.legitimate_total))


def precision_at_k(labels: ArrayLike, probabilities: ArrayLike, k: float, weights: ArrayLike | None = None) -> float:
    """Share of frauds among the `k` most suspicious transactions, in [0, 1]; nan without rows.

    Where the k-th place falls among equal scores, the value expected over all their orders. With fewer than `k`
    transactions, all of them count. With weights, `k` is in the unit of the weights.

    Raises:
        ValueError: `k` is not positive, or the input is malformed.
    """
    if not k > 0:
        raise ValueError(f"k must be positive, not {k}")
    counts = ranked_counts(labels, probabilities, weights)
    alerts = np.append(0.0, counts.true_positives + counts.false_positives)
    reach = min(float(k), float(alerts[-1]))
    return float(ratio(np.interp(reach, alerts, np.append(0.0, counts.true_positives)), reach))


def recall_at_false_positive_rate(
    labels: ArrayLike, probabilities: ArrayLike, rate: float, weights: ArrayLike | None = None
) -> float:
    """Most recall of a threshold that alerts at most `rate` of the legitimate, in [0, 1]; nan without both classes.

    Of the points of the ROC curve itself: rows of equal score are alerted together or not at all.
    """
    counts = ranked_counts(labels, probabilities, weights)
    if counts.fraud_total == 0 or counts.legitimate_total == 0:
        return float("nan")
    # Weighted sums round; a rate of exactly the limit is within it.
    is_within = counts.false_positives <= rate * counts.legitimate_total * (1 + 1e-12)
    return float(counts.recalls[is_within].max(initial=0.0))


def brier(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared distance between probability and outcome, in [0, 1], 0 is perfect; nan without rows."""
    is_fraud, scale = _checked(labels, weights)
    return _mean((_probabilities(probabilities, is_fraud.size) - is_fraud) ** 2, scale)


def log_loss(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean negative log-likelihood in nats, >= 0; infinite when a certain answer is wrong, nan without rows."""
    is_fraud, scale = _checked(labels, weights)
    chances = _probabilities(probabilities, is_fraud.size)
    with np.errstate(divide="ignore"):
        losses = -np.where(is_fraud, np.log(chances), np.log1p(-chances))
    return _mean(losses, scale)


def expected_cost(
    labels: ArrayLike,
    predictions: ArrayLike,
    amounts: ArrayLike,
    *,
    alert_cost: float,
    weights: ArrayLike | None = None,
) -> float:
    """What the decisions cost per transaction: a missed fraud costs its amount, every alert costs `alert_cost`.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        predictions: 1 = alert, 0 = none, [n].
        amounts: what each transaction moves, >= 0, in the currency of `alert_cost`, [n].
        alert_cost: what looking into one alert costs, >= 0.
        weights: how many transactions each row stands for, >= 0, [n]; 1 each when None.

    Returns:
        Mean cost per transaction, in the currency of the amounts; nan without rows.

    Raises:
        ValueError: lengths differ, a label or prediction is neither 0 nor 1, an amount is negative or not finite.
    """
    is_fraud, scale = _checked(labels, weights)
    is_alert = _binary(predictions, "predictions", is_fraud.size)
    moved = _not_negative(amounts, "amounts", is_fraud.size)
    return _mean(np.where(is_alert, alert_cost, np.where(is_fraud, moved, 0.0)), scale)


def fraud_amount_share(labels: ArrayLike, predictions: ArrayLike, amounts: ArrayLike) -> float:
    """Share of what frauds moved that was alerted, in [0, 1]: recall in money; nan where frauds moved nothing."""
    is_fraud, _ = _checked(labels, None)
    moved = np.where(is_fraud, _not_negative(amounts, "amounts", is_fraud.size), 0.0)
    return float(ratio(moved[_binary(predictions, "predictions", is_fraud.size)].sum(), moved.sum()))


def _mean(values: Floats, weights: Floats | None) -> float:
    if weights is None:
        return float(ratio(values.sum(), values.size))
    # A row of no weight says nothing, even where its value is infinite.
    return float(ratio(values[weights > 0] @ weights[weights > 0], weights.sum()))


def _checked(labels: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[np.bool_], Floats | None]:
    is_fraud = _binary(labels, "labels", None)
    if weights is None:
        return is_fraud, None
    return is_fraud, _not_negative(weights, "weights", is_fraud.size)


def _binary(values: ArrayLike, name: str, size: int | None) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1 or (size is not None and array.size != size):
        raise ValueError(f"{name} must be one value per row, not of shape {array.shape}")
    is_one = np.asarray(array == 1)
    if not np.all(is_one | (array == 0)):
        raise ValueError(f"{name} must be 0 or 1")
    return is_one


def _not_negative(values: ArrayLike, name: str, size: int) -> Floats:
    array = np.asarray(values, np.float64)
    if array.shape != (size,) or not np.all((array >= 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be {size} finite numbers >= 0")
    return array


def _scores(values: ArrayLike, size: int) -> Floats:
    array = np.asarray(values, np.float64)
    if array.shape != (size,) or not np.all(np.isfinite(array)):
        raise ValueError(f"probabilities must be {size} finite numbers")
    return array


def _probabilities(values: ArrayLike, size: int) -> Floats:
    array = _scores(values, size)
    if np.any((array < 0) | (array > 1)):
        raise ValueError("probabilities must lie between 0 and 1")
    return array
