"""Every metric against scikit-learn or a hand-computed case, weights and ties included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from fraud_platform.metrics import (
    ConfusionCounts,
    average_precision,
    brier,
    confusion_counts,
    expected_cost,
    f1,
    fraud_amount_share,
    log_loss,
    precision,
    precision_at_k,
    ranked_counts,
    recall,
    recall_at_false_positive_rate,
    roc_auc,
)

# Few distinct scores, so that ties are the rule rather than the exception.
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.sampled_from([0.5, 1.0, 9.172])),
    min_size=2,
    max_size=60,
)


def columns(rows):
    labels, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    return labels, scores, weights


@given(ROWS)
def test_ranking_metrics_agree_with_scikit_learn_on_tied_and_weighted_rows(rows):
    labels, scores, weights = columns(rows)
    labels[0], labels[1] = 1, 0
    for scale in (None, weights):
        assert average_precision(labels, scores, scale) == pytest.approx(
            peer.average_precision_score(labels, scores, sample_weight=scale)
        )
        assert roc_auc(labels, scores, scale) == pytest.approx(peer.roc_auc_score(labels, scores, sample_weight=scale))
        assert brier(labels, scores, scale) == pytest.approx(peer.brier_score_loss(labels, scores, sample_weight=scale))


@given(ROWS)
def test_decision_metrics_agree_with_scikit_learn_on_weighted_rows(rows):
    labels, scores, weights = columns(rows)
    labels[0], scores[0] = 1, 0.9
    predictions = (scores >= 0.5).astype(np.int8)
    for scale in (None, weights):
        assert precision(labels, predictions, scale) == pytest.approx(
            peer.precision_score(labels, predictions, sample_weight=scale)
        )
        assert recall(labels, predictions, scale) == pytest.approx(
            peer.recall_score(labels, predictions, sample_weight=scale)
        )
        assert f1(labels, predictions, scale) == pytest.approx(peer.f1_score(labels, predictions, sample_weight=scale))
        counts = confusion_counts(labels, predictions, scale)
        (negative, positive) = peer.confusion_matrix(labels, predictions, sample_weight=scale, labels=[0, 1])
        assert [counts.true_negatives, counts.false_positives] == pytest.approx(list(negative))
        assert [counts.false_negatives, counts.true_positives] == pytest.approx(list(positive))


@given(ROWS, st.integers(1, 80))
def test_precision_at_k_is_the_mean_over_every_order_of_tied_rows(rows, k):
    labels, scores, _ = columns(rows)
    # Rows certainly in, plus those at the cut-off in proportion to the places left: a hypergeometric mean.
    reach = min(k, labels.size)
    cut = np.sort(scores)[::-1][reach - 1]
    above, tied = scores > cut, scores == cut
    expected = (labels[above].sum() + labels[tied].mean() * (reach - above.sum())) / reach
    assert precision_at_k(labels, scores, k) == pytest.approx(expected)


@given(ROWS, st.sampled_from([0.0, 0.01, 0.25, 0.5, 1.0]))
def test_recall_at_a_false_positive_rate_is_the_highest_point_of_the_roc_curve_within_it(rows, rate):
    labels, scores, weights = columns(rows)
    labels[0], labels[1] = 1, 0
    for scale in (None, weights):
        rates, recalls, _ = peer.roc_curve(labels, scores, sample_weight=scale, drop_intermediate=False)
        expected = recalls[rates <= rate + 1e-9].max()
        assert recall_at_false_positive_rate(labels, scores, rate, scale) == pytest.approx(expected)


@given(ROWS)
def test_integer_weights_are_the_same_as_repeated_rows(rows):
    labels, scores, _ = columns(rows)
    labels[0], labels[1] = 1, 0
    repeats = np.arange(labels.size) % 3 + 1
    many_labels, many_scores = np.repeat(labels, repeats), np.repeat(scores, repeats)
    for metric in (average_precision, roc_auc, brier):
        assert metric(labels, scores, repeats) == pytest.approx(metric(many_labels, many_scores))
    assert precision_at_k(labels, scores, 5, repeats) == pytest.approx(precision_at_k(many_labels, many_scores, 5))
    assert expected_cost(labels, scores > 0.4, scores, alert_cost=2, weights=repeats) == pytest.approx(
        expected_cost(many_labels, many_scores > 0.4, many_scores, alert_cost=2)
    )


@given(ROWS)
@settings(max_examples=50)
def test_no_ranking_metric_depends_on_the_order_of_rows(rows):
    labels, scores, weights = columns(rows)
    labels[0], labels[1] = 1, 0
    for metric in (average_precision, roc_auc):
        backwards = metric(labels[::-1], scores[::-1], weights[::-1])
        assert metric(labels, scores, weights) == pytest.approx(backwards)


def test_a_hand_computed_ranking():
    # Ranked: fraud, legitimate, fraud, legitimate. AP = 1/2 * 1/1 + 1/2 * 2/3; three of four pairs are in order.
    labels, scores = [0, 1, 0, 1], [0.1, 0.9, 0.8, 0.3]
    assert average_precision(labels, scores) == pytest.approx(5 / 6)
    assert roc_auc(labels, scores) == 0.75
    assert precision_at_k(labels, scores, 2) == 0.5
    counts = ranked_counts(labels, scores)
    assert counts.thresholds.tolist() == [0.9, 0.8, 0.3, 0.1]
    assert counts.precisions == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert counts.recalls == pytest.approx([1 / 2, 1 / 2, 1, 1])
    assert counts.f1_scores == pytest.approx([2 / 3, 1 / 2, 4 / 5, 2 / 3])


def test_a_hand_computed_cost():
    # An alerted fraud and a false alert cost 5 each, the missed fraud of 120 costs 120, peace costs nothing.
    cost = expected_cost([1, 0, 1, 0], [1, 1, 0, 0], [50.0, 10.0, 120.0, 7.0], alert_cost=5)
    assert cost == (5 + 5 + 120 + 0) / 4


def test_a_hand_computed_share_of_money():
    # Of 50 + 120 that frauds moved, 50 were alerted; what legitimate rows moved does not matter.
    assert fraud_amount_share([1, 0, 1, 0], [1, 1, 0, 0], [50.0, 10.0, 120.0, 7.0]) == pytest.approx(50 / 170)


def test_log_loss_agrees_with_scikit_learn_and_is_infinite_when_a_certain_answer_is_wrong():
    labels, chances, weights = [1, 0, 1], [0.9, 0.2, 0.6], [1.0, 2.0, 3.0]
    assert log_loss(labels, chances, weights) == pytest.approx(peer.log_loss(labels, chances, sample_weight=weights))
    assert log_loss([1, 0], [0.0, 0.0]) == math.inf
    # The wrong answer stands for no transaction.
    assert log_loss([1, 0], [0.0, 0.5], [0.0, 1.0]) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "undefined",
    [
        lambda: precision([1, 0], [0, 0]),  # no alerts
        lambda: recall([0, 0], [1, 0]),  # no frauds
        lambda: f1([0, 0], [0, 0]),  # neither
        lambda: average_precision([0, 0], [0.1, 0.2]),  # no frauds
        lambda: roc_auc([1, 1], [0.1, 0.2]),  # no legitimate rows
        lambda: recall_at_false_positive_rate([0, 0], [0.1, 0.2], 0.01),  # no frauds
        lambda: recall_at_false_positive_rate([1, 1], [0.1, 0.2], 0.01),  # no legitimate rows
        lambda: fraud_amount_share([1, 0], [1, 0], [0.0, 5.0]),  # frauds that moved nothing
        lambda: brier([], []),  # no rows
        lambda: precision_at_k([], [], 3),  # no rows
        lambda: expected_cost([], [], [], alert_cost=1),  # no rows
    ],
)
def test_a_score_without_a_value_is_nan(undefined):
    assert math.isnan(undefined())


def test_f1_is_zero_not_nan_when_every_fraud_is_missed():
    assert f1([1, 0], [0, 0]) == 0.0
    assert confusion_counts([1, 0], [0, 0]) == ConfusionCounts(0, 0, 1, 1)


@pytest.mark.parametrize(
    ("malformed", "message"),
    [
        (lambda: average_precision([0.3, 0.7], [0, 1]), "labels must be 0 or 1"),  # arguments swapped
        (lambda: precision([0, 1], [0.2, 0.8]), "predictions must be 0 or 1"),  # probabilities, not decisions
        (lambda: roc_auc([0, 1], [0.5]), "2 finite numbers"),  # lengths differ
        (lambda: roc_auc([0, 1], [0.5, math.nan]), "finite"),  # no order
        (lambda: brier([0, 1], [0.5, 1.5]), "between 0 and 1"),  # not a probability
        (lambda: recall([0, 1], [0, 1], [1.0, -1.0]), "weights"),  # negative mass
        (lambda: recall([[0, 1]], [[0, 1]]), "one value per row"),  # a matrix
        (lambda: precision_at_k([0, 1], [0.5, 0.4], 0), "k must be positive"),
        (lambda: expected_cost([0], [0], [-1.0], alert_cost=1), "amounts"),
        (lambda: fraud_amount_share([1], [0], [math.nan]), "amounts"),
    ],
)
def test_malformed_input_is_refused(malformed, message):
    with pytest.raises(ValueError, match=message):
        malformed()
