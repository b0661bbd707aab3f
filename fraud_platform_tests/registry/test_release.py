"""Gates and the comparison with the champion, on figures small enough to judge by hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from fraud_platform.registry.comparison import ChampionComparison
from fraud_platform.registry.gates import AcceptanceGates, GateResult, TrainingFigures, judge_gates
from fraud_platform.registry.model_card import model_card
from fraud_platform.registry.release import decide_release
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.storage import canonical_json
from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.leakage import SingleFeature, Telltales
from fraud_platform.training.slices import Slice, slice_decisions
from fraud_platform_tests.registry.registration import march

NAN = math.nan
GATES = AcceptanceGates.of(ReleaseRules())
TRAINED = TrainingFigures(train_average_precision=0.9, validation_average_precision=0.82)

decide = partial(decide_release, min_f1_improvement=0.02)


def evaluation(**changes: float) -> Evaluation:
    values = {"average_precision": 0.8, "f1": 0.8, "precision": 0.9, "recall": 0.75, "roc_auc": 0.97, "brier": 0.001}
    values |= {"precision_at_k": 0.6, "recall_at_1_percent_false_positives": 0.9, "expected_calibration_error": 0.0001}
    values |= {"fraud_amount_share_alerted": 0.7, "cost_per_transaction": 0.03}
    intervals = {name: Interval(value, value - 0.05, value + 0.05) for name, value in {**values, **changes}.items()}
    return Evaluation(
        **intervals,
        confusion={"true_positives": 30, "false_positives": 3, "true_negatives": 39957, "false_negatives": 10},
        row_count=40_000,
        fraud_count=40,
        fraud_amount=4000.0,
        fraud_amount_alerted=3000.0,
        threshold=0.42,
        k=100,
        confidence=0.95,
        legitimate_weight=1.0,
        fraud_rate=0.001,
        review_cost=5.0,
    )


def passed() -> tuple[GateResult, ...]:
    return judge_gates(evaluation(), TRAINED, GATES)


def comparison(**changes: Any) -> ChampionComparison:
    base = ChampionComparison(
        champion_version="1",
        champion_as_of=march(1),
        candidate_as_of=march(8),
        champion_f1=0.80,
        candidate_f1=0.80,
        average_precision_difference=Interval(-0.01, -0.09, 0.03),
        f1_difference=Interval(0.0, -0.04, 0.04),
    )
    return replace(base, **changes)


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


def nights(*, caught: int, frauds: int) -> tuple[Slice, ...]:
    """By day 30 frauds of which 24 are caught, by night what is said; each of 20, so all in one band of amounts."""
    labels, alerts = [1] * (30 + frauds), [1] * 24 + [0] * 6 + [1] * caught + [0] * (frauds - caught)
    return slice_decisions(labels, alerts, [20.0] * len(labels), [12.0] * 30 + [3.0] * frauds)


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


def test_gate_results_and_comparisons_survive_json() -> None:
    gates = judge_gates(evaluation(f1=NAN), TRAINED, GATES)
    read = [GateResult.from_dict(json.loads(canonical_json(gate.as_dict()))) for gate in gates]
    assert math.isnan(read[0].value)
    assert read[1:] == list(gates[1:])
    compared = comparison()
    assert ChampionComparison.from_dict(json.loads(canonical_json(compared.as_dict()))) == compared


def test_the_first_good_candidate_is_released() -> None:
    assert decide(passed(), None, "manual").action == "released"


def test_a_failed_gate_rejects_whatever_the_comparison_says() -> None:
    gates = judge_gates(evaluation(recall=0.5), TRAINED, GATES)
    decision = decide(gates, comparison(candidate_f1=0.99), "drift")
    assert decision.action == "rejected"
    assert decision.reasons == ("recall is 0.500 on the test split, at least 0.700 is required",)
    assert json.loads(canonical_json(decision.as_dict()))["action"] == "rejected"


@pytest.mark.parametrize(
    ("changes", "cause", "action"),
    [
        # F1 gains exactly the limit, with confidence.
        ({"candidate_f1": 0.82, "f1_difference": Interval(0.02, 0.001, 0.04)}, "schedule", "released"),
        ({"candidate_f1": 0.819, "f1_difference": Interval(0.019, 0.001, 0.04)}, "schedule", "kept"),
        # It gains much, which may be chance, or nobody knows whether it is.
        ({"candidate_f1": 0.9, "f1_difference": Interval(0.1, 0.0, 0.2)}, "schedule", "kept"),
        ({"candidate_f1": 0.9, "f1_difference": Interval.unknown()}, "schedule", "kept"),
        # Average precision is better with confidence.
        ({"average_precision_difference": Interval(0.03, 0.001, 0.06)}, "schedule", "released"),
        ({"average_precision_difference": Interval(0.03, 0.0, 0.06)}, "schedule", "kept"),
        # Being no worse suffices after drift only.
        ({}, "schedule", "kept"),
        ({}, "drift", "released"),
        ({"candidate_f1": 0.79}, "drift", "kept"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.049, 0.05)}, "drift", "released"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.049, 0.05)}, "schedule", "kept"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.05, 0.05)}, "drift", "kept"),
        # Who knows less than the champion never replaces it; who knows as much may.
        ({"candidate_f1": 0.99, "candidate_as_of": march(1)}, "drift", "released"),
        ({"candidate_f1": 0.99, "champion_as_of": march(9)}, "drift", "kept"),
        # A figure that does not exist proves nothing.
        ({"candidate_f1": NAN, "average_precision_difference": Interval(NAN, NAN, NAN)}, "drift", "kept"),
    ],
)
def test_a_candidate_has_to_beat_the_champion(changes: dict[str, Any], cause: str, action: str) -> None:
    decision = decide(passed(), comparison(**changes), cause)
    assert decision.action == action
    assert all(reason for reason in decision.reasons)


def test_the_reason_says_whether_a_gain_may_be_chance() -> None:
    lucky = comparison(candidate_f1=0.9, f1_difference=Interval(0.1, -0.01, 0.2))
    assert decide(passed(), lucky, "schedule").reasons[0] == (
        "F1 is 0.900, the champion (version 1) has 0.800 on the same rows, a difference of +0.100 "
        "(interval -0.010 to +0.200): which may be chance"
    )


def test_a_comparison_of_an_earlier_version_is_read_and_its_gain_in_f1_is_not_believed() -> None:
    document = comparison(candidate_f1=0.9).as_dict()
    del document["f1_difference"]
    decision = decide(passed(), ChampionComparison.from_dict(document), "schedule")
    assert decision.action == "kept"
    assert "(interval unknown)" in decision.reasons[0]


def test_an_older_candidate_is_told_why_it_is_not_released() -> None:
    decision = decide(passed(), comparison(champion_as_of=march(9)), "manual")
    assert decision.reasons[0].startswith("the champion (version 1) knows everything up to 2026-03-09")


def card(**changes: Any) -> str:
    facts: dict[str, Any] = {
        "name": "fraud_detector",
        "algorithm": "logistic_regression",
        "provenance": {"seed": 42, "data_version": "sha256:abc", "params": {"C": 1.0}, "note": "a|b\nc"},
        "evaluation": evaluation(roc_auc=NAN),
        "gates": passed(),
        "threshold": {"value": 0.42, "policy": "max_f1_with_precision_floor"},
        "origin": "replayed",
    }
    return model_card(**{**facts, **changes})


def test_a_model_card_tells_figures_gates_threshold_and_limits() -> None:
    text = card()
    assert "# fraud_detector: logistic regression" in text
    assert "| average precision | 0.800 | 0.750 to 0.850 |" in text
    assert "| ROC AUC | not defined | not defined to not defined |" in text
    assert "| recall | 0.750 | 0.700 | pass |" in text
    assert "40,000 transactions, 40 frauds, at a fraud rate of 0.100%" in text
    assert "from probability 0.4200 on (max f1 with precision floor" in text
    assert "## Limits" in text
    # MLflow's description ends at 5,000 characters.
    assert len(text) < 5000


def test_a_model_card_tells_the_slices_and_still_fits() -> None:
    text = card(slices=nights(caught=3, frauds=8))
    assert "| hour 0 to 6 | 8 | 8 | 3 | 3 | 0.375 (0.137 to 0.694) |" in text
    assert "Slice by slice" not in card()
    assert len(text) < 5000


def test_a_model_card_keeps_its_tables_whole_whatever_the_provenance_holds() -> None:
    assert "| note | a\\|b c |" in card()
    assert "params" not in card()


def test_a_model_card_says_when_the_data_were_simulated() -> None:
    assert "simulated transactions" in card(origin="simulated")
    assert "simulated" not in card()


def test_a_failed_gate_stands_out_in_the_model_card() -> None:
    gates = judge_gates(evaluation(f1=0.1), TRAINED, GATES)
    assert "| F1 | 0.100 | 0.750 | FAIL |" in card(gates=gates)
