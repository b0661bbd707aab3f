"""Turns a model's scores into probabilities that come true, without changing their order.

Which model produced the scores, and where alerts begin, do not belong here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import ModelError
from fraud_platform.metrics import log_loss

Floats = NDArray[np.float64]
Kind = Literal["none", "platt", "beta", "isotonic"]

# With fewer rows of a class a slope says more about luck than about calibration.
MINIMUM_CLASS_ROWS = 10
# Half the 95 % quantile of chi-squared with two degrees of freedom: what two more parameters gain by luck alone.
_LUCKY_GAIN_NATS = 2.996
_NEWTON_STEPS = 100
_SMALLEST_STEP = 1e-12
# Log-odds of exactly 0 or 1, which forests do answer, would be infinite and would alone decide the slope. Adding a
# little to both chances bounds them smoothly, so that even the smallest scores keep their order.
_SOFTENING = 1e-6
_FOLD_COUNT = 5
# How much of the score an isotonic calibration adds to its steps.
_STEP_SLOPE = 1e-4
_PARAMETERS: Mapping[str, set[str]] = {
    "none": set(),
    "platt": {"slope", "intercept"},
    "beta": {"a", "b", "intercept"},
    "isotonic": set(),
}


@dataclass(frozen=True)
class Calibration:
    """An increasing map of probabilities to probabilities.

    Attributes:
        kind: "none" leaves probabilities as they are; "platt" is sigmoid(slope * log_odds(p) + intercept); "beta" is
            sigmoid(a * log(p) - b * log(1 - p) + intercept); "isotonic" is a step-wise fit, drawn through its corners.
        parameters: slope (> 0) and intercept for "platt"; a, b (>= 0, not both 0) and intercept for "beta".
        corners: (probability, calibrated probability) for "isotonic", both rising; empty for the others.

    Raises:
        ModelError: the kind is unknown, or a parameter is missing, not finite or would change the ranking.
    """

    kind: Kind = "none"
    parameters: Mapping[str, float] = field(default_factory=dict)
    corners: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if set(self.parameters) != _PARAMETERS.get(self.kind) or bool(self.corners) != (self.kind == "isotonic"):
            raise ModelError(
                f"calibration {self.kind!r} with {sorted(self.parameters)} is unknown; train the model again"
            )
        if not self._keeps_ranking():
            raise ModelError(f"calibration {dict(self.parameters)} does not keep the ranking; train the model again")

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities, float64 [n], in [0, 1], ordered like `probabilities` [n], in [0, 1]."""
        scores = np.asarray(probabilities, np.float64)
        if self.kind == "none":
            return scores
        if self.kind == "isotonic":
            # A part of the score itself keeps apart what a step would tie.
            steps = np.interp(scores, *np.array(self.corners).T)
            return (1 - _STEP_SLOPE) * steps + _STEP_SLOPE * scores
        if self.kind == "platt":
            margins = self.parameters["slope"] * log_odds(scores)
        else:
            margins = self.parameters["a"] * _log(scores) - self.parameters["b"] * _log(1 - scores)
        return sigmoid(margins + self.parameters["intercept"])

    def as_dict(self) -> dict[str, Any]:
        """The calibration as a JSON document."""
        return {"kind": self.kind, "parameters": dict(self.parameters), "corners": list(map(list, self.corners))}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calibration":
        """The calibration that `as_dict` wrote."""
        return cls(
            document["kind"],
            {name: float(value) for name, value in document["parameters"].items()},
            tuple((float(probability), float(value)) for probability, value in document["corners"]),
        )

    def _keeps_ranking(self) -> bool:
        if not all(np.isfinite(value) for value in self.parameters.values()):
            return False
        if self.kind == "isotonic":
            corners = np.array(self.corners)
            rises = np.diff(corners, axis=0)
            is_probability = np.isfinite(corners).all() and corners.min() >= 0 and corners.max() <= 1
            return bool(is_probability and (rises[:, 0] > 0).all() and (rises[:, 1] >= 0).all())
        slopes = [value for name, value in self.parameters.items() if name != "intercept"]
        return self.kind == "none" or (min(slopes) >= 0 and max(slopes) > 0)


