"""What would have changed a decision: the found change turns it, and nothing nearer or fewer does."""

import dataclasses

import numpy as np
import pytest

from fraud_platform.features.profile import profile_table
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.scoring.counterfactuals import find_counterfactual
from fraud_platform_tests.scoring.models import Line, boosted_trees, bundle_of, features_of, plausible_rows

COUNT = len(FEATURE_NAMES)


def bundle_on(estimator, rows, **options):
    baseline = profile_table(features_of(rows), FEATURE_NAMES)
    return dataclasses.replace(bundle_of(estimator, **options), baseline=baseline)


def row_with(**values):
    row = np.zeros((1, COUNT), np.float32)
    row[0, 31] = -1  # noon
    for name, value in values.items():
        row[0, FEATURE_NAMES.index(name)] = value
    return row


def weights(**values):
    return np.array([values.get(name, 0.0) for name in FEATURE_NAMES])


def turned(row, found, bundle):
    """The decision about the changed transaction, built by hand from what the answer says."""
    changed = row.copy()
    for change in found.changes:
        if change.quantity == "Amount":
            changed[0, 28], changed[0, 29] = change.becomes, np.log1p(change.becomes)
        elif change.quantity == "Hour":
            angle = change.becomes * np.pi / 12
            changed[0, 30], changed[0, 31] = np.sin(angle), np.cos(angle)
        else:
            changed[0, FEATURE_NAMES.index(change.quantity)] = change.becomes
    return bundle.predict(changed)[0]


def test_of_a_line_the_nearest_single_value_is_the_one_at_the_threshold():
    # Log-odds are -4 + 2 V1 + V2: 4 with V1 = 3 and V2 = 2. From 0 on it alerts, so V1 must fall to 1.
    bundle = bundle_on(Line(-4.0, weights(V1=2.0, V2=1.0)), plausible_rows())
    row = row_with(V1=3, V2=2)
    found = find_counterfactual(row, bundle, is_alert=True)
    (change,) = found.changes
    assert (change.quantity, change.was) == ("V1", 3)
    # In as few digits as still turn it; V2 alone would have to fall below what is typical.
    assert 0.95 < change.becomes < 1
    assert turned(row, found, bundle) == found.probability < 0.5


def test_a_decision_without_an_alert_is_turned_within_what_training_rows_had():
    bundle = bundle_on(Line(-4.0, weights(V1=2.0, V2=1.0)), plausible_rows())
    found = find_counterfactual(row_with(), bundle, is_alert=False)
    (change,) = found.changes
    assert change.quantity == "V1"
    assert 2 <= change.becomes < 2.1
    assert found.probability >= 0.5


def test_where_no_single_value_suffices_the_fewest_are_found():
    # Each of V1, V2 and V3 takes 3 log-odds away; from 7 above the threshold all three must go, V4's tenth cannot help.
    bundle = bundle_on(Line(-2.0, weights(V1=1.0, V2=1.0, V3=1.0, V4=0.1)), plausible_rows())
    row = row_with(V1=3, V2=3, V3=3, V4=1)
    found = find_counterfactual(row, bundle, is_alert=True)
    assert {change.quantity for change in found.changes} == {"V1", "V2", "V3"}
    assert turned(row, found, bundle) == found.probability < 0.5
    # Not further than needed: V1 + V2 + V3 is close to 1.9, where the line crosses the threshold.
    assert sum(change.becomes for change in found.changes) == pytest.approx(1.9, abs=0.15)


def test_larger_sets_grow_by_what_helps_most():
    names = ("V1", "V2", "V3", "V4", "V5")
    bundle = bundle_on(Line(-0.5, weights(**dict.fromkeys(names, 1.0))), plausible_rows())
    row = row_with(**dict.fromkeys(names, 3))
    found = find_counterfactual(row, bundle, is_alert=True)
    assert {change.quantity for change in found.changes} == set(names)
    assert turned(row, found, bundle) < 0.5


def test_where_nothing_turns_the_decision_nothing_is_said_to():
    # Alerted even where everything is typical.
    bundle = bundle_on(Line(5.0, weights(V1=0.1)), plausible_rows())
    found = find_counterfactual(row_with(V1=1), bundle, is_alert=True)
    assert found.changes == ()
    assert np.isnan(found.probability)
    # V1 to V28, an amount and an hour; those that are typical already have nowhere to go.
    assert 0 < found.tried <= 30


def test_an_amount_takes_its_logarithm_along():
    bundle = bundle_on(Line(-4.0, weights(log1p_Amount=1.0)), plausible_rows())
    amount = 100.0
    row = row_with(Amount=amount, log1p_Amount=np.log1p(amount))
    found = find_counterfactual(row, bundle, is_alert=True)
    (change,) = found.changes
    # log1p of 53.6 is 4.
    assert (change.quantity, change.was) == ("Amount", 100)
    assert 50 < change.becomes < 53.6
    assert turned(row, found, bundle) == found.probability < 0.5


def test_an_hour_goes_the_short_way_round_the_clock():
    # Alerts within some hours of midnight; typical is noon.
    bundle = bundle_on(Line(-0.5, weights(Hour_cos=1.0)), plausible_rows())
    angle = 23 * np.pi / 12
    row = row_with(Hour_sin=np.sin(angle), Hour_cos=np.cos(angle))
    found = find_counterfactual(row, bundle, is_alert=True)
    (change,) = found.changes
    # cos is 0.5 at 20:00.
    assert change.was == pytest.approx(23, abs=1e-3)
    assert 19.6 < change.becomes < 20
    assert turned(row, found, bundle) == found.probability < 0.5


@pytest.mark.parametrize("is_alert", [True, False])
def test_of_trees_what_is_found_turns_the_decision_exactly(is_alert):
    matrix = plausible_rows()
    bundle = bundle_on(boosted_trees()[0], matrix)
    probabilities = bundle.predict(matrix)
    chosen = np.flatnonzero((probabilities >= 0.5) == is_alert)[:15]
    for row in chosen:
        found = find_counterfactual(matrix[[row]], bundle, is_alert=is_alert)
        assert found.changes
        assert (found.probability >= 0.5) != is_alert
        if all(change.quantity.startswith("V") for change in found.changes):
            assert turned(matrix[[row]], found, bundle) == found.probability
