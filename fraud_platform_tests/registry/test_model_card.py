"""The model card: what it tells of a model, and that it stays readable whatever is in it."""

from typing import Any

from fraud_platform.registry.gates import judge_gates
from fraud_platform.registry.model_card import model_card
from fraud_platform_tests.registry.judged_figures import GATES, NAN, TRAINED, evaluation, nights, passed


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
