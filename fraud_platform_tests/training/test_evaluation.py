"""Evaluations against scikit-learn, and bootstrap intervals against a bootstrap that draws real rows."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from fraud_platform.errors import DataError
from fraud_platform.metrics import average_precision, precision_at_k, roc_auc
from fraud_platform.training.bootstrap import RankingGroups, sample_jointly
from fraud_platform.training.evaluation import Evaluation, Interval, Metric, evaluate, paired_bootstrap_difference

INTERVALS = ("average_precision", "roc_auc", "f1", "precision", "recall", "precision_at_k", "brier")


def scored_rows(row_count=4_000, fraud_share=0.02, seed=0, noise=1.0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(row_count) < fraud_share).astype(np.int8)
    margins = generator.normal(-6, 1.5, row_count) + 6 * labels
    # Rounded, so that scores tie.
    scores = np.round(1 / (1 + np.exp(-margins - noise * generator.normal(size=row_count))), 3)
    return scores, labels, np.round(generator.gamma(1, 80, row_count), 2)


def test_every_figure_is_that_of_scikit_learn():
    scores, labels, amounts = scored_rows()
    alerts = scores >= 0.4
    evaluation = evaluate(scores, labels, amounts, 0.4, seed=1, k=50)
    assert evaluation.average_precision.value == pytest.approx(peer.average_precision_score(labels, scores))
    assert evaluation.roc_auc.value == pytest.approx(peer.roc_auc_score(labels, scores))
    assert evaluation.f1.value == pytest.approx(peer.f1_score(labels, alerts))
    assert evaluation.precision.value == pytest.approx(peer.precision_score(labels, alerts))
    assert evaluation.recall.value == pytest.approx(peer.recall_score(labels, alerts))
    assert evaluation.brier.value == pytest.approx(peer.brier_score_loss(labels, scores))
    assert evaluation.precision_at_k.value == pytest.approx(precision_at_k(labels, scores, 50))
    matrix = peer.confusion_matrix(labels, alerts)
    assert list(evaluation.confusion.values()) == [matrix[1, 1], matrix[0, 1], matrix[0, 0], matrix[1, 0]]
    assert (evaluation.row_count, evaluation.fraud_count) == (labels.size, labels.sum())
    assert evaluation.fraud_amount == pytest.approx(amounts[labels == 1].sum())
    assert evaluation.fraud_amount_alerted == pytest.approx(amounts[(labels == 1) & alerts].sum())


def test_intervals_are_those_of_a_bootstrap_that_draws_real_rows():
    scores, labels, amounts = scored_rows()
    ours = evaluate(scores, labels, amounts, 0.4, seed=1, bootstrap_samples=2000, k=50)
    generator = np.random.default_rng(2)
    frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    drawn: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for _ in range(600):
        rows = np.concatenate([generator.choice(frauds, frauds.size), generator.choice(legitimate, legitimate.size)])
        sample_labels, sample_scores = labels[rows], scores[rows]
        alerts = sample_scores >= 0.4
        drawn["average_precision"].append(average_precision(sample_labels, sample_scores))
        drawn["roc_auc"].append(roc_auc(sample_labels, sample_scores))
        drawn["f1"].append(peer.f1_score(sample_labels, alerts))
        drawn["precision"].append(peer.precision_score(sample_labels, alerts))
        drawn["recall"].append(peer.recall_score(sample_labels, alerts))
        drawn["precision_at_k"].append(precision_at_k(sample_labels, sample_scores, 50))
        drawn["brier"].append(((sample_scores - sample_labels) ** 2).mean())
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


def test_forty_two_thousand_rows_take_less_than_two_seconds():
    scores, labels, amounts = scored_rows(42_000, 0.00173)
    started = time.perf_counter()
    evaluate(scores, labels, amounts, 0.4, seed=1)
    assert time.perf_counter() - started < 2


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
    cases: list[tuple[Metric, tuple]] = [("average_precision", (None, None)), ("f1", (0.3, 0.35))]
    for metric, thresholds in cases:
        ours = paired_bootstrap_difference(
            champion,
            challenger,
            labels,
            seed=1,
            metric=metric,
            samples=3000,
            champion_threshold=thresholds[0],
            challenger_threshold=thresholds[1],
        )
        generator = np.random.default_rng(2)
        frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        drawn = []
        for _ in range(600):
            rows = np.concatenate(
                [generator.choice(frauds, frauds.size), generator.choice(legitimate, legitimate.size)]
            )
            if metric == "f1":
                pair = [
                    peer.f1_score(labels[rows], p[rows] >= t)
                    for p, t in zip((champion, challenger), thresholds, strict=True)
                ]
            else:
                pair = [average_precision(labels[rows], p[rows]) for p in (champion, challenger)]
            drawn.append(pair[1] - pair[0])
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert ours.low == pytest.approx(low, abs=0.12 * (high - low))
        assert ours.high == pytest.approx(high, abs=0.12 * (high - low))


def test_comparing_decisions_needs_both_thresholds_and_a_known_metric():
    with pytest.raises(ValueError, match="champion_threshold"):
        paired_bootstrap_difference([0.1, 0.9], [0.2, 0.8], [0, 1], seed=1, metric="f1", champion_threshold=0.5)
    with pytest.raises(ValueError, match="average_precision"):
        paired_bootstrap_difference([0.1, 0.9], [0.2, 0.8], [0, 1], seed=1, metric="accuracy")  # type: ignore[arg-type]
