"""The one look at the test split: the candidate and the champion on the same rows, and the document of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.validation import (
    TestReading,
    selected_candidate,
    training_figures,
    validate,
    validation_document,
)
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.storage import canonical_json
from fraud_platform.training.evaluation import Interval
from fraud_platform.training.leakage import SingleFeature, Telltales
from fraud_platform_tests.registry.candidates import candidate, judging_rows
from fraud_platform_tests.registry.registration import march, register

# Floors these small models reach, so that the tests choose what fails.
LOW = AcceptanceGates.of(ReleaseRules(min_f1=0.1, min_precision=0.1, min_recall=0.1, min_average_precision=0.1))


@pytest.fixture(scope="module")
def bundle():
    return candidate()


@pytest.fixture(scope="module")
def validated(bundle):
    return validate(bundle, judging_rows(), gates=LOW, champion=None, seed=3)


def test_the_figures_are_those_of_scikit_learn(bundle, validated):
    rows = judging_rows()
    probabilities = bundle.predict(rows.features)
    decisions = probabilities >= 0.5
    evaluation = validated.evaluation
    assert evaluation.average_precision.value == pytest.approx(
        sklearn_metrics.average_precision_score(rows.labels, probabilities)
    )
    assert evaluation.f1.value == pytest.approx(sklearn_metrics.f1_score(rows.labels, decisions))
    assert evaluation.recall.value == pytest.approx(sklearn_metrics.recall_score(rows.labels, decisions))
    np.testing.assert_array_equal(validated.probabilities, probabilities)


def test_a_candidate_that_passes_every_gate_is_accepted(validated):
    assert validated.is_accepted
    assert validated.sentence == "all 7 acceptance gates passed"
    assert validated.comparison is None


def test_every_failed_gate_is_in_the_sentence(bundle):
    gates = replace(LOW, min_f1=0.99, max_train_validation_gap=0.01)
    validation = validate(bundle, judging_rows(), gates=gates, champion=None, seed=3)
    assert not validation.is_accepted
    f1, gap = validation.sentence.split("; ")
    assert f1.startswith("f1 is 0.")
    assert f1.endswith("at least 0.990 is required")
    # The chosen family's own figures: .90 on train, .85 on validation.
    assert gap == "average precision falls by 0.050 from train to validation, at most 0.010 is allowed"


def test_gates_on_what_training_found_out_are_read_from_the_provenance():
    bundle = candidate(
        baseline_average_precision=0.85,
        telltales=Telltales(SingleFeature("V1", 0.95), SingleFeature("V2", 0.6), 0.93).as_dict(),
    )
    validation = validate(bundle, judging_rows(), gates=LOW, champion=None, seed=3)
    baseline, single, purest, plausible = validation.gates[-4:]
    # The chosen model's own figure on the same folds, which an ensemble has too: .84 out of fold.
    assert (baseline.name, baseline.value, baseline.limit, baseline.is_passed) == ("beats_baseline", 0.84, 0.85, False)
    assert (single.name, single.value, single.is_passed) == ("strongest_feature", 0.95, False)
    assert (purest.name, purest.value, purest.is_passed) == ("purest_feature", 0.6, False)
    assert (plausible.name, plausible.value, plausible.is_passed) == ("all_features", 0.93, False)


def test_a_logistic_regression_does_not_have_to_be_above_itself():
    bundle = replace(candidate(rounds=2, baseline_average_precision=0.8), algorithm="logistic_regression")
    (row,) = bundle.provenance["candidates"]
    row["name"] = "logistic_regression"
    assert training_figures(bundle).baseline_average_precision is None


def test_figures_are_at_the_prevalence_of_the_transactions_the_rows_stand_for(bundle, validated):
    weighted = validate(bundle, judging_rows(), gates=LOW, champion=None, seed=3, legitimate_weight=10, review_cost=7)
    rows = judging_rows()
    frauds, legitimate = rows.fraud_count, rows.row_count - rows.fraud_count
    assert weighted.evaluation.fraud_rate == pytest.approx(frauds / (frauds + 10 * legitimate))
    assert weighted.evaluation.precision.value < validated.evaluation.precision.value
    assert weighted.evaluation.recall == validated.evaluation.recall
    assert weighted.evaluation.review_cost == 7
    for few, many in zip(weighted.slices, validated.slices, strict=True):
        assert not few.precision.value > many.precision.value


def test_the_champion_is_measured_on_the_same_rows_at_its_own_threshold(bundle):
    version = register(MemoryRegistry(), "champion", as_of=march(1))
    champion = candidate(seed=4, rounds=3, threshold=0.2)
    validation = validate(bundle, judging_rows(), gates=LOW, champion=(version, champion), seed=3)
    comparison, rows = validation.comparison, judging_rows()
    expected = sklearn_metrics.f1_score(rows.labels, champion.predict(rows.features) >= 0.2)
    assert comparison.champion_f1 == pytest.approx(expected)
    assert comparison.candidate_f1 == validation.evaluation.f1.value
    assert (comparison.champion_as_of, comparison.candidate_as_of) == (march(1), march(8))
    # Three rounds know less than forty.
    assert comparison.average_precision_difference.value > 0


def test_a_model_beside_itself_differs_by_nothing(bundle):
    version = register(MemoryRegistry(), "champion")
    comparison = validate(bundle, judging_rows(), gates=LOW, champion=(version, bundle), seed=3).comparison
    assert comparison.average_precision_difference == comparison.f1_difference == Interval(0, 0, 0)


def test_the_row_of_the_family_that_became_the_model_is_selected(bundle):
    others = [{**bundle.provenance["candidates"][0], "name": name} for name in ("random_forest", "lightgbm")]
    crowded = replace(
        bundle, provenance={**bundle.provenance, "candidates": [*others, *bundle.provenance["candidates"]]}
    )
    assert selected_candidate(crowded)["name"] == "xgboost"


def test_the_document_keeps_every_reading_and_is_json(bundle, validated):
    reading = TestReading(datetime(2026, 3, 9, 1, tzinfo=UTC), run_id="run 2", bundle_sha256=bundle.digest)
    earlier = {"at": "2026-03-08T01:00:00+00:00", "run_id": "run 1", "bundle_sha256": "sha256:x"}
    document = json.loads(canonical_json(validation_document(validated, bundle, readings=[earlier, reading.as_dict()])))
    assert [each["run_id"] for each in document["test_readings"]] == ["run 1", "run 2"]
    assert document["test_readings"][1]["at"] == "2026-03-09T01:00:00+00:00"
    assert document["bundle_sha256"] == bundle.digest
    assert document["acceptance"]["is_accepted"] is True
    assert [gate["name"] for gate in document["acceptance"]["gates"]] == [
        "f1",
        "precision",
        "recall",
        "average_precision",
        "train_validation_gap",
        "calibration",
        "slices",
    ]
    assert [each["name"] for each in document["slices"]][:2] == ["amount 0 to 10", "amount 10 to 50"]
    assert (document["as_of"], document["origin"], document["algorithm"]) == ("2026-03-08", "replayed", "xgboost")
