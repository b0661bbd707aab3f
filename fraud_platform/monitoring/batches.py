"""What is watched of each day's batch, and the figures over batches: latency, throughput, shift of decisions.

Where a batch is recorded does not belong here, nor how its figures are shown; runs that fail belong to `attempts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import sqrt

# Scoring latency is that of the batches scored within this time of the newest one.
LATENCY_WINDOW = timedelta(hours=24)
# A day's share of alerts is compared with that of so many days before it.
SHIFT_DAYS = 7
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class IngestedBatch:
    """A day as it was ingested last.

    Attributes:
        day: the partition.
        data_version: which bytes it was made of.
        ingested_at: when these very bytes were ingested first; doing it again brings nothing new.
        landed_row_count: data rows in all files.
        quarantined_by_reason: rows that may not pass, by reason.
    """

    day: date
    data_version: str
    ingested_at: datetime
    landed_row_count: int
    quarantined_by_reason: Mapping[str, int]

    def share_quarantined_for(self, *reasons: str) -> float:
        """Rows quarantined for one of `reasons` as a share of the landed ones, 0 for a day without rows."""
        count = sum(self.quarantined_by_reason.get(reason, 0) for reason in reasons)
        return count / self.landed_row_count if self.landed_row_count else 0.0


@dataclass(frozen=True)
class ScoredBatch:
    """One scoring of a day.

    Attributes:
        day: the partition.
        scored_at: when it was recorded.
        row_count: transactions decided about.
        alert_count: those decided to be fraud.
        seconds: what scoring took; None where nobody took the time.
    """

    day: date
    scored_at: datetime
    row_count: int
    alert_count: int
    seconds: float | None

    @property
    def alert_share(self) -> float:
        """Alerts as a share of all decisions, 0 without any."""
        return self.alert_count / self.row_count if self.row_count else 0.0

    @property
    def predictions_per_minute(self) -> float | None:
        """How fast it was scored; None where nobody took the time."""
        return 60 * self.row_count / self.seconds if self.seconds else None


@dataclass(frozen=True)
class ScoringTotals:
    """Everything that was ever scored, days that were scored again included: these numbers only grow.

    Attributes:
        alert_count, other_count: decisions, by what was decided.
        seconds: what all timed batches took together.
        timed_count: how many were timed.
        count_by_bound: timed batches that took at most so many seconds.
    """

    alert_count: int = 0
    other_count: int = 0
    seconds: float = 0.0
    timed_count: int = 0
    count_by_bound: Mapping[float, int] = field(default_factory=dict)

    def with_batch(self, batch: ScoredBatch, bounds: Iterable[float]) -> "ScoringTotals":
        """The totals with one batch more."""
        counts = {bound: self.count_by_bound.get(bound, 0) for bound in bounds}
        took = batch.seconds
        if took is not None:
            counts = {bound: count + (took <= bound) for bound, count in counts.items()}
        return ScoringTotals(
            alert_count=self.alert_count + batch.alert_count,
            other_count=self.other_count + batch.row_count - batch.alert_count,
            seconds=self.seconds + (took or 0.0),
            timed_count=self.timed_count + (took is not None),
            count_by_bound=counts,
        )


@dataclass(frozen=True)
class DecisionShift:
    """How far the newest day's share of alerts is from that of the days before.

    Attributes:
        ratio: relative change; 0.2 is a fifth more alerts, -0.2 a fifth fewer.
        sigmas: the same in standard errors of the difference: what chance alone moves stays within 3 of them.
    """

    ratio: float
    sigmas: float


def scoring_latency(batches: Iterable[ScoredBatch]) -> dict[float, float]:
    """Seconds that scoring a batch took, by quantile, over the last day of work; empty where nothing was timed.

    Each figure is that of a real batch: the smallest which at least that share of batches does not exceed.
    """
    timed = [(batch.scored_at, batch.seconds) for batch in batches if batch.seconds is not None]
    if not timed:
        return {}
    newest = max(at for at, _ in timed)
    seconds = sorted(took for at, took in timed if newest - at <= LATENCY_WINDOW)
    return {quantile: seconds[_rank(quantile, len(seconds))] for quantile in QUANTILES}


def _rank(quantile: float, count: int) -> int:
    """The position, from 0, of the smallest value that a share of `quantile` does not exceed."""
    return next(position for position in range(count) if (position + 1) >= quantile * count)


def decision_shift(batches: Mapping[date, ScoredBatch]) -> DecisionShift | None:
    """The shift of the newest day against up to `SHIFT_DAYS` days before it; None where there is nothing to compare."""
    filled = [batches[day] for day in sorted(batches) if batches[day].row_count]
    if len(filled) < 2:  # noqa: PLR2004 - the newest day and one before it
        return None
    *earlier, newest = filled
    before = [batch for batch in earlier if (newest.day - batch.day).days <= SHIFT_DAYS]
    rows, alerts = sum(batch.row_count for batch in before), sum(batch.alert_count for batch in before)
    if not rows:
        return None
    # Half an alert where there was none: a first one is a large change, not an infinite one.
    share = max(alerts, 0.5) / rows
    together = (alerts + newest.alert_count) / (rows + newest.row_count)
    error = sqrt(together * (1 - together) * (1 / rows + 1 / newest.row_count))
    ratio = newest.alert_share / share - 1 if alerts or newest.alert_count else 0.0
    return DecisionShift(ratio, (newest.alert_share - alerts / rows) / error if error else 0.0)
