"""What is watched of the stored reports, made by the platform's own functions from rows."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from fraud_platform.features.profile import profile_table
from fraud_platform.monitoring.limits import DriftLimits
from fraud_platform.monitoring.performance import estimated_performance, realised_performance
from fraud_platform.monitoring.report import drift_report
from fraud_platform.monitoring.stored_figures import JudgedDay, best_f1_of_last_days, drift_figures, outcome_figures

DAY = date(2026, 11, 1)


def shift_of(then, now):
    """What is watched of a feature that had the values `then` in training and has `now` those of today."""
    report = drift_report(
        day=DAY,
        model_version="1",
        reference=profile_table(pd.DataFrame({"V1": then}), ["V1"]),
        analysis_by_day={DAY: profile_table(pd.DataFrame({"V1": now}), ["V1"])},
        limits=DriftLimits(psi=0.25, feature_count=3),
    )
    return drift_figures(report).shifts["V1"]


def test_shifts_are_in_standard_deviations_of_training():
    then = np.random.default_rng(1).normal(size=2000)
    now = 3 * then + 4
    shift = shift_of(then, now)
    deviation = np.std(then, ddof=1)
    assert shift.mean_sigmas == pytest.approx((now.mean() - then.mean()) / deviation, rel=1e-3)
    # Three times as wide is two of training's standard deviations more.
    assert shift.std_sigmas == pytest.approx(2, rel=1e-6)
    assert shift.psi > 1


def test_a_constant_has_no_standard_deviation_to_be_measured_in():
    shift = shift_of(np.full(100, 2.0), np.linspace(0, 1, 100))
    assert shift.mean_sigmas is None
    assert shift.std_sigmas is None


@pytest.mark.parametrize(("now", "expected"), [([0.0, 1.0], False), ([-0.1, 1.0], True), ([0.0, 1.1], True)])
def test_a_value_beyond_those_of_training_is_out_of_range(now, expected):
    assert shift_of(np.linspace(0, 1, 50), np.array(now)).is_out_of_range is expected


def test_the_best_of_seven_days_says_that_each_was_this_or_worse():
    days = {DAY + timedelta(days=n): f1 for n, f1 in enumerate([0.9, 0.5, 0.6, 0.65, 0.4, 0.3, 0.2, 0.1])}
    judged = {day: JudgedDay(day, {"f1": f1}) for day, f1 in days.items()}
    assert best_f1_of_last_days(judged) == 0.65
    # A day without frauds and alerts has no F1, and breaks no series.
    judged[DAY + timedelta(days=9)] = JudgedDay(DAY + timedelta(days=9), {"f1": None})
    assert best_f1_of_last_days(judged) == 0.65


def test_before_seven_days_are_judged_there_is_no_best():
    judged = {DAY + timedelta(days=n): JudgedDay(DAY + timedelta(days=n), {"f1": 0.1}) for n in range(6)}
    assert best_f1_of_last_days(judged) is None


def test_scores_that_do_not_apply_are_left_out():
    predictions = pd.DataFrame(
        {"transaction_id": list("abcd"), "fraud_probability": [0.9, 0.8, 0.2, 0.1], "prediction": [1, 1, 0, 0]}
    )
    labels = pd.DataFrame({"transaction_id": list("abcd"), "Class": [1, 0, 1, 0]})
    mature = realised_performance(predictions, labels).as_dict()
    unlabelled = realised_performance(predictions, labels[:0]).as_dict()
    estimated = estimated_performance(predictions).as_dict()
    week = {"realised": mature, "estimated": estimated}
    figures = outcome_figures({"realised": unlabelled, "estimated": estimated, "rolling": week})
    assert figures.realised["day"] == {}
    assert figures.realised["week"]["precision"] == 0.5
    # Expected frauds 2.0, of which 1.7 among the two alerts.
    assert figures.estimated["day"]["precision"] == pytest.approx(0.85)
    assert set(figures.confusion.values()) == {1}
    assert set(figures.confusion) == {"true_positives", "false_positives", "true_negatives", "false_negatives"}
    assert figures.labelled_share == 1
