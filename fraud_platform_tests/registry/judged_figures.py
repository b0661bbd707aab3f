"""A candidate's figures on a test split, small enough to judge by hand, and what the gates answer to them."""

import math

from fraud_platform.registry.gates import AcceptanceGates, GateResult, TrainingFigures, judge_gates
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.slices import Slice, slice_decisions

NAN = math.nan
GATES = AcceptanceGates.of(ReleaseRules())
TRAINED = TrainingFigures(train_average_precision=0.9, validation_average_precision=0.82)


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


def nights(*, caught: int, frauds: int) -> tuple[Slice, ...]:
    """By day 30 frauds of which 24 are caught, by night what is said; each of 20, so all in one band of amounts."""
    labels, alerts = [1] * (30 + frauds), [1] * 24 + [0] * 6 + [1] * caught + [0] * (frauds - caught)
    return slice_decisions(labels, alerts, [20.0] * len(labels), [12.0] * 30 + [3.0] * frauds)
