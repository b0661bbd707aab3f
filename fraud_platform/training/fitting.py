"""Fits one model of each algorithm to labelled rows; the same rows, parameters and seed give the same model.

Which parameters to fit with does not belong here (candidates, tuning), nor does what a model can do (estimators).
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from fraud_platform.training.estimators import (
    Estimator,
    LightGBMEstimator,
    LogisticRegressionEstimator,
    RandomForestEstimator,
    XGBoostEstimator,
)

Parameters = Mapping[str, float | int]

# A booster's threads share the sums behind each split, and the last digits of a sum depend on how it was shared. One
# thread gives one model on every machine; it is also faster while other work fills the cores, as a booster's threads
# wait spinning. Parallel work happens a level up, between folds.
_BOOSTER_THREADS = 1


class Fit(Protocol):
    """Fits one model to labelled rows."""

    def __call__(
        self,
        parameters: Parameters,
        features: np.ndarray,
        labels: np.ndarray,
        seed: int,
        weights: np.ndarray | None = None,
        threads: int = 1,
    ) -> Estimator:
        """The fitted model.

        Args:
            parameters: one point of the candidate's search space.
            features: float32 [n, k].
            labels: [n], 1 = fraud; both classes present.
            seed: of every random choice.
            weights: how many transactions each row stands for, [n]; None: one each.
            threads: cores to use where that cannot change the model; 0 for all.
        """
        ...


def fraud_weight(labels: np.ndarray, weights: np.ndarray | None, exponent: float) -> float:
    """How many legitimate transactions one fraud counts as: (weight of legitimate rows / of frauds) ** exponent."""
    scale = np.ones(len(labels)) if weights is None else weights
    fraud_total = float(scale[labels == 1].sum())
    return (float(scale[labels != 1].sum()) / fraud_total) ** exponent


def _balanced(labels: np.ndarray, weights: np.ndarray | None, exponent: float) -> np.ndarray:
    scale = np.ones(len(labels)) if weights is None else weights
    return scale * np.where(labels == 1, fraud_weight(labels, weights, exponent), 1.0)


def fit_logistic_regression(
    parameters: Parameters,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> Estimator:
    """Logistic regression on standardised features; see `Fit`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    del threads
    # Newton's method: with 32 features it converges in a few exact steps, where saga needs thousands.
    regression = LogisticRegression(C=parameters["C"], solver="newton-cholesky", max_iter=200, random_state=seed)
    pipeline = Pipeline([("standardise", StandardScaler()), ("regress", regression)])
    balanced = _balanced(labels, weights, parameters["fraud_weight_exponent"])
    pipeline.fit(
        features.astype(np.float64), labels, standardise__sample_weight=weights, regress__sample_weight=balanced
    )
    return LogisticRegressionEstimator(pipeline)


def fit_random_forest(
    parameters: Parameters,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> Estimator:
    """A random forest; see `Fit`."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        n_estimators=int(parameters["n_estimators"]),
        max_depth=int(parameters["max_depth"]),
        min_samples_leaf=int(parameters["min_samples_leaf"]),
        max_features=parameters["max_features"],
        max_samples=parameters["max_samples"],
        random_state=seed,
        n_jobs=threads or -1,
    )
    forest.fit(features, labels, _balanced(labels, weights, parameters["fraud_weight_exponent"]))
    return RandomForestEstimator(forest)


def fit_xgboost(
    parameters: Parameters,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> Estimator:
    """Boosted trees of XGBoost, by histograms; see `Fit`."""
    import xgboost

    del threads
    settings = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "nthread": _BOOSTER_THREADS,
        "seed": seed,
        "verbosity": 0,
        "scale_pos_weight": fraud_weight(labels, weights, parameters["fraud_weight_exponent"]),
        **{name: value for name, value in parameters.items() if name not in ("n_estimators", "fraud_weight_exponent")},
    }
    rows = xgboost.QuantileDMatrix(features, labels, weight=weights, nthread=_BOOSTER_THREADS)
    return XGBoostEstimator(xgboost.train(settings, rows, num_boost_round=int(parameters["n_estimators"])))


def fit_lightgbm(
    parameters: Parameters,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
    threads: int = 1,
) -> Estimator:
    """Boosted trees of LightGBM, reproducibly; see `Fit`."""
    import lightgbm

    del threads
    settings = {
        "objective": "binary",
        "metric": "auc",
        "num_threads": _BOOSTER_THREADS,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
        "bagging_freq": 1,
        "scale_pos_weight": fraud_weight(labels, weights, parameters["fraud_weight_exponent"]),
        **{name: value for name, value in parameters.items() if name not in ("n_estimators", "fraud_weight_exponent")},
    }
    rows = lightgbm.Dataset(features, labels, weight=weights, params=settings)
    return LightGBMEstimator(lightgbm.train(settings, rows, num_boost_round=int(parameters["n_estimators"])))
