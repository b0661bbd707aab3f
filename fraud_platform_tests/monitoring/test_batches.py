"""Figures over batches: quantiles that are real batches, shifts beyond chance, totals that only grow."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from fraud_platform.monitoring.batches import (
    IngestedBatch,
    ScoredBatch,
    ScoringTotals,
    decision_shift,
    scoring_latency,
)

DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def scored(number: int, *, rows: int = 1000, alerts: int = 10, seconds: float | None = 1.0, at: datetime = NOON):
    return ScoredBatch(DAY + timedelta(days=number), at, rows, alerts, seconds)


def by_day(*batches):
    return {batch.day: batch for batch in batches}


@pytest.mark.parametrize("count", [1, 2, 19, 20, 100, 101])
def test_a_quantile_is_the_time_of_a_real_batch_as_numpy_finds_it(count):
    seconds = np.random.default_rng(count).exponential(size=count)
    found = scoring_latency(scored(number, seconds=took) for number, took in enumerate(seconds))
    assert found == {q: np.quantile(seconds, q, method="inverted_cdf") for q in (0.5, 0.95, 0.99)}


def test_latency_is_that_of_the_last_day_of_work():
    old = scored(1, seconds=99.0, at=NOON - timedelta(hours=25))
    assert scoring_latency([old, scored(2, seconds=2.0)]) == {0.5: 2.0, 0.95: 2.0, 0.99: 2.0}
    # However long nobody has worked since, the last batch keeps its time.
    assert scoring_latency([old])[0.5] == 99.0


def test_a_batch_that_nobody_timed_has_no_latency_and_no_throughput():
    assert scoring_latency([scored(1, seconds=None)]) == {}
    assert scored(1, seconds=None).predictions_per_minute is None
    assert scored(1, rows=3000, seconds=2.0).predictions_per_minute == 90_000


def test_the_shift_is_relative_to_the_seven_days_before():
    # 10 of 1,000 on seven days; the eighth has 15. A day before them does not count.
    days = [scored(0, alerts=900), *(scored(number) for number in range(1, 8)), scored(8, alerts=15)]
    shift = decision_shift(by_day(*days))
    assert shift.ratio == pytest.approx(0.5)
    # The pooled two-proportion test; its square is Pearson's chi-squared without correction.
    chi_squared = stats.chi2_contingency([[15, 985], [70, 6930]], correction=False).statistic
    assert shift.sigmas == pytest.approx(np.sqrt(chi_squared))


def test_fewer_alerts_are_a_negative_shift():
    shift = decision_shift(by_day(scored(1, alerts=20), scored(2, alerts=10)))
    assert shift.ratio == pytest.approx(-0.5)
    assert shift.sigmas < 0


@pytest.mark.parametrize(
    "batches",
    [
        (),
        # Nothing before it.
        (scored(1),),
        # Nothing in the seven days before it.
        (scored(1), scored(20)),
        # Days without transactions compare with nothing.
        (scored(1, rows=0, alerts=0), scored(2)),
    ],
)
def test_there_is_no_shift_without_days_to_compare(batches):
    assert decision_shift(by_day(*batches)) is None


def test_a_first_alert_is_a_finite_shift():
    # Half an alert in 1,000 before, 2 in 1,000 now: four times as many.
    assert decision_shift(by_day(scored(1, alerts=0), scored(2, alerts=2))).ratio == pytest.approx(3.0)
    assert decision_shift(by_day(scored(1, alerts=0), scored(2, alerts=0))).ratio == 0


def test_totals_grow_with_every_scoring_also_of_the_same_day():
    totals, bounds = ScoringTotals(), (1.0, 10.0)
    for batch in (scored(1, seconds=0.5), scored(1, alerts=30, seconds=5.0), scored(2, seconds=None)):
        totals = totals.with_batch(batch, bounds)
    assert (totals.alert_count, totals.other_count) == (50, 2950)
    assert (totals.timed_count, totals.seconds) == (2, 5.5)
    assert totals.count_by_bound == {1.0: 1, 10.0: 2}


def test_quarantined_rows_are_a_share_of_the_landed_ones():
    batch = IngestedBatch(DAY, "v", NOON, 200, {"missing": 4, "negative": 2})
    assert batch.share_quarantined_for("missing") == 0.02
    assert batch.share_quarantined_for("missing", "negative", "unheard of") == 0.03
    assert IngestedBatch(DAY, "v", NOON, 0, {}).share_quarantined_for("missing") == 0
