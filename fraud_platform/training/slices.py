"""How decisions do in parts of the data: by what a transaction moves and by the hour, each with its interval.

A model can be good on the whole and blind in a part. Whether a part fails is judged in `fraud_platform.registry`.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.metrics import confusion_counts, ratio
from fraud_platform.training.evaluation import Interval

Floats = NDArray[np.float64]

# Bounds of the bands: from one, up to but without the next. Amounts in the currency of `Amount`, hours in UTC.
BANDS: Mapping[str, tuple[float, ...]] = {
    "amount": (0, 10, 50, 200, 1000, math.inf),
    "hour": (0, 6, 12, 18, 24),
}
# Of fewer frauds, any share caught is possible by chance.
MINIMUM_FRAUDS = 5
HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Slice:
    """The decisions about the rows of one band.

    Attributes:
        quantity: what the band is of, "amount" or "hour".
        low: where it begins.
        high: where it ends, itself outside; infinite for the last band of amounts.
        row_count: rows, as all counts here.
        fraud_count: frauds among them.
        alert_count: alerts among them.
        caught_count: frauds among the alerts.
        precision: share of alerts that are fraud; unknown where the slice is not applicable.
        recall: share of frauds that were alerted; unknown where the slice is not applicable.
        alert_rate: share of transactions that were alerted.
    """

    quantity: str
    low: float
    high: float
    row_count: int
    fraud_count: int
    alert_count: int
    caught_count: int
    precision: Interval
    recall: Interval
    alert_rate: Interval

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Slice":
        """The slice that `as_dict` wrote."""
        known = {field.name: document[field.name] for field in fields(cls)}
        for name in ("precision", "recall", "alert_rate"):
            known[name] = Interval.from_dict(known[name])
        return cls(**{**known, "high": math.inf if known["high"] is None else known["high"]})

    @property
    def name(self) -> str:
        """The band in words."""
        return band_name(self.quantity, self.low, self.high)

    @property
    def is_applicable(self) -> bool:
        """Whether there are frauds enough to say anything of precision and recall."""
        return self.fraud_count >= MINIMUM_FRAUDS

    def as_dict(self) -> dict[str, Any]:
        """The slice as a JSON document, None for what does not exist or has no end."""
        return {
            **{name: each.as_dict() if isinstance(each, Interval) else each for name, each in vars(self).items()},
            "high": self.high if math.isfinite(self.high) else None,
            "name": self.name,
            "is_applicable": self.is_applicable,
        }


def band_name(quantity: str, low: float, high: float) -> str:
    """A band of a quantity in words."""
    return f"{quantity} {low:g} " + (f"to {high:g}" if math.isfinite(high) else "and more")


def slice_decisions(
    labels: ArrayLike,
    predictions: ArrayLike,
    amounts: ArrayLike,
    hours: ArrayLike,
    *,
    legitimate_weight: float = 1.0,
    confidence: float = 0.95,
) -> tuple[Slice, ...]:
    """The decisions band by band, bands of amount first.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        predictions: 1 = alert, 0 = none, [n].
        amounts: what each transaction moved, >= 0, [n].
        hours: hour of the day of each, in [0, 24), [n].
        legitimate_weight: how many transactions each legitimate row stands for, > 0; a fraud stands for itself.
        confidence: in (0, 1), two-sided.
    """
    is_fraud, is_alert = np.asarray(labels) == 1, np.asarray(predictions) == 1
    quantities = {"amount": np.asarray(amounts, np.float64), "hour": np.asarray(hours, np.float64)}
    slices = []
    for quantity, bounds in BANDS.items():
        # Numbered from 1; what lies outside all bands is in none.
        band = np.digitize(quantities[quantity], bounds)
        for number, (low, high) in enumerate(itertools.pairwise(bounds), start=1):
            rows = band == number
            slices.append(_slice(quantity, (low, high), is_fraud[rows], is_alert[rows], legitimate_weight, confidence))
    return tuple(slices)


def hours_of(features: NDArray[np.floating[Any]]) -> Floats:
    """Hour of the day in [0, 24) of rows with the columns `FEATURE_NAMES`, [n], from its place on the circle."""
    sine, cosine = (features[:, FEATURE_NAMES.index(name)].astype(np.float64) for name in ("Hour_sin", "Hour_cos"))
    hours = np.arctan2(sine, cosine) * (HOURS_PER_DAY / (2 * np.pi))
    # Features are stored in single precision: without rounding, 06:00 sharp could come back a moment before it.
    return np.round(hours, 5) % HOURS_PER_DAY


def wilson_interval(hits: float, trials: float, confidence: float = 0.95) -> Interval:
    """A share with Wilson's score interval, which keeps its promise for few trials and shares near 0 or 1.

    Args:
        hits: 0 <= hits <= trials.
        trials: of which `hits` succeeded; may be an effective number, so need not be whole. nan without any.
        confidence: in (0, 1), two-sided.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    if trials == 0:
        return Interval.unknown()
    share, z = hits / trials, NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (hits + z * z / 2) / (trials + z * z)
    reach = z / (trials + z * z) * math.sqrt(hits * (1 - share) + z * z / 4)
    return Interval(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def weighted_share(
    hits: float, transactions: float, frauds: float, legitimate_weight: float, confidence: float = 0.95
) -> Interval:
    """A share of transactions with the interval of the rows that stand for them.

    Rows of unlike weight know as much as (sum w)^2 / sum w^2 rows alike, Kish's effective number.

    Args:
        hits: transactions that count, of either class.
        transactions: of either class.
        frauds: frauds among `transactions`, one row each.
        legitimate_weight: how many transactions each of the other rows stands for, > 0.
        confidence: in (0, 1), two-sided.

    Source: Kish (1965), "Survey sampling", section 11.7.
    """
    if transactions == 0:
        return Interval.unknown()
    rows = transactions**2 / (frauds + legitimate_weight * (transactions - frauds))
    return wilson_interval(hits / transactions * rows, rows, confidence)


def _slice(
    quantity: str,
    band: tuple[float, float],
    is_fraud: NDArray[np.bool_],
    is_alert: NDArray[np.bool_],
    legitimate_weight: float,
    confidence: float,
) -> Slice:
    counts = confusion_counts(is_fraud, is_alert)
    caught, false_alerts = counts.true_positives, counts.false_positives
    frauds, legitimate = caught + counts.false_negatives, false_alerts + counts.true_negatives
    precision, recall = Interval.unknown(), Interval.unknown()
    if frauds >= MINIMUM_FRAUDS:
        recall = wilson_interval(caught, frauds, confidence)
        precision = _of_transactions(wilson_interval(caught, caught + false_alerts, confidence), legitimate_weight)
    transactions = frauds + legitimate_weight * legitimate
    alerts = caught + legitimate_weight * false_alerts
    return Slice(
        quantity=quantity,
        low=float(band[0]),
        high=float(band[1]),
        row_count=is_fraud.size,
        fraud_count=int(frauds),
        alert_count=int(caught + false_alerts),
        caught_count=int(caught),
        precision=precision,
        recall=recall,
        alert_rate=weighted_share(alerts, transactions, frauds, legitimate_weight, confidence),
    )


def _of_transactions(precision: Interval, legitimate_weight: float) -> Interval:
    """Precision among rows as precision among transactions; growing, so it maps bounds to bounds."""
    value, low, high = (
        float(ratio(share, share + legitimate_weight * (1 - share)))
        for share in (precision.value, precision.low, precision.high)
    )
    return Interval(value, low, high)