def fit_calibration(
    probabilities: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, seed: int = 0
) -> Calibration:
    """The calibration whose probabilities come true best on rows it was not fitted on.

    Decision rule: none, Platt scaling, beta and isotonic calibration are each fitted on four fifths of the rows and
    judged on the other, five times; the simplest (in this order) whose summed log loss is within 2.996 nats of the best
    is fitted to all rows. The order of rows does not matter.

    Args:
        probabilities: scores of rows the model was not fitted on, [n], in [0, 1].
        labels: 1 = fraud, 0 = legitimate, [n].
        weights: how many transactions each row stands for, > 0, [n]; 1 each when None.
        seed: of the folds.

    Returns:
        An increasing calibration; "none" with fewer than 10 rows of either class.

    Source: Platt (1999), "Probabilistic outputs for support vector machines"; Lin, Lin and Weng (2007), "A note on
    Platt's probabilistic outputs for support vector machines"; Zadrozny and Elkan (2002), "Transforming classifier
    scores into accurate multiclass probability estimates"; Kull, Silva Filho and Flach (2017), "Beta calibration".
    """
    from sklearn.model_selection import StratifiedKFold

    scores, is_fraud = np.asarray(probabilities, np.float64), np.asarray(labels) == 1
    scale = np.ones(scores.size) if weights is None else np.asarray(weights, np.float64)
    fraud_count = int(is_fraud.sum())
    if min(fraud_count, is_fraud.size - fraud_count) < MINIMUM_CLASS_ROWS:
        return Calibration()
    # Sums round by the order of their terms; sorted rows make it the same whatever order they came in.
    order = np.lexsort((scale, scores, is_fraud))
    scores, is_fraud, scale = scores[order], is_fraud[order], scale[order]
    losses = dict.fromkeys(_FITS, 0.0)
    folds = StratifiedKFold(_FOLD_COUNT, shuffle=True, random_state=seed % 2**32)
    for fitted, judged in folds.split(np.empty((scores.size, 0)), is_fraud):
        for kind, fit in _FITS.items():
            calibration = fit(scores[fitted], is_fraud[fitted], scale[fitted])
            # Softened alike: one wrong certain answer would make a loss infinite and decide alone.
            changed = sigmoid(log_odds(calibration.apply(scores[judged])))
            losses[kind] += log_loss(is_fraud[judged], changed, scale[judged]) * float(scale[judged].sum())
    best = min(losses.values())
    chosen = next(kind for kind, loss in losses.items() if loss <= best + _LUCKY_GAIN_NATS)
    return _FITS[chosen](scores, is_fraud, scale)


def log_odds(probabilities: ArrayLike) -> Floats:
    """log((p + s) / (1 - p + s)) with s = 1e-6: the log-odds of p, bounded by 13.8 where p is 0 or 1, increasing."""
    chances = np.asarray(probabilities, np.float64)
    return np.log(chances + _SOFTENING) - np.log1p(_SOFTENING - chances)


def sigmoid(margins: ArrayLike) -> Floats:
    """1 / (1 + exp(-m)), in [0, 1], without overflow for any finite margin."""
    values = np.asarray(margins, np.float64)
    decay = np.exp(-np.abs(values))
    return np.where(values >= 0, 1.0, decay) / (1.0 + decay)


def _log(values: Floats) -> Floats:
    return np.log(values + _SOFTENING)


def _leave(scores: Floats, is_fraud: NDArray[np.bool_], weights: Floats) -> Calibration:
    del scores, is_fraud, weights
    return Calibration()


def _fit_beta(scores: Floats, is_fraud: NDArray[np.bool_], weights: Floats) -> Calibration:
    """Beta calibration by maximum likelihood, both slopes at least 0; none where both are."""
    from scipy.optimize import minimize

    lines = np.column_stack([_log(scores), -_log(1 - scores), np.ones(scores.size)])

    def loss(point: Floats) -> tuple[float, Floats]:
        margins = lines @ point
        errors = weights * (sigmoid(margins) - is_fraud)
        return float(weights @ (np.logaddexp(0.0, margins) - is_fraud * margins)), lines.T @ errors

    found = minimize(loss, np.array([1.0, 1.0, 0.0]), jac=True, bounds=[(0, None), (0, None), (None, None)])
    a, b, intercept = map(float, found.x)
    if not (np.isfinite(found.x).all() and a + b > 0):
        return Calibration()
    return Calibration("beta", {"a": a, "b": b, "intercept": intercept})


def _fit_isotonic(scores: Floats, is_fraud: NDArray[np.bool_], weights: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, is_fraud, weights)
    probabilities, first = np.unique(fitted.X_thresholds_, return_index=True)
    values = np.maximum.accumulate(fitted.y_thresholds_[first])
    if values[-1] <= values[0]:
        return Calibration()
    return Calibration("isotonic", corners=tuple(zip(probabilities.tolist(), values.tolist(), strict=True)))


def _fit_platt(scores: Floats, is_fraud: NDArray[np.bool_], weights: Floats) -> Calibration:
    """Platt scaling by damped Newton steps on the convex log loss; none where the best slope is not positive."""
    margins = log_odds(scores)
    fraud_count, legitimate_count = float(weights[is_fraud].sum()), float(weights[~is_fraud].sum())
    targets = np.where(is_fraud, (fraud_count + 1) / (fraud_count + 2), 1 / (legitimate_count + 2))

    def loss(candidate: Floats) -> float:
        line = candidate[0] * margins + candidate[1]
        return float(weights @ (np.logaddexp(0.0, line) - targets * line))

    # Start from the best constant, where the loss is tame; identity can be far off after class weighting.
    point = np.array([0.0, np.log((fraud_count + 1) / (legitimate_count + 1))])
    current = loss(point)
    for _ in range(_NEWTON_STEPS):
        chances = sigmoid(point[0] * margins + point[1])
        errors, curvature = weights * (chances - targets), weights * chances * (1 - chances)
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


# From the simplest on.
_FITS: Mapping[Kind, Callable[[Floats, NDArray[np.bool_], Floats], Calibration]] = {
    "none": _leave,
    "platt": _fit_platt,
    "beta": _fit_beta,
    "isotonic": _fit_isotonic,
}
