"""Turns a model's scores into probabilities that come true, without changing their order.

Which model produced the scores, and where alerts begin, do not belong here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import ModelError
from fraud_platform.metrics import log_loss

Floats = NDArray[np.float64]

# With fewer rows of a class a slope says more about luck than about calibration.
MINIMUM_CLASS_ROWS = 10
# Half the 95 % quantile of chi-squared with two degrees of freedom: what slope and intercept gain by luck alone.
_LUCKY_GAIN_NATS = 2.996
_NEWTON_STEPS = 100
_SMALLEST_STEP = 1e-12
# Log-odds of exactly 0 or 1, which forests do answer, would be infinite and would alone decide the slope. Adding a
# little to both chances bounds them smoothly, so that even the smallest scores keep their order.
_SOFTENING = 1e-6


@dataclass(frozen=True)
class Calibration:
    """An increasing map of probabilities to probabilities.

    Attributes:
        kind: "none" leaves probabilities as they are; "platt" is sigmoid(slope * log_odds(p) + intercept).
        parameters: slope (> 0) and intercept in log-odds for "platt"; empty for "none".

    Raises:
        ModelError: the kind is unknown, or a parameter is missing, not finite or would change the ranking.
    """

    kind: Literal["none", "platt"] = "none"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = {"none": set(), "platt": {"slope", "intercept"}}.get(self.kind)
        if expected is None or set(self.parameters) != expected:
            raise ModelError(
                f"calibration {self.kind!r} with {sorted(self.parameters)} is unknown; train the model again"
            )
        if not all(np.isfinite(value) for value in self.parameters.values()) or self.parameters.get("slope", 1.0) <= 0:
            raise ModelError(f"calibration {dict(self.parameters)} does not keep the ranking; train the model again")

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, float64 [n], in [0, 1], ordered like `probabilities` [n], in [0, 1]."""
        scores = np.asarray(probabilities, np.float64)
        if self.kind == "none":
            return scores
        return sigmoid(self.parameters["slope"] * log_odds(scores) + self.parameters["intercept"])

    def as_dict(self) -> dict[str, Any]:
        """The calibration as a JSON document."""
        return {"kind": self.kind, "parameters": dict(self.parameters)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calibration":
        """The calibration that `as_dict` wrote."""
        return cls(document["kind"], {name: float(value) for name, value in document["parameters"].items()})


def fit_calibration(probabilities: ArrayLike, labels: ArrayLike) -> Calibration:
    """Platt scaling where the scores are miscalibrated beyond luck, else none.

    Decision rule: a likelihood-ratio test of the fitted slope and intercept against leaving the scores as they are
    (slope 1, intercept 0); Platt scaling when its total log loss is lower by more than 2.996 nats (5 % level). The
    fit uses Platt's smoothed targets, (N+ + 1)/(N+ + 2) for frauds and 1/(N- + 2) for the rest, which keep the slope
    finite when the classes separate. No randomness, and the order of rows does not matter.

    Args:
        probabilities: scores of rows the model was not fitted on, [n], in [0, 1].
        labels: 1 = fraud, 0 = legitimate, [n].

    Returns:
        An increasing calibration; "none" with fewer than 10 rows of either class.

    Source: Platt (1999), "Probabilistic outputs for support vector machines"; Lin, Lin and Weng (2007), "A note on
    Platt's probabilistic outputs for support vector machines"; Wilks (1938) for the test.
    """
    scores, is_fraud = np.asarray(probabilities, np.float64), np.asarray(labels) == 1
    fraud_count = int(is_fraud.sum())
    if min(fraud_count, is_fraud.size - fraud_count) < MINIMUM_CLASS_ROWS:
        return Calibration()
    # Sums round by the order of their terms; sorted rows make it the same whatever order they came in.
    order = np.lexsort((scores, is_fraud))
    scores, is_fraud = scores[order], is_fraud[order]
    fitted = _fit_platt(scores, is_fraud)
    # Softened alike: one wrong certain answer would make the untouched loss infinite and decide alone.
    untouched, changed = (sigmoid(log_odds(chances)) for chances in (scores, fitted.apply(scores)))
    gain = scores.size * (log_loss(is_fraud, untouched) - log_loss(is_fraud, changed))
    return fitted if gain > _LUCKY_GAIN_NATS else Calibration()


def log_odds(probabilities: ArrayLike) -> Floats:
    """log((p + s) / (1 - p + s)) with s = 1e-6: the log-odds of p, bounded by 13.8 where p is 0 or 1, increasing."""
    chances = np.asarray(probabilities, np.float64)
    return np.log(chances + _SOFTENING) - np.log1p(_SOFTENING - chances)


def sigmoid(margins: ArrayLike) -> Floats:
    """1 / (1 + exp(-m)), in [0, 1], without overflow for any finite margin."""
    values = np.asarray(margins, np.float64)
    decay = np.exp(-np.abs(values))
    return np.where(values >= 0, 1.0, decay) / (1.0 + decay)


def _fit_platt(scores: Floats, is_fraud: NDArray[np.bool_]) -> Calibration:
    """Platt scaling by damped Newton steps on the convex log loss; none where the best slope is not positive."""
    margins = log_odds(scores)
    fraud_count = int(is_fraud.sum())
    legitimate_count = is_fraud.size - fraud_count
    targets = np.where(is_fraud, (fraud_count + 1) / (fraud_count + 2), 1 / (legitimate_count + 2))

    def loss(candidate: Floats) -> float:
        line = candidate[0] * margins + candidate[1]
        return float((np.logaddexp(0.0, line) - targets * line).sum())

    # Start from the best constant, where the loss is tame; identity can be far off after class weighting.
    point = np.array([0.0, np.log((fraud_count + 1) / (legitimate_count + 1))])
    current = loss(point)
    for _ in range(_NEWTON_STEPS):
        chances = sigmoid(point[0] * margins + point[1])
        errors, curvature = chances - targets, chances * (1 - chances)
        weighted = curvature * margins
        gradient = np.array([errors @ margins, errors.sum()])
        hessian = np.array([[weighted @ margins, weighted.sum()], [weighted.sum(), curvature.sum()]])
        step = np.linalg.solve(hessian + 1e-12 * np.eye(2), gradient)
        # Half of gradient @ step is what the step can still gain; below rounding there is nothing left to do.
        if gradient @ step <= 1e-13 * (1.0 + current):
            break
        following = loss(point - step)
        while following > current and np.abs(step).max() > _SMALLEST_STEP:
            step /= 2
            following = loss(point - step)
        if following > current:
            break
        point, current = point - step, following
    slope, intercept = map(float, point)
    if not (np.isfinite(point).all() and slope > 0):
        return Calibration()
    return Calibration("platt", {"slope": slope, "intercept": intercept})
