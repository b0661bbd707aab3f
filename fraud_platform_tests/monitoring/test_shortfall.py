"""When realised performance has been too low for too long: whole weeks, pooled, by hand."""

from datetime import date, timedelta

import pytest

from fraud_platform.monitoring.shortfall import OutcomeCounts, persistent_shortfall

LAST = date(2026, 3, 14)


def counted(*weeks: tuple[int, int, int]) -> dict[date, OutcomeCounts]:
    """Each week's true positives, false positives and false negatives, on its last day; the latest week first."""
    return {LAST - timedelta(days=7 * week): OutcomeCounts(*figures) for week, figures in enumerate(weeks)}


def judged(counts, window_days=14, f1_limit=0.72):
    return persistent_shortfall(counts, last_day=LAST, window_days=window_days, f1_limit=f1_limit)


@pytest.mark.parametrize(
    ("weeks", "is_persistent"),
    [
        # F1 = 2 TP / (2 TP + FP + FN): 14 / 20 = .70 in both weeks.
        ([(7, 3, 3), (7, 3, 3)], True),
        # The week before was well: 16 / 20 = .80.
        ([(7, 3, 3), (8, 2, 2)], False),
        # The latest week has recovered.
        ([(8, 2, 2), (7, 3, 3)], False),
        # 18 / 25 = .72, exactly the limit, is not below it.
        ([(9, 4, 3), (7, 3, 3)], False),
        # Nothing caught at all.
        ([(0, 1, 5), (0, 0, 1)], True),
    ],
)
def test_both_weeks_have_to_be_below_the_limit(weeks, is_persistent):
    assert judged(counted(*weeks)).is_persistent is is_persistent


def test_a_week_is_pooled_over_its_days_not_averaged():
    # Day by day .5 and 1.0, on average .75; pooled 2 * 11 / (22 + 20) = .52.
    week = {LAST: OutcomeCounts(10, 10, 10), LAST - timedelta(days=1): OutcomeCounts(1, 0, 0)}
    week |= {LAST - timedelta(days=7): OutcomeCounts(1, 1, 1)}
    shortfall = judged(week)
    assert shortfall.is_persistent
    assert shortfall.sentence == (
        "realised F1 0.524 in the week to 2026-03-14, 0.500 in the week to 2026-03-07 (limit 0.72)"
    )


def test_a_week_has_seven_days():
    # The eighth day back belongs to the week before, the fifteenth to none.
    counts = {
        LAST - timedelta(days=6): OutcomeCounts(1, 9, 9),
        LAST - timedelta(days=7): OutcomeCounts(9, 1, 0),
        LAST - timedelta(days=14): OutcomeCounts(0, 99, 99),
    }
    assert judged(counts).sentence == (
        "realised F1 0.100 in the week to 2026-03-14, 0.947 in the week to 2026-03-07 (limit 0.72)"
    )


@pytest.mark.parametrize("counts", [{}, counted((7, 3, 3)), counted((0, 0, 0), (7, 3, 3))])
def test_a_week_without_frauds_and_alerts_concludes_nothing(counts):
    shortfall = judged(counts)
    assert not shortfall.is_persistent
    assert shortfall.sentence.startswith("not applicable: no fraud or alert is labelled in the week to 2026-03-")


@pytest.mark.parametrize(("window_days", "weeks_named"), [(7, 1), (20, 2), (21, 3), (3, 1)])
def test_whole_weeks_of_the_window_count(window_days, weeks_named):
    sentence = judged(counted(*[(1, 5, 5)] * 4), window_days=window_days).sentence
    assert sentence.count("in the week to") == weeks_named
