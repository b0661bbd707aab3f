"""Slices by hand, and their intervals against scipy."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from fraud_platform.features.engineering import derived_features
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.storage import canonical_json
from fraud_platform.training.slices import Slice, hours_of, slice_decisions, wilson_interval


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.5, 0.95, 0.99]))
def test_the_interval_is_that_of_scipy(trials, share, confidence):
    hits = round(share * trials)
    ours = wilson_interval(hits, trials, confidence)
    peer = binomtest(hits, trials).proportion_ci(confidence, method="wilson")
    assert (ours.value, ours.low, ours.high) == pytest.approx((hits / trials, peer.low, peer.high), abs=1e-9)


def test_no_trial_has_no_interval():
    assert math.isnan(wilson_interval(0, 0).low)


def band(slices, name):
    return next(each for each in slices if each.name == name)


def rows():
    """Eight frauds of 5 with six caught, two of 2,000 with one caught; 90 legitimate of 20 with three alerted."""
    labels = np.repeat([1, 1, 0], [8, 2, 90])
    predictions = np.concatenate([np.repeat([1, 0], [6, 2]), [1, 0], np.repeat([1, 0], [3, 87])])
    amounts = np.repeat([5.0, 2_000.0, 20.0], [8, 2, 90])
    return labels, predictions, amounts, np.repeat([3.0, 12.0, 3.0], [8, 2, 90])


def test_counts_and_shares_of_a_hand_computed_case():
    slices = slice_decisions(*rows())
    assert [each.name for each in slices] == [
        "amount 0 to 10",
        "amount 10 to 50",
        "amount 50 to 200",
        "amount 200 to 1000",
        "amount 1000 and more",
        "hour 0 to 6",
        "hour 6 to 12",
        "hour 12 to 18",
        "hour 18 to 24",
    ]
    night = band(slices, "hour 0 to 6")
    assert (night.row_count, night.fraud_count, night.alert_count, night.caught_count) == (98, 8, 9, 6)
    assert (night.recall.value, night.precision.value, night.alert_rate.value) == pytest.approx((6 / 8, 6 / 9, 9 / 98))
    peer = binomtest(6, 8).proportion_ci(0.95, method="wilson")
    assert (night.recall.low, night.recall.high) == pytest.approx((peer.low, peer.high))
    # Every row is in one band of each quantity.
    assert sum(each.row_count for each in slices) == 2 * 100


def test_a_slice_of_few_frauds_is_not_applicable():
    slices = slice_decisions(*rows())
    assert band(slices, "amount 0 to 10").is_applicable
    # Two frauds, one caught.
    large = band(slices, "amount 1000 and more")
    assert not large.is_applicable
    assert math.isnan(large.recall.value)
    assert large.alert_rate.value == 0.5
    # No row at all.
    assert math.isnan(band(slices, "amount 50 to 200").alert_rate.value)


@pytest.mark.parametrize(
    ("amount", "hour", "names"),
    [
        (0.0, 0.0, ["amount 0 to 10", "hour 0 to 6"]),
        (9.99, 5.99, ["amount 0 to 10", "hour 0 to 6"]),
        # A bound belongs to the band it opens.
        (10.0, 6.0, ["amount 10 to 50", "hour 6 to 12"]),
        (1e6, 23.99, ["amount 1000 and more", "hour 18 to 24"]),
    ],
)
def test_a_bound_belongs_to_the_band_it_opens(amount, hour, names):
    slices = slice_decisions([1], [1], [amount], [hour])
    assert [each.name for each in slices if each.row_count] == names


def test_a_weight_counts_legitimate_rows_as_many_without_knowing_more():
    labels, predictions, amounts, hours = rows()
    weighted = band(slice_decisions(*rows(), legitimate_weight=4), "hour 0 to 6")
    repeats = np.where(labels == 1, 1, 4)
    repeated = band(
        slice_decisions(*(np.repeat(column, repeats) for column in (labels, predictions, amounts, hours))),
        "hour 0 to 6",
    )
    for name in ("precision", "recall", "alert_rate"):
        assert getattr(weighted, name).value == pytest.approx(getattr(repeated, name).value), name
    plain = band(slice_decisions(*rows()), "hour 0 to 6")
    assert weighted.recall == plain.recall
    # The same odds of a false alert, four times over.
    assert weighted.precision.low == pytest.approx(plain.precision.low / (4 - 3 * plain.precision.low))
    assert weighted.alert_rate.high - weighted.alert_rate.low > repeated.alert_rate.high - repeated.alert_rate.low


def test_the_hour_comes_back_from_the_circle():
    seconds = np.array([0, 1, 21_599, 21_600, 43_200, 64_800, 86_399])
    moments = pd.Series(pd.Timestamp("2026-03-08", tz="UTC") + pd.to_timedelta(seconds, unit="s"))
    derived = derived_features(pd.DataFrame({"Amount": 1.0, "event_time": moments}))
    features = np.zeros((seconds.size, len(FEATURE_NAMES)), np.float32)
    for name in ("Hour_sin", "Hour_cos"):
        features[:, FEATURE_NAMES.index(name)] = derived[name]
    hours = hours_of(features)
    assert hours == pytest.approx(seconds / 3_600, abs=1e-4)
    assert (hours < 24).all()
    # On the bound, not a moment before it.
    assert hours[3] == 6.0


def test_a_slice_survives_json():
    slices = slice_decisions(*rows())
    document = json.loads(canonical_json([each.as_dict() for each in slices]))
    assert document[4]["high"] is None
    assert document[4]["name"] == "amount 1000 and more"
    assert document[4]["recall"] == {"value": None, "low": None, "high": None}
    restored = [Slice.from_dict(each) for each in document]
    assert restored[0] == slices[0]
    assert restored[4].high == math.inf
    assert [each.as_dict() for each in restored] == [each.as_dict() for each in slices]
