"""Fits one model of each algorithm to labelled rows; the same rows, parameters and seed give the same model.

Which parameters to fit with does not belong here (candidates, tuning), nor does what a model can do (estimators).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.estimators import (
    Estimator,
    LightGBMEstimator,
    LogisticRegressionEstimator,
    XGBoostEstimator,
)
from fraud_platform.training.forest import RandomForestEstimator

Parameters = Mapping[str, float | int]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products on one thread of each caller's own, for the same reasons as boosters; also as a decorator.

    Fits run beside each other, and the threads of their products would wait spinning: with them a logistic regression
    takes ten times as long.
    """
    import scipy.linalg  # noqa: F401 - a limit reaches only what is loaded, and scipy brings its own BLAS
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


# A booster's threads share the sums behind each split, and the last digits of a sum depend on how it was shared. One
# thread gives one model on every machine; it is also faster while other work fills the cores, as a booster's threads
# wait spinning. Parallel work happens a level up, between folds.
_BOOSTER_THREADS = 1
# Rounds without a better average precision on the watched rows after which boosting stops.
_PATIENCE_ROUNDS = 200
# Of the rounds this close to the best, the last is kept. With tens of frauds the best round is mostly luck, and too
# many rounds cost far less than too few: on the public file 600 rounds reach 0.84, the luckiest, about the 100th, 0.81.
_ROUND_TOLERANCE = 0.01
# What is no parameter of the libraries themselves.
_OWN_PARAMETERS = ("n_estimators", "fraud_weight_exponent")


@dataclass(frozen=True)
class FitRows:
    """Rows to fit on, or to watch while fitting.

    Attributes:
        features: float32 [n, k].
        labels: [n], 1 = fraud; both classes present.
        weights: how much each row counts, [n]; None: 1 each.
    """

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, rows: LabelledRows, positions: np.ndarray, weights: np.ndarray | None = None) -> "FitRows":
        """`rows` at `positions` to judge by, each counting as it does there times `weights` [m]."""
        own = None if rows.weights is None else rows.weights[positions]
        return cls(rows.features[positions], rows.labels[positions], _product(own, weights))

    @classmethod
    def to_learn(cls, rows: LabelledRows, positions: np.ndarray, weights: np.ndarray | None = None) -> "FitRows":
        """The same to fit on: here a label also counts as much as its source is trusted."""
        trust = None if rows.label_weights is None else rows.label_weights[positions]
        return cls.of(rows, positions, _product(trust, weights))

    def weights_with(self, exponent: float) -> np.ndarray:
        """The weights with every fraud counting as `fraud_weight` legitimate transactions, [n]."""
        scale = np.ones(len(self.labels)) if self.weights is None else self.weights
        return scale * np.where(self.labels == 1, self.fraud_weight(exponent), 1.0)

    def fraud_weight(self, exponent: float) -> float:
        """How much more one fraud counts: (weight of legitimate rows / weight of frauds) ** exponent."""
        scale = np.ones(len(self.labels)) if self.weights is None else self.weights
        fraud_total = float(scale[self.labels == 1].sum())
        return (float(scale[self.labels != 1].sum()) / fraud_total) ** exponent


