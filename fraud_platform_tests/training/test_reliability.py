"""Probabilities at their word, against cases small enough to compute by hand and against scikit-learn's curve."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from fraud_platform.training.reliability import expected_calibration_error, reliability


def test_a_hand_computed_error():
    # Bin 0: said 0.05 + 0.05, came true 1 of 2, excess 0.9. Bin 9: said 0.95 + 1.0, came true 1 of 2, excess 0.95.
    labels, probabilities = [1, 0, 1, 0], [0.05, 0.05, 0.95, 1.0]
    assert expected_calibration_error(labels, probabilities) == pytest.approx((0.9 + 0.95) / 4)
    # The legitimate rows count twice: excess 0.85 of 3 in bin 0, 1.95 of 3 in bin 9.
    assert expected_calibration_error(labels, probabilities, [1, 2, 1, 2]) == pytest.approx((0.85 + 1.95) / 6)


def test_a_model_that_always_answers_0_errs_by_the_fraud_rate():
    labels = np.repeat([1, 0], [173, 99_827])
    assert expected_calibration_error(labels, np.zeros(labels.size)) == pytest.approx(0.00173)


def test_bins_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    probabilities = generator.random(3_000) ** 2
    labels = (generator.random(3_000) < probabilities**1.3).astype(np.int8)
    bins = reliability(labels, probabilities)
    shares, means = calibration_curve(labels, probabilities, n_bins=10)
    assert bins.fraud_shares == pytest.approx(shares)
    assert bins.mean_probabilities == pytest.approx(means)
    assert bins.transactions.sum() == 3_000
    expected = np.average(np.abs(shares - means), weights=bins.transactions)
    assert expected_calibration_error(labels, probabilities) == pytest.approx(expected)


def test_an_empty_bin_has_no_share_and_no_rows_have_no_error():
    assert math.isnan(reliability([1, 0], [0.95, 0.95]).fraud_shares[0])
    assert math.isnan(expected_calibration_error([], []))
