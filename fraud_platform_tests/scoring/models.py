"""Small models for the tests of scoring: a line whose answers can be computed by hand, and real boosted trees."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fraud_platform.features.profile import Profile
from fraud_platform.features.schema import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from fraud_platform.training.bundle import ModelBundle
from fraud_platform.training.calibration import Calibration, sigmoid
from fraud_platform.training.estimators import XGBoostEstimator
from fraud_platform.training.thresholds import DecisionThreshold


@dataclass
class Line:
    """Log-odds = base + weights @ features."""

    base: float = -4.0
    weights: np.ndarray = field(default_factory=lambda: np.eye(len(FEATURE_NAMES))[0])
    threads: int = 1
    explained_rows: int = 0

    algorithm = "line"

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        return sigmoid(self.base + features.astype(np.float64) @ self.weights)

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        self.explained_rows += len(features)
        return features.astype(np.float64) * self.weights, self.base

    def to_files(self) -> dict[str, bytes]:
        return {}


def bundle_of(estimator, *, threshold=0.5, calibration=None, names=FEATURE_NAMES) -> ModelBundle:
    return ModelBundle(
        algorithm=estimator.algorithm,
        feature_names=names,
        feature_schema_version=FEATURE_SCHEMA_VERSION,
        estimator=estimator,
        calibration=calibration or Calibration(),
        threshold=DecisionThreshold(threshold, "max_f1", {}),
        baseline=Profile({}),
        provenance={},
    )


def features_of(matrix: np.ndarray, ids=None) -> pd.DataFrame:
    matrix = np.asarray(matrix, np.float32)
    table = pd.DataFrame(matrix, columns=list(FEATURE_NAMES))
    moments = pd.date_range("2025-03-01", periods=len(matrix), freq="s", tz="UTC").as_unit("us")
    table.insert(0, "event_time", moments)
    table.insert(0, "transaction_id", ids if ids is not None else [f"t{row:06d}" for row in range(len(matrix))])
    return table


def boosted_trees(seed=0, row_count=4_000, rounds=40) -> tuple[XGBoostEstimator, np.ndarray]:
    """Trees fitted to random rows, and the rows."""
    import xgboost

    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(row_count, len(FEATURE_NAMES))).astype(np.float32)
    labels = matrix[:, 0] + matrix[:, 1] * matrix[:, 2] + generator.normal(size=row_count) > 2.5
    params = {"max_depth": 4, "objective": "binary:logistic", "nthread": 1, "eta": 0.2}
    booster = xgboost.train(params, xgboost.DMatrix(matrix, labels), rounds)
    return XGBoostEstimator(booster, threads=1), matrix


def plausible_rows(count=4_000, seed=0) -> np.ndarray:
    """Standard normal components beside amounts and hours as `build_features` makes them."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(count, len(FEATURE_NAMES))).astype(np.float32)
    amounts, hours = generator.exponential(50, count), generator.normal(12, 3, count) % 24
    matrix[:, 28], matrix[:, 29] = amounts, np.log1p(amounts)
    matrix[:, 30], matrix[:, 31] = np.sin(hours * np.pi / 12), np.cos(hours * np.pi / 12)
    return matrix
