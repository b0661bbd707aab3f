"""When realised performance has been too low for too long.

Measuring performance belongs to `performance`; asking for a new model belongs to the sensor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from fraud_platform.metrics import ratio

WEEK_DAYS = 7
# Where only complaints have come back, every label is a fraud and F1 looks worse than it is.
MINIMUM_LABELLED_SHARE = 0.5


@dataclass(frozen=True)
class OutcomeCounts:
    """What a day's decisions turned out to be, as far as labels have arrived.

    Attributes:
        true_positives: frauds that were alerted.
        false_positives: legitimate transactions that were alerted.
        false_negatives: frauds that were not alerted.
        labelled_share: share of the day's transactions whose label is known, in [0, 1].
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    labelled_share: float = 1.0


@dataclass(frozen=True)
class Shortfall:
    """Whether performance stayed below its limit, and the figures in one sentence."""

    is_persistent: bool
    sentence: str


def persistent_shortfall(
    counts: Mapping[date, OutcomeCounts], *, last_day: date, window_days: int, f1_limit: float
) -> Shortfall:
    """Whether F1 was below `f1_limit` in each of the consecutive weeks that end with `last_day`.

    The counts of a week are pooled before F1 = 2 TP / (2 TP + FP + FN) is taken, because a day holds too few frauds
    for a rate of its own. Days of which less than half is labelled do not count. A week without any labelled fraud or
    alert has no F1, and then nothing is concluded.

    Args:
        counts: by day; days without labels are left out.
        last_day: the end of the last week.
        window_days: how far to look back; whole weeks of it count.
        f1_limit: in [0, 1].
    """
    weekly = []
    for week in range(max(window_days // WEEK_DAYS, 1)):
        end = last_day - timedelta(days=WEEK_DAYS * week)
        known = [counts[day] for day in (end - timedelta(days=back) for back in range(WEEK_DAYS)) if day in counts]
        days = [day for day in known if day.labelled_share >= MINIMUM_LABELLED_SHARE]
        hits = sum(day.true_positives for day in days)
        errors = sum(day.false_positives + day.false_negatives for day in days)
        if not hits + errors:
            return Shortfall(False, f"not applicable: no fraud or alert is labelled in the week to {end}")
        weekly.append((end, float(ratio(2 * hits, 2 * hits + errors))))
    figures = ", ".join(f"{f1:.3f} in the week to {end}" for end, f1 in weekly)
    return Shortfall(all(f1 < f1_limit for _, f1 in weekly), f"realised F1 {figures} (limit {f1_limit:g})")
