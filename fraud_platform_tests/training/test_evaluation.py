"""Evaluations against scikit-learn, and bootstrap intervals against a bootstrap that draws real rows."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from fraud_platform.errors import DataError
from fraud_platform.metrics import (
    average_precision,
    brier,
    expected_cost,
    f1,
    fraud_amount_share,
    precision,
    precision_at_k,
    recall,
    recall_at_false_positive_rate,
    roc_auc,
)
from fraud_platform.training.bootstrap import RankingGroups, sample_jointly
from fraud_platform.training.evaluation import Evaluation, Interval, Metric, evaluate, paired_bootstrap_difference
from fraud_platform.training.reliability import expected_calibration_error

INTERVALS = tuple(field.name for field in fields(Evaluation) if field.type is Interval)


def scored_rows(row_count=4_000, fraud_share=0.02, seed=0, noise=1.0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(row_count) < fraud_share).astype(np.int8)
    margins = generator.normal(-6, 1.5, row_count) + 6 * labels
    # Rounded, so that scores tie.
    scores = np.round(1 / (1 + np.exp(-margins - noise * generator.normal(size=row_count))), 3)
    return scores, labels, np.round(generator.gamma(1, 80, row_count), 2)


def real_rows(labels, generator):
    """Positions of a stratified bootstrap sample, drawn the plain way."""
    frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    return np.concatenate([generator.choice(frauds, frauds.size), generator.choice(legitimate, legitimate.size)])


# 1: the file holds every transaction; 9.172: it holds one legitimate transaction in so many.
@pytest.mark.parametrize("legitimate_weight", [1.0, 9.172])
def test_every_figure_is_that_of_scikit_learn(legitimate_weight):
    scores, labels, amounts = scored_rows()
    alerts = scores >= 0.4
    weights = np.where(labels == 1, 1.0, legitimate_weight)
    weighted = {"sample_weight": weights}
    evaluation = evaluate(scores, labels, amounts, 0.4, seed=1, k=50, legitimate_weight=legitimate_weight)
    assert evaluation.average_precision.value == pytest.approx(peer.average_precision_score(labels, scores, **weighted))
    assert evaluation.roc_auc.value == pytest.approx(peer.roc_auc_score(labels, scores, **weighted))
    assert evaluation.f1.value == pytest.approx(peer.f1_score(labels, alerts, **weighted))
    assert evaluation.precision.value == pytest.approx(peer.precision_score(labels, alerts, **weighted))
    assert evaluation.recall.value == pytest.approx(peer.recall_score(labels, alerts, **weighted))
    assert evaluation.brier.value == pytest.approx(peer.brier_score_loss(labels, scores, **weighted))
    assert evaluation.precision_at_k.value == pytest.approx(precision_at_k(labels, scores, 50, weights))
    assert evaluation.recall_at_1_percent_false_positives.value == recall_at_false_positive_rate(
        labels, scores, 0.01, weights
    )
    assert evaluation.expected_calibration_error.value == pytest.approx(
        expected_calibration_error(labels, scores, weights)
    )
    assert evaluation.fraud_amount_share_alerted.value == pytest.approx(fraud_amount_share(labels, alerts, amounts))
    assert evaluation.cost_per_transaction.value == pytest.approx(
        expected_cost(labels, alerts, amounts, alert_cost=5.0, weights=weights)
    )
    assert evaluation.fraud_rate == pytest.approx(np.average(labels, weights=weights))
    assert evaluation.legitimate_weight == legitimate_weight
    # Counts are of rows, whatever a row stands for.
    matrix = peer.confusion_matrix(labels, alerts)
    assert list(evaluation.confusion.values()) == [matrix[1, 1], matrix[0, 1], matrix[0, 0], matrix[1, 0]]
    assert (evaluation.row_count, evaluation.fraud_count) == (labels.size, labels.sum())
    assert evaluation.fraud_amount == pytest.approx(amounts[labels == 1].sum())
    assert evaluation.fraud_amount_alerted == pytest.approx(amounts[(labels == 1) & alerts].sum())


@pytest.mark.parametrize("legitimate_weight", [1.0, 9.172])
def test_intervals_are_those_of_a_bootstrap_that_draws_real_rows(legitimate_weight):
    scores, labels, amounts = scored_rows()
    ours = evaluate(
        scores, labels, amounts, 0.4, seed=1, bootstrap_samples=2000, k=50, legitimate_weight=legitimate_weight
    )
    generator = np.random.default_rng(2)
    weights = np.where(labels == 1, 1.0, legitimate_weight)
    drawn: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for _ in range(600):
        rows = real_rows(labels, generator)
        sample_labels, sample_scores, scale, moved = labels[rows], scores[rows], weights[rows], amounts[rows]
        alerts = sample_scores >= 0.4
        drawn["average_precision"].append(average_precision(sample_labels, sample_scores, scale))
        drawn["roc_auc"].append(roc_auc(sample_labels, sample_scores, scale))
        drawn["f1"].append(f1(sample_labels, alerts, scale))
        drawn["precision"].append(precision(sample_labels, alerts, scale))
        drawn["recall"].append(recall(sample_labels, alerts, scale))
        drawn["precision_at_k"].append(precision_at_k(sample_labels, sample_scores, 50, scale))
        drawn["brier"].append(brier(sample_labels, sample_scores, scale))
        drawn["recall_at_1_percent_false_positives"].append(
            recall_at_false_positive_rate(sample_labels, sample_scores, 0.01, scale)
        )
        drawn["expected_calibration_error"].append(expected_calibration_error(sample_labels, sample_scores, scale))
        drawn["fraud_amount_share_alerted"].append(fraud_amount_share(sample_labels, alerts, moved))
        drawn["cost_per_transaction"].append(expected_cost(sample_labels, alerts, moved, alert_cost=5.0, weights=scale))
    for name in INTERVALS:
        interval = getattr(ours, name)
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        # Percentiles of some hundred draws wobble by a tenth of their spread.
        assert interval.low == pytest.approx(low, abs=0.12 * (high - low)), name
        assert interval.high == pytest.approx(high, abs=0.12 * (high - low)), name


@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])), min_size=4, max_size=40),
    st.sampled_from([0.0, 0.2, 0.35, 0.7, 1.0]),
    st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_grouped_rows_give_the_figures_of_the_rows(rows, threshold, k):
    labels, scores = map(np.array, zip(*rows, strict=True))
    labels[:2] = 0, 1
    groups = RankingGroups.of(scores, labels == 1, threshold)
    (counts,) = sample_jointly((groups,), labels == 1, samples=3, generator=np.random.default_rng(0))
    alerts = scores >= threshold
    assert counts.average_precision()[0] == pytest.approx(peer.average_precision_score(labels, scores))
    assert counts.roc_auc()[0] == pytest.approx(peer.roc_auc_score(labels, scores))
    assert counts.precision_at_k(k)[0] == pytest.approx(precision_at_k(labels, scores, k))
    false_positive_rates, recalls, _ = peer.roc_curve(labels, scores, drop_intermediate=False)
    for rate in (0.01, 0.3):
        assert counts.recall_at_false_positive_rate(rate)[0] == recalls[false_positive_rates <= rate].max()
    assert counts.recall()[0] == pytest.approx(peer.recall_score(labels, alerts))
    assert counts.f1()[0] == pytest.approx(peer.f1_score(labels, alerts))
    if alerts.any():
        assert counts.precision()[0] == pytest.approx(peer.precision_score(labels, alerts))
    # Stratified: every sample has as many rows of each class.
    assert set(counts.frauds.sum(axis=1)) == {labels.sum()}
    assert set(counts.legitimate.sum(axis=1)) == {labels.size - labels.sum()}


def test_an_interval_holds_its_value_and_narrows_with_confidence():
    scores, labels, amounts = scored_rows()
    wide = evaluate(scores, labels, amounts, 0.4, seed=1, confidence=0.99)
    narrow = evaluate(scores, labels, amounts, 0.4, seed=1, confidence=0.5)
    for name in INTERVALS:
        outer, inner = getattr(wide, name), getattr(narrow, name)
        assert outer.low <= inner.low <= inner.high <= outer.high
        assert outer.low <= outer.value <= outer.high


def test_the_same_seed_gives_the_same_evaluation_and_another_seed_the_same_values():
    scores, labels, amounts = scored_rows()
    first = evaluate(scores, labels, amounts, 0.4, seed=7)
    assert evaluate(scores, labels, amounts, 0.4, seed=7) == first
    other = evaluate(scores, labels, amounts, 0.4, seed=8)
    assert other.average_precision.value == first.average_precision.value
    assert other.average_precision.low != first.average_precision.low


def test_an_evaluation_survives_its_document_even_where_a_figure_does_not_exist():
    scores, labels, amounts = scored_rows(500)
    # A threshold above every score: no alert, so precision has no value.
    evaluation = evaluate(np.minimum(scores, 0.9), labels, amounts, 1.0, seed=1)
    document = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert document["precision"] == {"value": None, "low": None, "high": None}
    restored = Evaluation.from_dict(document)
    assert math.isnan(restored.precision.value)
    assert restored.as_dict() == evaluation.as_dict()
    assert (restored.f1.value, restored.recall.value) == (0.0, 0.0)


def test_weighting_legitimate_rows_is_the_same_as_repeating_them():
    scores, labels, amounts = scored_rows()
    repeats = np.where(labels == 1, 1, 3)
    weighted = evaluate(scores, labels, amounts, 0.4, seed=1, legitimate_weight=3)
    many_scores, many_labels, many_amounts = (np.repeat(column, repeats) for column in (scores, labels, amounts))
    repeated = evaluate(many_scores, many_labels, many_amounts, 0.4, seed=1)
    for name in INTERVALS:
        assert getattr(weighted, name).value == pytest.approx(getattr(repeated, name).value), name
    assert weighted.fraud_rate == pytest.approx(repeated.fraud_rate)
    # More rows would know more; a weight adds no knowledge, so its interval is as wide as that of the rows it has.
    plain = evaluate(scores, labels, amounts, 0.4, seed=1)
    width = plain.recall.high - plain.recall.low
    assert weighted.recall.high - weighted.recall.low == pytest.approx(width)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
def test_a_weight_that_no_row_can_have_is_refused(weight):
    with pytest.raises(ValueError, match="legitimate_weight"):
        evaluate([0.1, 0.2], [0, 1], [1.0, 1.0], 0.5, seed=1, legitimate_weight=weight)


def test_figures_an_earlier_version_did_not_measure_are_unknown():
    scores, labels, amounts = scored_rows(500)
    document = evaluate(scores, labels, amounts, 0.4, seed=1).as_dict()
    later = {"recall_at_1_percent_false_positives", "expected_calibration_error", "fraud_amount_share_alerted"}
    later |= {"cost_per_transaction", "legitimate_weight", "fraud_rate", "review_cost"}
    earlier = Evaluation.from_dict({name: figure for name, figure in document.items() if name not in later})
    assert math.isnan(earlier.expected_calibration_error.value)
    assert earlier.f1.as_dict() == document["f1"]
    assert (earlier.legitimate_weight, earlier.fraud_rate) == (1.0, labels.mean())


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_cannot_be_evaluated(label):
    with pytest.raises(DataError, match="both classes"):
        evaluate([0.1, 0.2], [label, label], [1.0, 1.0], 0.5, seed=1)


def test_probabilities_out_of_range_or_of_another_length_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        evaluate([0.1, 1.2], [0, 1], [1.0, 1.0], 0.5, seed=1)
    with pytest.raises(ValueError, match="one probability per label"):
        evaluate([0.1], [0, 1], [1.0, 1.0], 0.5, seed=1)


def test_a_model_does_not_differ_from_itself():
    scores, labels, _ = scored_rows()
    assert paired_bootstrap_difference(scores, scores, labels, seed=1) == Interval(0.0, 0.0, 0.0)


def test_a_better_challenger_is_told_from_the_champion():
    champion, labels, _ = scored_rows(noise=3.0)
    challenger = np.round(0.3 * champion + 0.7 * scored_rows(noise=0.0)[0], 3)
    difference = paired_bootstrap_difference(champion, challenger, labels, seed=1)
    expected = peer.average_precision_score(labels, challenger) - peer.average_precision_score(labels, champion)
    assert difference.value == pytest.approx(expected)
    assert 0 < difference.low < difference.value < difference.high
    backwards = paired_bootstrap_difference(challenger, champion, labels, seed=1)
    assert backwards.value == pytest.approx(-difference.value)
    assert backwards.high < 0


def test_paired_samples_are_those_of_a_bootstrap_that_draws_real_rows():
    champion, labels, _ = scored_rows(noise=1.5)
    challenger = np.clip(champion + np.random.default_rng(3).normal(0, 0.05, champion.size), 0, 1).round(3)
    cases: list[tuple[Metric, tuple, float]] = [
        ("average_precision", (None, None), 1.0),
        ("f1", (0.3, 0.35), 1.0),
        ("f1", (0.3, 0.35), 9.172),
    ]
    for metric, thresholds, legitimate_weight in cases:
        ours = paired_bootstrap_difference(
            champion,
            challenger,
            labels,
            seed=1,
            metric=metric,
            samples=3000,
            champion_threshold=thresholds[0],
            challenger_threshold=thresholds[1],
            legitimate_weight=legitimate_weight,
        )
        generator = np.random.default_rng(2)
        weights = np.where(labels == 1, 1.0, legitimate_weight)
        drawn = []
        for _ in range(600):
            rows = real_rows(labels, generator)
            if metric == "f1":
                pair = [
                    f1(labels[rows], p[rows] >= t, weights[rows])
                    for p, t in zip((champion, challenger), thresholds, strict=True)
                ]
            else:
                pair = [average_precision(labels[rows], p[rows], weights[rows]) for p in (champion, challenger)]
            drawn.append(pair[1] - pair[0])
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert ours.low == pytest.approx(low, abs=0.12 * (high - low))
        assert ours.high == pytest.approx(high, abs=0.12 * (high - low))


def test_comparing_decisions_needs_both_thresholds_and_a_known_metric():
    with pytest.raises(ValueError, match="champion_threshold"):
        paired_bootstrap_difference([0.1, 0.9], [0.2, 0.8], [0, 1], seed=1, metric="f1", champion_threshold=0.5)
    with pytest.raises(ValueError, match="average_precision"):
        paired_bootstrap_difference([0.1, 0.9], [0.2, 0.8], [0, 1], seed=1, metric="accuracy")  # type: ignore[arg-type]
