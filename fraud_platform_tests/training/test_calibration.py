"""Calibration against scikit-learn, and the rule that it never changes the ranking."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from fraud_platform.errors import ModelError
from fraud_platform.metrics import average_precision, brier, log_loss
from fraud_platform.training.calibration import (
    Calibration,
    _fit_beta,
    _fit_isotonic,
    _fit_platt,
    fit_calibration,
    log_odds,
    sigmoid,
)

PROBABILITIES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-12, 1e-9, 0.5, 1 - 1e-9, 1.0])), min_size=2, max_size=40
)
PLATTS = st.builds(
    lambda slope, intercept: Calibration("platt", {"slope": slope, "intercept": intercept}),
    st.floats(0.05, 2.0),
    st.floats(-8.0, 8.0),
)


def skewed_scores(seed=0, row_count=20_000, slope=2.0, intercept=4.0):
    """Labels drawn from true chances, and scores that overstate them as class weighting does."""
    generator = np.random.default_rng(seed)
    chances = sigmoid(generator.normal(-5, 2, row_count))
    labels = (generator.random(row_count) < chances).astype(np.int8)
    return sigmoid(slope * np.log(chances / (1 - chances)) + intercept), labels, chances


@given(PROBABILITIES, PLATTS)
def test_platt_scaling_never_inverts_two_scores_and_keeps_distinct_scores_distinct(scores, calibration):
    scores = np.unique(scores)
    calibrated = calibration.apply(scores)
    assert np.all(np.diff(calibrated) >= 0)
    # Further apart than rounding can swallow: they must not tie either.
    is_apart = np.diff(scores) > 1e-6
    assert np.all(np.diff(calibrated)[is_apart] > 0)
    assert np.all((calibrated >= 0) & (calibrated <= 1))


def test_ranking_metrics_are_untouched_by_calibration():
    scores, labels, _ = skewed_scores()
    calibration = fit_calibration(scores, labels)
    assert calibration.kind == "platt"
    calibrated = calibration.apply(scores)
    assert np.array_equal(np.argsort(calibrated, kind="stable"), np.argsort(scores, kind="stable"))
    assert average_precision(labels, calibrated) == average_precision(labels, scores)


def test_overstated_scores_become_probabilities_that_come_true():
    scores, labels, chances = skewed_scores()
    calibrated = fit_calibration(scores, labels).apply(scores)
    assert brier(labels, calibrated) < brier(labels, scores)
    # No map of the scores beats the chances that drew the labels by more than luck.
    assert log_loss(labels, calibrated) == pytest.approx(log_loss(labels, chances), rel=0.01)
    assert calibrated.sum() == pytest.approx(labels.sum(), rel=0.001)


def test_the_fit_is_the_logistic_regression_of_scikit_learn_on_smoothed_targets():
    scores, labels, _ = skewed_scores(row_count=5_000)
    fraud_count, legitimate_count = labels.sum(), (1 - labels).sum()
    targets = np.where(labels == 1, (fraud_count + 1) / (fraud_count + 2), 1 / (legitimate_count + 2))
    # A soft target is a row of each class, weighted.
    margins = np.tile(log_odds(scores), 2).reshape(-1, 1)
    classes = np.repeat([1, 0], labels.size)
    weights = np.concatenate([targets, 1 - targets])
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(margins, classes, sample_weight=weights)
    fitted = fit_calibration(scores, labels).parameters
    assert fitted["slope"] == pytest.approx(peer.coef_[0, 0], rel=1e-4)
    assert fitted["intercept"] == pytest.approx(peer.intercept_[0], rel=1e-4)


def test_calibrated_scores_are_mostly_left_alone():
    kinds = []
    for seed in range(12):
        _, labels, chances = skewed_scores(seed, row_count=4_000)
        kinds.append(fit_calibration(chances, labels).kind)
    assert kinds.count("none") >= 10


def test_weights_count_like_repeated_rows():
    scores, labels, _ = skewed_scores(row_count=2_000)
    weights = np.where(labels == 1, 1, 3)
    repeated = _fit_platt(np.repeat(scores, weights), np.repeat(labels == 1, weights), np.ones(weights.sum()))
    weighted = _fit_platt(scores, labels == 1, weights.astype(np.float64))
    assert weighted.parameters == pytest.approx(repeated.parameters, rel=1e-6)


def test_beta_calibration_is_the_logistic_regression_of_scikit_learn_on_both_logs():
    scores, labels, _ = skewed_scores(row_count=5_000)
    lines = np.column_stack([np.log(scores + 1e-6), -np.log(1 - scores + 1e-6)])
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(lines, labels)
    fitted = _fit_beta(scores, labels == 1, np.ones(labels.size))
    assert min(peer.coef_[0]) > 0
    np.testing.assert_allclose(fitted.apply(scores), peer.predict_proba(lines)[:, 1], atol=2e-3)


def test_isotonic_calibration_is_scikit_learns_and_keeps_the_ranking():
    scores, labels, _ = skewed_scores(row_count=3_000)
    peer = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    calibrated = _fit_isotonic(scores, labels == 1, np.ones(labels.size)).apply(scores)
    np.testing.assert_allclose(calibrated, peer.predict(scores), atol=2e-4)
    assert average_precision(labels, calibrated) == pytest.approx(average_precision(labels, scores), abs=1e-12)


def test_a_bend_that_no_line_follows_is_left_to_isotonic_calibration():
    generator = np.random.default_rng(3)
    scores = generator.random(20_000)
    # A cliff: nothing comes true below 0.5, half of all above.
    labels = (generator.random(20_000) < np.where(scores > 0.5, 0.5, 0.001)).astype(int)
    assert fit_calibration(scores, labels).kind == "isotonic"


def test_the_fit_does_not_depend_on_the_order_of_rows():
    scores, labels, _ = skewed_scores(row_count=3_000)
    shuffled = np.random.default_rng(1).permutation(labels.size)
    assert fit_calibration(scores, labels) == fit_calibration(scores[shuffled], labels[shuffled])


def test_separated_classes_give_a_finite_slope():
    labels = np.repeat([0, 1], [500, 50])
    fitted = fit_calibration(np.where(labels == 1, 0.6, 0.4), labels)
    assert fitted.kind == "platt"
    assert all(map(math.isfinite, fitted.parameters.values()))
    # Platt's smoothed target for 50 frauds.
    assert fitted.apply([0.6])[0] == pytest.approx(51 / 52, abs=1e-6)


def test_scores_that_are_exactly_zero_or_one_do_not_decide_the_slope():
    scores, labels, _ = skewed_scores()
    forest_like = np.round(scores * 100) / 100
    assert {0.0, 1.0} <= set(forest_like)
    fitted = fit_calibration(forest_like, labels)
    assert fitted.kind != "none"
    assert log_loss(labels, fitted.apply(forest_like)) < 1.2 * log_loss(
        labels, fit_calibration(scores, labels).apply(scores)
    )


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        (np.linspace(0, 1, 200), np.repeat([0, 1], [195, 5])),  # too few frauds to hold any out
        (np.linspace(1, 0, 200), np.repeat([0, 1], [100, 100])),  # scores that rank backwards must not be turned round
        (np.full(200, 0.5), np.repeat([0, 1], [100, 100])),  # nothing to learn from: no score differs
    ],
)
def test_scores_stay_as_they_are_when_no_increasing_map_can_be_learnt(scores, labels):
    assert fit_calibration(scores, labels) == Calibration()


def test_a_calibration_survives_its_document():
    for calibration in (
        Calibration(),
        Calibration("platt", {"slope": 0.7, "intercept": -3.25}),
        Calibration("isotonic", corners=((0.1, 0.0), (0.7, 1.0))),
    ):
        assert Calibration.from_dict(calibration.as_dict()) == calibration


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("spline", {}),  # unknown
        ("isotonic", {}),  # without corners
        ("beta", {"a": -1.0, "b": 1.0, "intercept": 0.0}),  # turns the ranking round at one end
        ("platt", {"slope": 1.0}),  # incomplete
        ("platt", {"slope": -1.0, "intercept": 0.0}),  # reverses the ranking
        ("platt", {"slope": math.nan, "intercept": 0.0}),  # damaged
    ],
)
def test_a_calibration_that_would_change_the_ranking_is_refused(kind, parameters):
    with pytest.raises(ModelError):
        Calibration(kind, parameters)
