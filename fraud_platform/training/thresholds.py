"""Where alerts begin: a decision threshold for each policy, chosen on rows the models had not seen.

How good the decisions then are on other rows does not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import DataError, ModelError
from fraud_platform.metrics import RankedCounts, expected_cost, ranked_counts
from fraud_platform.setting_fields import Policy

Floats = NDArray[np.float64]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True)
class DecisionTerms:
    """What the policies go by.

    Attributes:
        min_precision: `precision_floor`: least share of alerts that are frauds, in [0, 1].
        review_cost: `expected_cost`: what looking into one alert costs, in the currency of `Amount`, >= 0.
        review_share: `review_capacity`: share of all transactions that can be looked into, in (0, 1].
    """

    min_precision: float
    review_cost: float
    review_share: float


@dataclass(frozen=True)
class DecisionThreshold:
    """The calibrated probability from which on a transaction is alerted.

    Attributes:
        value: alert where fraud_probability >= value; in (0, 1].
        policy: the rule that chose it; "max_f1" also when no threshold reached the asked-for precision.
        expected: on the rows it was chosen on, at the prevalence they were weighted to: precision, recall, f1,
            alert_share (alerts / rows), fraud_amount_share (alerted part of what the frauds moved),
            cost_per_transaction, and break_even_cost_per_transaction: the cost if every transaction had a threshold of
            its own, where the expected loss (probability times Amount) reaches the cost of a review.

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
    amounts: ArrayLike,
    *,
    policy: Policy,
    terms: DecisionTerms,
    weights: ArrayLike | None = None,
) -> DecisionThreshold:
    """The threshold that serves `policy` best on these rows.

    Decision rules over the distinct scores: "max_f1" takes the highest F1; "precision_floor" the highest recall among
    those whose precision reaches the floor, the highest F1 where none does; "expected_cost" the lowest sum of the
    amounts of missed frauds and the reviews of alerts; "review_capacity" the most alerts that can be looked into. Among
    equals the highest score, which alerts least. The threshold then lies midway between that score and the next lower
    one, so that scores that differ in the last digit on another machine still fall on the same side.

    Args:
        probabilities: calibrated probabilities of rows the models had not seen, [n], in [0, 1].
        labels: 1 = fraud, 0 = legitimate, [n].
        amounts: what each transaction moved, >= 0, [n].
        policy: what to go by.
        terms: floor, cost and capacity.
        weights: how many transactions each row stands for, >= 0, [n]; 1 each when None.

    Raises:
        DataError: no row is a fraud, or none has a probability above 0.

    Source: Elkan (2001), "The foundations of cost-sensitive learning", for cost and break-even.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    counts = ranked_counts(labels, probabilities, weights)
    if counts.fraud_total == 0:
        raise DataError(
            "no fraud among the rows to choose a threshold on; widen the training window or wait for labels"
        )
    # A threshold of 0 would alert every transaction there will ever be.
    is_allowed = counts.thresholds > 0
    if not is_allowed.any():
        raise DataError("the model gives every row probability 0; widen the training window")
    scale = np.ones(len(np.asarray(labels))) if weights is None else np.asarray(weights, np.float64)
    caught = ranked_counts(labels, probabilities, scale * np.asarray(amounts, np.float64)).true_positives
    alerts = counts.true_positives + counts.false_positives
    cost = caught[-1] - caught + terms.review_cost * alerts
    if policy == "precision_floor":
        reaches_floor = is_allowed & (counts.precisions >= terms.min_precision) & (counts.true_positives > 0)
        if reaches_floor.any():
            is_allowed = reaches_floor
        else:
            policy = "max_f1"
    objective = {
        "max_f1": counts.f1_scores,
        "precision_floor": counts.recalls,
        "expected_cost": -cost,
        # Beyond the capacity, the fewer alerts the better.
        "review_capacity": np.where(alerts <= terms.review_share * alerts[-1], alerts, -alerts),
    }[policy]
    # argmax takes the first of equals; scores run from the highest down.
    best = int(np.argmax(np.where(is_allowed, objective, -np.inf)))
    return DecisionThreshold(
        value=_threshold_below(counts, best),
        policy=policy,
        expected={
            "precision": float(counts.precisions[best]),
            "recall": float(counts.recalls[best]),
            "f1": float(counts.f1_scores[best]),
            "alert_share": float(alerts[best] / alerts[-1]),
            "fraud_amount_share": float(caught[best] / caught[-1]) if caught[-1] else 0.0,
            "cost_per_transaction": float(cost[best] / alerts[-1]),
            "break_even_cost_per_transaction": _break_even_cost(probabilities, labels, amounts, terms, weights),
        },
    )


def _threshold_below(counts: RankedCounts, best: int) -> float:
    """A number in (next lower score, this score], in their middle unless they are neighbours among floats."""
    upper = float(counts.thresholds[best])
    lower = float(counts.thresholds[best + 1]) if best + 1 < counts.thresholds.size else 0.0
    middle = lower + (upper - lower) / 2
    return middle if lower < middle else upper


def _break_even_cost(
    probabilities: ArrayLike, labels: ArrayLike, amounts: ArrayLike, terms: DecisionTerms, weights: ArrayLike | None
) -> float:
    is_worth_it = np.asarray(probabilities) * np.asarray(amounts, np.float64) >= terms.review_cost
    return expected_cost(labels, is_worth_it, amounts, alert_cost=terms.review_cost, weights=weights)
