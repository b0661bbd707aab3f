"""The decision threshold against a search over every possible one."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from fraud_platform.errors import DataError, ModelError
from fraud_platform.training.thresholds import DecisionThreshold, choose_threshold

ROWS = st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 1)), min_size=1, max_size=30)


@given(ROWS, st.sampled_from([0.0, 0.5, 0.8, 1.0]))
def test_no_other_threshold_has_a_higher_f1_at_the_asked_for_precision(rows, min_precision):
    scores, labels = map(np.array, zip(*rows, strict=True))
    assume(labels.any())
    chosen = choose_threshold(scores, labels, min_precision=min_precision)
    figures = []
    for value in np.unique(scores):
        alerts = scores >= value
        figures.append((precision_score(labels, alerts, zero_division=0), f1_score(labels, alerts)))
    reachable = [figure for figure in figures if figure[0] >= min_precision and figure[1] > 0]
    assert chosen.expected["f1"] == pytest.approx(max(f1 for _, f1 in reachable or figures))
    assert chosen.policy == ("max_f1_with_precision_floor" if reachable else "max_f1")


@given(ROWS)
def test_the_threshold_lies_between_two_scores_and_gives_what_it_promises(rows):
    scores, labels = map(np.array, zip(*rows, strict=True))
    assume(labels.any())
    chosen = choose_threshold(scores, labels)
    alerts = scores >= chosen.value
    assert 0 < chosen.value <= scores[alerts].min()
    assert np.all(scores[~alerts] < chosen.value)
    assert chosen.expected["precision"] == pytest.approx(precision_score(labels, alerts))
    assert chosen.expected["recall"] == pytest.approx(recall_score(labels, alerts))
    assert chosen.expected["f1"] == pytest.approx(f1_score(labels, alerts))
    assert chosen.expected["alert_share"] == pytest.approx(alerts.mean())


def test_the_threshold_lies_in_the_middle_of_its_gap():
    chosen = choose_threshold([0.9, 0.7, 0.3, 0.1], [1, 1, 0, 0])
    assert chosen.value == pytest.approx(0.5)
    assert chosen.expected == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "alert_share": 0.5}


def test_scores_that_differ_in_the_last_digit_elsewhere_keep_their_decisions():
    scores = np.array([0.9, 0.7, 0.3, 0.1])
    value = choose_threshold(scores, [1, 1, 0, 0]).value
    for elsewhere in (np.nextafter(scores, 0), np.nextafter(scores, 1)):
        assert np.array_equal(elsewhere >= value, scores >= value)


def test_neighbouring_floats_still_leave_room_for_a_threshold():
    upper = 0.5
    lower = np.nextafter(upper, 0)
    assert choose_threshold([upper, lower], [1, 0]).value == upper


def test_the_floor_costs_recall_and_the_fallback_is_named():
    # Ranked: fraud, legitimate, fraud, fraud. Best F1 alerts all four (6/7) at precision 3/4.
    scores, labels = [0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1]
    with_floor = choose_threshold(scores, labels, min_precision=0.8)
    assert (with_floor.policy, with_floor.expected["precision"]) == ("max_f1_with_precision_floor", 1.0)
    without = choose_threshold(scores, labels, policy="max_f1")
    assert without.expected["f1"] == pytest.approx(6 / 7)
    # The highest score is legitimate: a precision of 1 is out of reach.
    fallback = choose_threshold([0.9, 0.8], [0, 1], min_precision=1.0)
    assert (fallback.policy, fallback.expected["precision"]) == ("max_f1", 0.5)


def test_recall_policy_goes_as_deep_as_the_floor_allows():
    # Precision down the ranking: 1, 1, 2/3, 3/4, 3/5. F1 and recall agree that the fourth row is worth it at 0.7.
    chosen = choose_threshold(
        [0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0], policy="max_recall_with_precision_floor", min_precision=0.7
    )
    assert chosen.expected["recall"] == 1.0
    assert chosen.value == pytest.approx(0.55)


def test_among_equals_the_threshold_alerts_least():
    # Both one and three alerts give F1 = 2/3... the first needs fewer analysts.
    chosen = choose_threshold([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], policy="max_f1")
    assert chosen.expected == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "alert_share": 0.25})


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.9, 0.1], [0, 0]),  # no fraud to choose by
        ([0.0, 0.0], [1, 0]),  # only a threshold of 0 would find it, and everything else
    ],
)
def test_rows_that_cannot_place_a_threshold_are_refused(scores, labels):
    with pytest.raises(DataError, match="widen the training window"):
        choose_threshold(scores, labels)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="max_f1_with_precision_floor"):
        choose_threshold([0.5], [1], policy="max_profit")  # type: ignore[arg-type]


def test_a_threshold_survives_its_document():
    chosen = choose_threshold([0.9, 0.2], [1, 0])
    assert DecisionThreshold.from_dict(chosen.as_dict()) == chosen


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(value):
    with pytest.raises(ModelError):
        DecisionThreshold(value, "max_f1", {})
