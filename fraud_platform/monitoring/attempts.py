"""Runs that worked on days: how many of these days are without a result, and how many broke the contract.

Reading runs from Dagster does not belong here; neither does which share is too much.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# Failures count while they are this much younger than the newest attempt: the newest one always counts, so that a
# failure after which nothing is tried any more does not fade.
ERROR_WINDOW = timedelta(hours=24)
SCHEMA_WINDOW = timedelta(days=7)


@dataclass(frozen=True)
class Attempt:
    """One run that was to bring days from landing zone to decisions.

    Attributes:
        days: the days it worked on.
        began: when it began.
        ended: when it ended.
        is_failed: whether it ended otherwise than well.
        broken_days: those of its days whose landed data broke the contract.
    """

    days: frozenset[date]
    began: datetime
    ended: datetime
    is_failed: bool
    broken_days: frozenset[date] = frozenset()


def error_share(attempts: Iterable[Attempt], scored_at: Mapping[date, datetime]) -> float | None:
    """The share of days, among those worked on of late, that their newest run has left without decisions.

    A run over several days may fail for one of them: a day that was scored after the run began does not count.

    Args:
        attempts: runs, in any order.
        scored_at: when each day was scored last.

    Returns:
        A share in [0, 1]; None before the first run.
    """

    def is_without_decisions(day: date, attempt: Attempt) -> bool:
        scored = scored_at.get(day)
        is_spared = len(attempt.days) > 1 and scored is not None and scored >= attempt.began
        return attempt.is_failed and not is_spared

    return _share_of_days(attempts, ERROR_WINDOW, is_without_decisions)


def broken_share(attempts: Iterable[Attempt]) -> float | None:
    """The share of batches, among those of the last week of work, whose newest run found the contract broken."""
    return _share_of_days(attempts, SCHEMA_WINDOW, lambda day, attempt: day in attempt.broken_days)


def _share_of_days(
    attempts: Iterable[Attempt], window: timedelta, is_bad: Callable[[date, Attempt], bool]
) -> float | None:
    ordered = sorted(attempts, key=lambda attempt: (attempt.began, attempt.ended))
    if not ordered:
        return None
    newest = max(attempt.ended for attempt in ordered)
    last = {day: attempt for attempt in ordered if newest - attempt.ended <= window for day in attempt.days}
    bad = sum(is_bad(day, attempt) for day, attempt in last.items())
    return bad / len(last) if last else None
