"""Decisions and their labels counted by band of amount and hour; counts of days add up to those of a quarter.

How bands are cut belongs to `training.slices`, what the counts say to `fairness`.
"""

import itertools
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.monitoring.performance import UNKNOWN, known_labels
from fraud_platform.training.slices import BANDS, band_name

_SECONDS_PER_HOUR = 3_600
_COUNTS = ("transactions", "alerts", "frauds", "missed", "legitimate", "false_alerts")


@dataclass(frozen=True)
class BandCounts:
    """What was decided about the transactions of one band; counts of several days add up.

    Attributes:
        quantity: what the band is of, "amount" or "hour".
        low: where it begins.
        high: where it ends, itself outside; infinite for the last band of amounts.
        transactions: decided.
        alerts: alerted.
        frauds: labelled as fraud.
        missed: of these, not alerted.
        legitimate: labelled as legitimate.
        false_alerts: of these, alerted.
    """

    quantity: str
    low: float
    high: float
    transactions: int = 0
    alerts: int = 0
    frauds: int = 0
    missed: int = 0
    legitimate: int = 0
    false_alerts: int = 0

    @property
    def name(self) -> str:
        """The band in words."""
        return band_name(self.quantity, self.low, self.high)

    def plus(self, other: "BandCounts", sign: int = 1) -> "BandCounts":
        """This band with the counts of `other` added, or taken away."""
        counts = {name: getattr(self, name) + sign * getattr(other, name) for name in _COUNTS}
        return BandCounts(self.quantity, self.low, self.high, **counts)


@dataclass(frozen=True)
class DecisionCounts:
    """The decisions of some days, counted; add those of other days with `+`.

    Attributes:
        first_day, last_day: of the transactions; None without any.
        bands: counts of every band of amount, then of hour.
        total: counts of all transactions.
    """

    first_day: date | None
    last_day: date | None
    bands: tuple[BandCounts, ...]
    total: BandCounts

    @classmethod
    def of(cls, decisions: pd.DataFrame, labels: pd.DataFrame) -> "DecisionCounts":
        """The counts of some decisions.

        Args:
            decisions: `transaction_id` (unique), `event_time`, `prediction` and `Amount`, of one day or several.
            labels: `transaction_id`, `Class`, only mature ones; of repeated ids the last row counts.

        Raises:
            DataError: a transaction was decided twice.
        """
        known = known_labels(decisions["transaction_id"], [labels])
        moments = pd.DatetimeIndex(decisions["event_time"]).tz_convert("UTC")
        seconds = (moments - moments.normalize()).total_seconds().to_numpy()
        quantities = {
            "amount": decisions["Amount"].to_numpy(dtype=np.float64),
            "hour": np.asarray(seconds / _SECONDS_PER_HOUR),
        }
        is_alert = decisions["prediction"].to_numpy() == 1
        bands = []
        for quantity, bounds in BANDS.items():
            band_of_row = np.digitize(quantities[quantity], bounds)
            for number, (low, high) in enumerate(itertools.pairwise(bounds), start=1):
                rows = band_of_row == number
                bands.append(BandCounts(quantity, float(low), float(high), **_counts(is_alert[rows], known[rows])))
        total = BandCounts("all", 0.0, math.inf, **_counts(is_alert, known))
        first, last = (moments.min().date(), moments.max().date()) if len(moments) else (None, None)
        return cls(first, last, tuple(bands), total)

    def __add__(self, other: "DecisionCounts") -> "DecisionCounts":
        days = [day for each in (self, other) for day in (each.first_day, each.last_day) if day]
        return DecisionCounts(
            min(days, default=None),
            max(days, default=None),
            tuple(mine.plus(theirs) for mine, theirs in zip(self.bands, other.bands, strict=True)),
            self.total.plus(other.total),
        )


def _counts(is_alert: NDArray[np.bool_], known: NDArray[np.int8]) -> dict[str, int]:
    is_fraud, is_legitimate = known == 1, (known != 1) & (known != UNKNOWN)
    counted = (
        np.ones_like(is_alert),
        is_alert,
        is_fraud,
        is_fraud & ~is_alert,
        is_legitimate,
        is_legitimate & is_alert,
    )
    return {name: int(np.count_nonzero(rows)) for name, rows in zip(_COUNTS, counted, strict=True)}
