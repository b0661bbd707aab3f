"""The decision threshold of each policy against a search over every possible one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from fraud_platform.errors import DataError, ModelError
from fraud_platform.training.thresholds import POLICIES, DecisionTerms, DecisionThreshold, choose_threshold

ROWS = st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 1), st.floats(0, 500)), min_size=1, max_size=30)
TERMS = DecisionTerms(min_precision=0.8, review_cost=5.0, review_share=0.3)


def choose(scores: Any, labels: Any, amounts: Any = None, policy: Any = "max_f1", terms=TERMS, **named: Any):
    moved = np.full(len(labels), 100.0) if amounts is None else amounts
    return choose_threshold(scores, labels, moved, policy=policy, terms=terms, **named)


@given(ROWS, st.sampled_from(POLICIES))
def test_no_other_threshold_serves_the_policy_better(rows, policy):
    scores, labels, amounts = map(np.array, zip(*rows, strict=True))
    assume(labels.any())
    chosen = choose(scores, labels, amounts, policy)

    def value_of(threshold: float) -> float:
        alerts = scores >= threshold
        if chosen.policy == "max_f1":
            return f1_score(labels, alerts)
        if chosen.policy == "precision_floor":
            reached = precision_score(labels, alerts, zero_division=0) >= TERMS.min_precision
            return recall_score(labels, alerts) if reached else -1.0
        if chosen.policy == "expected_cost":
            return -(amounts[(labels == 1) & ~alerts].sum() + TERMS.review_cost * alerts.sum())
        return alerts.sum() if alerts.sum() <= TERMS.review_share * len(labels) else -alerts.sum()

    best = max(value_of(threshold) for threshold in np.unique(scores))
    assert value_of(chosen.value) == pytest.approx(best)


@given(ROWS, st.sampled_from(POLICIES))
def test_the_threshold_lies_between_two_scores_and_gives_what_it_promises(rows, policy):
    scores, labels, amounts = map(np.array, zip(*rows, strict=True))
    assume(labels.any())
    chosen = choose(scores, labels, amounts, policy)
    alerts = scores >= chosen.value
    assert 0 < chosen.value <= scores[alerts].min()
    assert np.all(scores[~alerts] < chosen.value)
    assert chosen.expected["precision"] == pytest.approx(precision_score(labels, alerts))
    assert chosen.expected["recall"] == pytest.approx(recall_score(labels, alerts))
    assert chosen.expected["f1"] == pytest.approx(f1_score(labels, alerts))
    assert chosen.expected["alert_share"] == pytest.approx(alerts.mean())
    cost = amounts[(labels == 1) & ~alerts].sum() + TERMS.review_cost * alerts.sum()
    assert chosen.expected["cost_per_transaction"] == pytest.approx(cost / len(labels))


def test_weights_count_like_repeated_rows():
    scores, labels = np.array([0.9, 0.8, 0.7, 0.2]), np.array([1, 0, 1, 0])
    weights = np.array([1, 3, 1, 3])
    repeated = choose(np.repeat(scores, weights), np.repeat(labels, weights))
    weighted = choose(scores, labels, weights=weights)
    assert weighted.value == repeated.value
    assert weighted.expected == pytest.approx(repeated.expected)


def test_break_even_alerts_where_the_expected_loss_reaches_the_cost_of_a_review():
    # Worth 5 each: 0.5 x 4 = 2 is not, 0.1 x 100 = 10 is. The missed fraud of 4 and one review of 5, over two rows.
    chosen = choose([0.5, 0.1], [1, 0], [4.0, 100.0])
    assert chosen.expected["break_even_cost_per_transaction"] == pytest.approx((4 + 5) / 2)


def test_the_threshold_lies_in_the_middle_of_its_gap():
    chosen = choose([0.9, 0.7, 0.3, 0.1], [1, 1, 0, 0])
    assert chosen.value == pytest.approx(0.5)
    assert chosen.expected == pytest.approx(
        {
            "precision": 1.0,
            "recall": 1.0,
            "f1": 1.0,
            "alert_share": 0.5,
            "fraud_amount_share": 1.0,
            "cost_per_transaction": 2.5,
            # Every transaction of 100 with a probability of 0.05 or more is worth a look.
            "break_even_cost_per_transaction": 5.0,
        }
    )


def test_scores_that_differ_in_the_last_digit_elsewhere_keep_their_decisions():
    scores = np.array([0.9, 0.7, 0.3, 0.1])
    value = choose(scores, [1, 1, 0, 0]).value
    for elsewhere in (np.nextafter(scores, 0), np.nextafter(scores, 1)):
        assert np.array_equal(elsewhere >= value, scores >= value)


def test_neighbouring_floats_still_leave_room_for_a_threshold():
    upper = 0.5
    assert choose([upper, np.nextafter(upper, 0)], [1, 0]).value == upper


def test_a_floor_out_of_reach_falls_back_and_says_so():
    # The highest score is legitimate: a precision of 0.8 is out of reach.
    fallback = choose([0.9, 0.8], [0, 1], policy="precision_floor")
    assert (fallback.policy, fallback.expected["precision"]) == ("max_f1", 0.5)


def test_among_equals_the_threshold_alerts_least():
    # One alert gives F1 = 2/3, and so do all four: the first needs fewer analysts.
    chosen = choose([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1])
    assert (chosen.expected["alert_share"], chosen.expected["f1"]) == (0.25, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.9, 0.1], [0, 0]),  # no fraud to choose by
        ([0.0, 0.0], [1, 0]),  # only a threshold of 0 would find it, and everything else
    ],
)
def test_rows_that_cannot_place_a_threshold_are_refused(scores, labels):
    with pytest.raises(DataError, match="widen the training window"):
        choose(scores, labels)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="review_capacity"):
        choose([0.5], [1], policy="max_profit")


def test_a_threshold_survives_its_document():
    chosen = choose([0.9, 0.2], [1, 0])
    assert DecisionThreshold.from_dict(chosen.as_dict()) == chosen


@pytest.mark.parametrize("value", [0.0, -0.1, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(value):
    with pytest.raises(ModelError):
        DecisionThreshold(value, "max_f1", {})
