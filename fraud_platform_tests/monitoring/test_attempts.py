"""Which days count as without decisions, and which batches as broken: always by their newest run."""

from datetime import UTC, date, datetime, timedelta

import pytest

from fraud_platform.monitoring.attempts import Attempt, broken_share, error_share

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAYS = [date(2026, 11, number) for number in range(1, 31)]


def attempt(hours: float, *days: date, is_failed: bool = False, broken: tuple[date, ...] = ()) -> Attempt:
    """A run of ten minutes that began `hours` before noon."""
    began = NOON - timedelta(hours=hours)
    return Attempt(frozenset(days), began, began + timedelta(minutes=10), is_failed, frozenset(broken))


def test_there_is_no_share_before_the_first_run():
    assert error_share([], {}) is None
    assert broken_share([]) is None


def test_the_newest_run_of_a_day_decides():
    failed, mended = attempt(3, DAYS[0], is_failed=True), attempt(1, DAYS[0])
    others = [attempt(2, day) for day in DAYS[1:4]]
    assert error_share([failed, *others], {}) == 0.25
    assert error_share([mended, failed, *others], {}) == 0
    assert error_share([failed, attempt(4, DAYS[0])], {}) == 1


def test_a_failure_fades_with_work_and_not_with_time():
    failed = attempt(30 * 24, DAYS[0], is_failed=True)
    assert error_share([failed], {}) == 1
    # A day of work later, it is no longer of late.
    assert error_share([failed, attempt(1, DAYS[1])], {}) == 0


def test_of_a_range_that_failed_the_days_that_were_scored_are_spared():
    failed = attempt(2, *DAYS[:4], is_failed=True)
    scored_at = {DAYS[0]: NOON - timedelta(hours=1.9), DAYS[1]: NOON - timedelta(hours=1), DAYS[2]: NOON - timedelta(3)}
    assert error_share([failed], scored_at) == 0.5


def test_a_single_day_whose_run_failed_is_without_what_comes_after_its_decisions():
    # Scored, and then its drift report failed: still an error.
    assert error_share([attempt(2, DAYS[0], is_failed=True)], {DAYS[0]: NOON - timedelta(hours=1.9)}) == 1


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        # One batch of four is broken; its run covers a sound day, too.
        ([attempt(5, *DAYS[:2], is_failed=True, broken=(DAYS[0],)), attempt(4, *DAYS[2:4])], 0.25),
        # Landed again and sound.
        ([attempt(5, DAYS[0], is_failed=True, broken=(DAYS[0],)), attempt(4, DAYS[0])], 0),
        # Failed for another reason since: not known to be broken.
        ([attempt(5, DAYS[0], is_failed=True, broken=(DAYS[0],)), attempt(4, DAYS[0], is_failed=True)], 0),
        # A week of work counts, and no more.
        ([attempt(8 * 24, DAYS[0], is_failed=True, broken=(DAYS[0],)), attempt(1, DAYS[1])], 0),
        ([attempt(6 * 24, DAYS[0], is_failed=True, broken=(DAYS[0],)), attempt(1, DAYS[1])], 0.5),
    ],
)
def test_a_batch_is_broken_when_its_newest_run_says_so(attempts, expected):
    assert broken_share(attempts) == expected
