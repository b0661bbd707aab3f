"""Why a probability is what it is: each feature's part in it, in units of probability.

Plots do not belong here, and neither does the algorithm's own arithmetic: estimators explain their log-odds.
"""

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.training.calibration import sigmoid
from fraud_platform.training.dataset import feature_matrix

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

Floats = NDArray[np.float64]

# The boosters add up contributions in float32: a sum this small beside its terms is rounding.
_CANCELLED = 1e-6
# Of a central difference in double precision: small enough for a curve, large enough for its digits.
_STEP = 1e-4


def explain_probabilities(
    features: "pd.DataFrame | NDArray[np.float32]", probabilities: Floats, bundle: "ModelBundle", row_total: int = 0
) -> tuple[Floats, float]:
    """What each feature adds to or takes from each probability, and the probability all rows start from.

    Estimators explain log-odds, where features add up. One factor per row turns its contributions into probability:
    the slope between the start and where the row ended, so that the signs, the order and the proportions of the
    features stay, and start + sum of contributions = probability.

    Args:
        features: rows to explain: a table with the bundle's columns, or a float32 matrix [n, k] of them in its order.
        probabilities: what the bundle predicted for these rows, [n].
        bundle: the model that predicted them.
        row_total: how many rows are explained in all, where they come in parts.

    Returns:
        Contributions, float64 [n, k], and the start: the calibrated probability at the model's mean log-odds.
    """
    matrix = feature_matrix(features, bundle.feature_names) if isinstance(features, pd.DataFrame) else features
    log_odds, mean_log_odds = bundle.estimator.contributions(matrix, row_total)
    start = float(bundle.calibration.apply(sigmoid([mean_log_odds]))[0])
    moved, total = probabilities - start, log_odds.sum(axis=1)
    # Where features cancel out, probability has not moved either; the quotient of two roundings would be noise.
    has_slope = (np.abs(total) > _CANCELLED * np.abs(log_odds).sum(axis=1)) & (moved * total > 0)
    slope = np.divide(moved, total, out=np.full(total.shape, _slope_at(mean_log_odds, bundle)), where=has_slope)
    return log_odds * slope[:, np.newaxis], start


def _slope_at(margin: float, bundle: "ModelBundle") -> float:
    """How much calibrated probability a little more log-odds adds there."""
    below, above = bundle.calibration.apply(sigmoid([margin - _STEP, margin + _STEP]))
    return float(above - below) / (2 * _STEP)


def reasons_for(
    features: "pd.DataFrame | NDArray[np.float32]", probabilities: Floats, bundle: "ModelBundle", count: int
) -> list[str]:
    """The `count` features that moved each probability most, as one JSON text per row, the strongest first.

    Each reason is `{"feature": name, "value": the feature's value, "contribution": its part in the probability}`; a
    contribution above 0 speaks for fraud. All features' contributions together lead from the probability at the
    model's mean log-odds to the row's own.

    Args:
        features: rows to explain: a table with the bundle's columns, or a float32 matrix [n, k] of them in its order.
        probabilities: what the bundle predicted for these rows, [n].
        bundle: the model that predicted them.
        count: reasons per row, >= 1; all features when there are fewer.
    """
    matrix = feature_matrix(features, bundle.feature_names) if isinstance(features, pd.DataFrame) else features
    if not len(matrix):
        return []
    contributions, _ = explain_probabilities(matrix, probabilities, bundle)
    strongest = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :count]
    values = np.take_along_axis(matrix, strongest, axis=1)
    parts = np.take_along_axis(contributions, strongest, axis=1)
    return [
        json.dumps(
            [
                # Float32 holds seven digits; six are what it surely knows.
                {
                    "feature": bundle.feature_names[column],
                    "value": float(f"{value:.6g}"),
                    "contribution": round(part, 6),
                }
                for column, value, part in zip(*row, strict=True)
            ]
        )
        for row in zip(strongest.tolist(), values.tolist(), parts.tolist(), strict=True)
    ]
