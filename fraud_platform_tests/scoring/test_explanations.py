"""Reasons add up to the probability they explain, and name the features that moved it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.scoring.explanations import explain_probabilities, reasons_for
from fraud_platform.training.calibration import Calibration, sigmoid
from fraud_platform.training.estimators import MANY_ROWS
from fraud_platform_tests.scoring.models import Line, boosted_trees, bundle_of, features_of
from fraud_platform_tests.training.test_estimators import FEATURE_COUNT, FITS, fit_ensemble, rows

# shap colours its plots, on import, in a way that matplotlib will drop.
pytestmark = pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")

COUNT = len(FEATURE_NAMES)
CALIBRATIONS = st.one_of(
    st.just(Calibration()),
    st.builds(
        lambda slope, intercept: Calibration("platt", {"slope": slope, "intercept": intercept}),
        st.floats(0.2, 2.0),
        st.floats(-4.0, 4.0),
    ),
)


@given(st.integers(0, 2**32 - 1), CALIBRATIONS, st.floats(-6, 2))
@settings(deadline=None)
def test_contributions_lead_from_the_start_to_the_probability_and_keep_their_signs(seed, calibration, base):
    generator = np.random.default_rng(seed)
    line = Line(base, generator.normal(size=COUNT) * (generator.random(COUNT) < 0.3))
    bundle = bundle_of(line, calibration=calibration)
    matrix = generator.normal(size=(20, COUNT)).astype(np.float32)
    probabilities = bundle.predict(matrix)
    contributions, start = explain_probabilities(matrix, probabilities, bundle)
    assert start == pytest.approx(calibration.apply(sigmoid([base]))[0])
    assert start + contributions.sum(axis=1) == pytest.approx(probabilities, abs=1e-6)
    log_odds, _ = line.contributions(matrix)
    assert np.all(contributions * log_odds >= 0)


def test_boosted_trees_are_explained_in_units_of_calibrated_probability():
    estimator, matrix = boosted_trees()
    bundle = bundle_of(estimator, calibration=Calibration("platt", {"slope": 0.8, "intercept": -0.5}))
    probabilities = bundle.predict(matrix)
    contributions, start = explain_probabilities(matrix, probabilities, bundle)
    assert start + contributions.sum(axis=1) == pytest.approx(probabilities, abs=1e-5)
    # The three features that the labels depend on lead by far.
    assert set(np.argsort(-np.abs(contributions).mean(axis=0))[:3]) == {0, 1, 2}


def test_all_reasons_of_a_row_add_up_to_what_moved_its_probability():
    estimator, matrix = boosted_trees()
    bundle = bundle_of(estimator)
    probabilities = bundle.predict(matrix[:50])
    _, start = explain_probabilities(matrix[:50], probabilities, bundle)
    for text, probability in zip(reasons_for(matrix[:50], probabilities, bundle, COUNT), probabilities, strict=True):
        reasons = json.loads(text)
        assert [reason["feature"] for reason in reasons] != list(FEATURE_NAMES)
        assert {reason["feature"] for reason in reasons} == set(FEATURE_NAMES)
        # Each contribution is rounded to a millionth.
        assert start + sum(reason["contribution"] for reason in reasons) == pytest.approx(probability, abs=5e-5)


def test_the_strongest_features_come_first_with_their_value_and_sign():
    weights = np.zeros(COUNT)
    weights[[13, 9, 3]] = -1.0, 0.75, 0.25
    row = np.zeros((1, COUNT), np.float32)
    row[0, [13, 9, 3]] = -5.1, -2.0, 4.0
    bundle = bundle_of(Line(-4.0, weights))
    (text,) = reasons_for(features_of(row), bundle.predict(row), bundle, 2)
    # V14 adds 5.1 to the log-odds, V10 takes 1.5, V4 adds 1: from -4 to 0.6 in all.
    slope = (sigmoid(0.6) - sigmoid(-4.0)) / 4.6
    assert json.loads(text) == [
        {"feature": "V14", "value": -5.1, "contribution": pytest.approx(5.1 * slope, abs=1e-6)},
        {"feature": "V10", "value": -2.0, "contribution": pytest.approx(-1.5 * slope, abs=1e-6)},
    ]


def test_a_row_that_ends_where_it_began_is_explained_with_finite_numbers():
    weights = np.zeros(COUNT)
    weights[:2] = 1.0, -1.0
    row = np.zeros((1, COUNT), np.float32)
    row[0, :2] = 3.0
    bundle = bundle_of(Line(-1.0, weights))
    contributions, start = explain_probabilities(row, bundle.predict(row), bundle)
    # Both features pull with the slope of the sigmoid at the start.
    expected = 3 * start * (1 - start)
    assert contributions[0, :2] == pytest.approx([expected, -expected])


FAMILIES = {**FITS, "ensemble": fit_ensemble}
EVERY_CALIBRATION = [
    Calibration(),
    Calibration("platt", {"slope": 0.7, "intercept": -1.0}),
    Calibration("beta", {"a": 0.8, "b": 0.3, "intercept": -0.5}),
    Calibration("isotonic", corners=((0.0, 0.0), (0.2, 0.01), (0.6, 0.5), (1.0, 1.0))),
]


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request):
    return FAMILIES[request.param]()


@pytest.mark.parametrize("calibration", EVERY_CALIBRATION, ids=lambda calibration: calibration.kind)
@pytest.mark.parametrize("row_total", [0, MANY_ROWS])
def test_of_every_family_and_calibration_contributions_lead_to_the_probability(fitted, calibration, row_total):
    names = FEATURE_NAMES[:FEATURE_COUNT]
    bundle = bundle_of(fitted, calibration=calibration, names=names)
    matrix, _ = rows(150, seed=3)
    probabilities = bundle.predict(matrix)
    contributions, start = explain_probabilities(matrix, probabilities, bundle, row_total)
    np.testing.assert_allclose(start + contributions.sum(axis=1), probabilities, atol=1e-6)
    # One positive factor for each row: shares and signs are those of the log-odds, which the shap library vouches for.
    log_odds, _ = fitted.contributions(matrix)
    weight = np.abs(log_odds).sum(axis=1, keepdims=True)
    scale = np.abs(contributions).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(contributions / scale, log_odds / weight, atol=1e-5)


def test_a_row_that_ends_where_it_began_has_the_slope_of_its_calibration():
    weights = np.zeros(COUNT)
    weights[:2] = 1.0, -1.0
    row = np.zeros((1, COUNT), np.float32)
    row[0, :2] = 3.0
    bundle = bundle_of(Line(-1.0, weights), calibration=Calibration("platt", {"slope": 0.5, "intercept": 0.3}))
    contributions, start = explain_probabilities(row, bundle.predict(row), bundle)
    # Platt's map halves the log-odds, and with them the slope.
    assert start == pytest.approx(sigmoid(-0.2), abs=1e-6)
    assert contributions[0, :2] == pytest.approx([1.5 * start * (1 - start), -1.5 * start * (1 - start)], rel=1e-4)


def test_no_rows_have_no_reasons():
    bundle = bundle_of(Line())
    assert reasons_for(np.empty((0, COUNT), np.float32), np.empty(0), bundle, 3) == []
