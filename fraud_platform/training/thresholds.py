"""Where alerts begin: the decision threshold, chosen on validation rows only.

How good the decisions then are on other rows does not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from fraud_platform.errors import DataError, ModelError
from fraud_platform.metrics import ranked_counts

Policy = Literal["max_f1_with_precision_floor", "max_recall_with_precision_floor", "max_f1"]
POLICIES: tuple[str, ...] = get_args(Policy)


@dataclass(frozen=True)
class DecisionThreshold:
    """The calibrated probability from which on a transaction is alerted.

    Attributes:
        value: alert where fraud_probability >= value; in (0, 1].
        policy: the rule that chose it; "max_f1" also when no threshold reached the asked-for precision.
        expected: precision, recall, f1 and alert_share (alerts / rows) on the rows it was chosen on.

    Raises:
        ModelError: the value is not a probability or the policy is unknown.
    """

    value: float
    policy: str
    expected: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 0 < self.value <= 1 or self.policy not in POLICIES:
            raise ModelError(f"decision threshold {self.value} by {self.policy!r} is not valid; train the model again")

    def as_dict(self) -> dict[str, Any]:
        """The threshold as a JSON document."""
        return {"value": self.value, "policy": self.policy, "expected": dict(self.expected)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "DecisionThreshold":
        """The threshold that `as_dict` wrote."""
        expected = {name: float(value) for name, value in document["expected"].items()}
        return cls(float(document["value"]), document["policy"], expected)


def choose_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    policy: Policy = "max_f1_with_precision_floor",
    min_precision: float = 0.80,
) -> DecisionThreshold:
    """The threshold that serves `policy` best on these rows.

    Decision rule: among the distinct scores whose precision reaches `min_precision`, the one with the highest F1 (or
    recall); among equals the highest score, which alerts least. If none reaches it, the highest F1 of all. The
    threshold then lies midway between that score and the next lower one, so that scores that differ in the last
    digit on another machine still fall on the same side.

    Args:
        probabilities: calibrated probabilities of validation rows, [n], in [0, 1].
        labels: 1 = fraud, 0 = legitimate, [n].
        policy: what to maximise, and whether the floor holds.
        min_precision: precision floor, in [0, 1].

    Raises:
        DataError: no row is a fraud, or none has a probability above 0.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    counts = ranked_counts(labels, probabilities)
    if counts.fraud_total == 0:
        raise DataError("no fraud among the validation rows; widen the training window or wait for labels")
    # A threshold of 0 would alert every transaction there will ever be.
    is_allowed = counts.thresholds > 0
    if not is_allowed.any():
        raise DataError("the model gives every validation row probability 0; widen the training window")
    if policy != "max_f1":
        reaches_floor = is_allowed & (counts.precisions >= min_precision) & (counts.true_positives > 0)
        if reaches_floor.any():
            is_allowed = reaches_floor
        else:
            policy = "max_f1"
    objective = counts.recalls if policy == "max_recall_with_precision_floor" else counts.f1_scores
    # argmax takes the first of equals; scores run from the highest down.
    best = int(np.argmax(np.where(is_allowed, objective, -1.0)))
    next_lower = counts.thresholds[best + 1] if best + 1 < counts.thresholds.size else 0.0
    alerts = counts.true_positives[best] + counts.false_positives[best]
    return DecisionThreshold(
        value=_midway(float(next_lower), float(counts.thresholds[best])),
        policy=policy,
        expected={
            "precision": float(counts.precisions[best]),
            "recall": float(counts.recalls[best]),
            "f1": float(counts.f1_scores[best]),
            "alert_share": float(alerts / (counts.fraud_total + counts.legitimate_total)),
        },
    )


def _midway(lower: float, upper: float) -> float:
    """A number in (lower, upper], in their middle unless they are neighbours among floats."""
    middle = lower + (upper - lower) / 2
    return middle if lower < middle else upper