def _product(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    if first is None or second is None:
        return second if first is None else first
    return first * second


class Fit(Protocol):
    """Fits one model to labelled rows."""

    def __call__(
        self,
        parameters: Parameters,
        rows: FitRows,
        *,
        seed: int,
        watch: FitRows | None = None,
        threads: int = 1,
    ) -> Estimator:
        """The fitted model.

        Args:
            parameters: one point of the candidate's search space.
            rows: what to fit on.
            seed: of every random choice.
            watch: rows whose average precision ends boosting early; kept is the last round within 0.01 of the best.
                None: all rounds.
            threads: cores to use where that cannot change the model; 0 for all.
        """
        ...


def fit_logistic_regression(
    parameters: Parameters, rows: FitRows, *, seed: int, watch: FitRows | None = None, threads: int = 1
) -> Estimator:
    """Logistic regression on standardised features; see `Fit`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    del watch, threads
    # Newton's method: with 32 features it converges in a few exact steps, where saga needs thousands.
    regression = LogisticRegression(C=parameters["C"], solver="newton-cholesky", max_iter=200, random_state=seed)
    pipeline = Pipeline([("standardise", StandardScaler()), ("regress", regression)])
    pipeline.fit(
        rows.features.astype(np.float64),
        rows.labels,
        standardise__sample_weight=rows.weights,
        regress__sample_weight=rows.weights_with(parameters["fraud_weight_exponent"]),
    )
    return LogisticRegressionEstimator(pipeline)


def fit_random_forest(
    parameters: Parameters, rows: FitRows, *, seed: int, watch: FitRows | None = None, threads: int = 1
) -> Estimator:
    """A random forest; see `Fit`."""
    from sklearn.ensemble import RandomForestClassifier

    del watch
    forest = RandomForestClassifier(
        n_estimators=int(parameters["n_estimators"]),
        max_depth=int(parameters["max_depth"]),
        min_samples_leaf=int(parameters["min_samples_leaf"]),
        max_features=parameters["max_features"],
        max_samples=parameters["max_samples"],
        random_state=seed,
        n_jobs=threads or -1,
    )
    forest.fit(rows.features, rows.labels, rows.weights_with(parameters["fraud_weight_exponent"]))
    return RandomForestEstimator(forest)


def fit_xgboost(
    parameters: Parameters, rows: FitRows, *, seed: int, watch: FitRows | None = None, threads: int = 1
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
        "scale_pos_weight": rows.fraud_weight(parameters["fraud_weight_exponent"]),
        "eval_metric": "aucpr",
        **_library_parameters(parameters),
    }
    matrix = xgboost.QuantileDMatrix(rows.features, rows.labels, weight=rows.weights, nthread=_BOOSTER_THREADS)
    stopping: dict[str, Any] = {}
    reached: dict[str, Any] = {}
    if watch is not None:
        watched = xgboost.QuantileDMatrix(
            watch.features, watch.labels, weight=watch.weights, ref=matrix, nthread=_BOOSTER_THREADS
        )
        stopping = {
            "evals": [(watched, "watched")],
            "evals_result": reached,
            "early_stopping_rounds": _PATIENCE_ROUNDS,
            "verbose_eval": False,
        }
    booster = xgboost.train(settings, matrix, num_boost_round=int(parameters["n_estimators"]), **stopping)
    return XGBoostEstimator(booster[: last_good_round(reached["watched"]["aucpr"])] if stopping else booster)


def fit_lightgbm(
    parameters: Parameters, rows: FitRows, *, seed: int, watch: FitRows | None = None, threads: int = 1
) -> Estimator:
    """Boosted trees of LightGBM, reproducibly; see `Fit`."""
    import lightgbm

    del threads
    settings = {
        "objective": "binary",
        "metric": "average_precision",
        "num_threads": _BOOSTER_THREADS,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
        "bagging_freq": 1,
        "scale_pos_weight": rows.fraud_weight(parameters["fraud_weight_exponent"]),
        **_library_parameters(parameters),
    }
    data = lightgbm.Dataset(rows.features, rows.labels, weight=rows.weights, params=settings)
    stopping: dict[str, Any] = {}
    reached: dict[str, Any] = {}
    if watch is not None:
        watched = lightgbm.Dataset(watch.features, watch.labels, weight=watch.weights, reference=data, params=settings)
        patience = lightgbm.early_stopping(_PATIENCE_ROUNDS, verbose=False)
        stopping = {
            "valid_sets": [watched],
            "valid_names": ["watched"],
            "callbacks": [patience, lightgbm.record_evaluation(reached)],
            # Otherwise everything after the best round is thrown away.
            "keep_training_booster": True,
        }
    booster = lightgbm.train(settings, data, num_boost_round=int(parameters["n_estimators"]), **stopping)
    if stopping:
        # Predictions and files end at the round that is called the best.
        booster.best_iteration = last_good_round(reached["watched"]["average_precision"])
    return LightGBMEstimator(booster)


def last_good_round(reached: Sequence[float]) -> int:
    """How many rounds to keep: up to the last whose average precision lies within 0.01 of the best; from 1."""
    return int(np.flatnonzero(np.asarray(reached) >= max(reached) - _ROUND_TOLERANCE)[-1]) + 1


def _library_parameters(parameters: Parameters) -> dict[str, float | int]:
    return {name: value for name, value in parameters.items() if name not in _OWN_PARAMETERS}
