"""Acceptance gates: each at its limit, on figures small enough to judge by hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fraud_platform.registry.gates import GateResult, TrainingFigures, judge_gates
from fraud_platform.storage import canonical_json
from fraud_platform.training.leakage import SingleFeature, Telltales
from fraud_platform.training.slices import slice_decisions
from fraud_platform_tests.registry.judged_figures import GATES, NAN, TRAINED, evaluation, nights, passed


def names(results: Sequence[GateResult]) -> list[str]:
    return [result.name for result in results if not result.is_passed]


def test_a_good_candidate_passes_every_gate() -> None:
    assert names(passed()) == []
    # Slices, baseline and single feature were not given.
    assert len(passed()) == 6


@pytest.mark.parametrize(
    ("figure", "at_the_limit"), [("f1", 0.75), ("precision", 0.80), ("recall", 0.70), ("average_precision", 0.70)]
)
def test_each_figure_passes_at_its_limit_and_fails_below_or_undefined(figure: str, at_the_limit: float) -> None:
    for value, failed in ((at_the_limit, []), (at_the_limit - 0.001, [figure]), (NAN, [figure])):
        assert names(judge_gates(evaluation(**{figure: value}), TRAINED, GATES)) == failed


@pytest.mark.parametrize(
    ("train", "validation", "failed"),
    [
        (0.875, 0.625, ["train_validation_gap"]),  # falls by 0.25
        (0.875, 0.75, []),
        (0.7, 0.8, []),  # better on validation than on train is no overfitting
        (0.9, NAN, ["train_validation_gap"]),
    ],
)
def test_a_wide_gap_between_train_and_validation_fails(train: float, validation: float, failed: list[str]) -> None:
    gates = replace(GATES, max_train_validation_gap=0.20)
    assert names(judge_gates(evaluation(), TrainingFigures(train, validation), gates)) == failed


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (0.0005, []),  # half the fraud rate of 0.001, the limit
        (0.00051, ["calibration"]),
        (0.001, ["calibration"]),  # a model that always answers 0
        (NAN, ["calibration"]),
    ],
)
def test_a_calibration_error_is_judged_as_a_share_of_the_fraud_rate(error: float, failed: list[str]) -> None:
    assert names(judge_gates(evaluation(expected_calibration_error=error), TRAINED, GATES)) == failed


@pytest.mark.parametrize(
    ("caught", "frauds", "failed"),
    [
        (0, 4, []),  # four frauds say nothing
        (1, 5, []),  # 0.2, but as much as 0.62 is possible
        (0, 8, ["slices"]),  # at most 0.32, half the recall that is required is 0.35
        (2, 20, ["slices"]),  # at most 0.30
    ],
)
def test_a_slice_fails_where_its_recall_certainly_collapsed(caught: int, frauds: int, failed: list[str]) -> None:
    gates = judge_gates(evaluation(), TRAINED, GATES, slices=nights(caught=caught, frauds=frauds))
    assert names(gates) == failed
    (gate,) = [gate for gate in gates if gate.name == "slices"]
    assert ("hour 0 to 6" in gate.explanation) == (frauds > 4)
    assert gate.explanation.startswith("recall collapses in hour 0 to 6 (" if failed else "recall collapses nowhere")


def test_slices_of_few_frauds_leave_their_gate_out() -> None:
    slices = slice_decisions([1, 0], [0, 0], [20.0, 20.0], [3.0, 3.0])
    assert len(judge_gates(evaluation(), TRAINED, GATES, slices=slices)) == 6


@pytest.mark.parametrize(
    ("reached", "baseline", "failed"),
    [(0.81, 0.80, []), (0.80, 0.80, ["beats_baseline"]), (0.79, 0.80, ["beats_baseline"]), (0.79, None, [])],
)
def test_a_candidate_has_to_be_above_logistic_regression(
    reached: float, baseline: float | None, failed: list[str]
) -> None:
    training = replace(TRAINED, out_of_fold_average_precision=reached, baseline_average_precision=baseline)
    assert names(judge_gates(evaluation(), training, GATES)) == failed


CLEAN = Telltales(SingleFeature("V14", 0.64), SingleFeature("V9", 0.20), 0.82)


@pytest.mark.parametrize(
    ("signs", "failed"),
    [
        (CLEAN, []),
        (replace(CLEAN, strongest=SingleFeature("V3", 0.90)), []),
        (replace(CLEAN, strongest=SingleFeature("V3", 0.91)), ["strongest_feature"]),
        (replace(CLEAN, purest=SingleFeature("V3", 0.50)), []),
        (replace(CLEAN, purest=SingleFeature("V3", 0.51)), ["purest_feature"]),
        (replace(CLEAN, average_precision_bound=0.91), []),
        (replace(CLEAN, average_precision_bound=0.92), ["all_features"]),
    ],
)
def test_what_is_known_too_well_looks_like_a_leak(signs: Telltales, failed: list[str]) -> None:
    gates = judge_gates(evaluation(), replace(TRAINED, telltales=signs), GATES)
    assert names(gates) == failed
    leaks = [gate.explanation for gate in gates if gate.explanation.startswith("looks like a leak: ")]
    assert len(leaks) == len(failed)
    assert all("V3 alone" in leak or "all features together" in leak for leak in leaks)


def test_gate_results_survive_json() -> None:
    gates = judge_gates(evaluation(f1=NAN), TRAINED, GATES)
    read = [GateResult.from_dict(json.loads(canonical_json(gate.as_dict()))) for gate in gates]
    assert math.isnan(read[0].value)
    assert read[1:] == list(gates[1:])
