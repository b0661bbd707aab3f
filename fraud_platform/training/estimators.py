"""Fitted models behind one protocol: matrix in, fraud probabilities and their explanation out, files without pickle.

How they are fitted does not belong here (candidates), and neither do calibration and thresholds: a probability here is
what the algorithm says.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fraud_platform.errors import ModelError
from fraud_platform.training.scikit_files import dump_estimator
from fraud_platform.training.scikit_files import load_estimator as load_scikit_estimator

if TYPE_CHECKING:
    import lightgbm
    import xgboost
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import Pipeline

# A forest's vote is a share of trees and may be exactly 0 or 1; no evidence is that strong, and log-odds need a margin.
# Far below the smallest vote other than 0 that a forest gives, so the order of transactions stays.
SMALLEST_FOREST_PROBABILITY = 1e-6
# Differences of votes below this are rounding.
_SMALLEST_MOVE = 1e-9
ALL_CORES = 0
# What closes the parts of a LightGBM text.
_LIGHTGBM_MARKS = ("end of trees", "end of parameters")


class Estimator(Protocol):
    """A fitted binary classifier.

    `threads` (0: every core) changes how fast the answers come, never the answers.
    """

    threads: int

    @property
    def algorithm(self) -> str:
        """The candidate family: "logistic_regression", "random_forest", "xgboost" or "lightgbm"."""
        ...

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """Uncalibrated fraud probability of each row of `features` (float32 [n, k]), float64 [n], in [0, 1]."""
        ...

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """What each feature adds to the log-odds of each row: float64 [n, k], and the base they are added to.

        Base plus a row's sum is the log-odds of `predict_probability` of that row, whatever the algorithm.
        """
        ...

    def to_files(self) -> dict[str, bytes]:
        """The model as files, equal bytes for equal models."""
        ...


@dataclass
class XGBoostEstimator:
    """Gradient-boosted trees of XGBoost; contributions are its own tree SHAP values. File: UBJSON."""

    booster: "xgboost.Booster"
    threads: int = ALL_CORES

    algorithm = "xgboost"
    file_name = "xgboost.ubj"

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from scipy.special import expit

        self.booster.set_param({"nthread": self.threads})
        # Margins, not probabilities: float32 probabilities close to one would tie.
        margin = self.booster.inplace_predict(np.ascontiguousarray(features), predict_type="margin")
        return expit(margin.astype(np.float64))

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        import xgboost

        # With no row asked for, one is explained all the same: it tells the base.
        asked = features if len(features) else np.zeros((1, features.shape[1]), np.float32)
        self.booster.set_param({"nthread": self.threads})
        explained = self.booster.predict(xgboost.DMatrix(asked), pred_contribs=True).astype(np.float64)
        return explained[: len(features), :-1], float(explained[0, -1])

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`."""
        return {self.file_name: bytes(self.booster.save_raw("ubj"))}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], threads: int) -> "XGBoostEstimator":
        """The estimator in `files`."""
        import xgboost

        try:
            booster = xgboost.Booster(model_file=bytearray(files[cls.file_name]))
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise _unreadable(cls.file_name, error) from None
        return cls(booster, threads)


@dataclass
class LightGBMEstimator:
    """Gradient-boosted trees of LightGBM; contributions are its own tree SHAP values. File: its text format."""

    booster: "lightgbm.Booster"
    threads: int = ALL_CORES

    algorithm = "lightgbm"
    file_name = "lightgbm.txt"

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from scipy.special import expit

        if not len(features):
            return np.empty(0)
        margin = self.booster.predict(np.ascontiguousarray(features), raw_score=True, num_threads=self.threads)
        return expit(np.asarray(margin, np.float64))

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        asked = np.ascontiguousarray(features if len(features) else np.zeros((1, features.shape[1]), np.float32))
        explained = np.asarray(self.booster.predict(asked, pred_contrib=True, num_threads=self.threads))
        return explained[: len(features), :-1], float(explained[0, -1])

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`."""
        return {self.file_name: self.booster.model_to_string().encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], threads: int) -> "LightGBMEstimator":
        """The estimator in `files`."""
        import lightgbm

        try:
            text = files[cls.file_name].decode()
            if not text.startswith("tree\n") or not all(f"\n{mark}\n" in text for mark in _LIGHTGBM_MARKS):
                # LightGBM ends the whole process over a text that stops early.
                raise ValueError("it is not a whole LightGBM text")
            return cls(lightgbm.Booster(model_str=text), threads)
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise _unreadable(cls.file_name, error) from None


@dataclass
class LogisticRegressionEstimator:
    """Logistic regression on standardised features; a contribution is coefficient times standardised value."""

    pipeline: "Pipeline"
    threads: int = ALL_CORES

    algorithm = "logistic_regression"
    file_name = "logistic_regression.skops"

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from scipy.special import expit

        mean, weights, intercept = self._line
        return expit(features.astype(np.float64) @ weights + (intercept - mean @ weights))

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        mean, weights, intercept = self._line
        return (features - mean) * weights, intercept

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`."""
        return {self.file_name: dump_estimator(self.pipeline)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], threads: int) -> "LogisticRegressionEstimator":
        """The estimator in `files`."""
        from sklearn.pipeline import Pipeline

        return cls(_expect(load_scikit_estimator(files[cls.file_name]), Pipeline, cls.file_name), threads)

    @cached_property
    def _line(self) -> tuple[np.ndarray, np.ndarray, float]:
        scaler, regression = (step for _, step in self.pipeline.steps)
        return scaler.mean_, regression.coef_[0] / scaler.scale_, float(regression.intercept_[0])


@dataclass
class RandomForestEstimator:
    """A forest of scikit-learn; tree SHAP of its votes, stretched so that it adds up in log-odds like the others.

    SHAP explains a vote (a probability); a row's values are scaled by one factor, the log-odds per unit of
    probability between the base and the row, which keeps their proportions and their order.
    """

    forest: "RandomForestClassifier"
    threads: int = ALL_CORES

    algorithm = "random_forest"
    file_name = "random_forest.skops"

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from concurrent.futures import ThreadPoolExecutor

        from joblib import cpu_count

        if not len(features):
            return np.empty(0)
        # scikit-learn's own threads add up votes in the order they finish, which changes the last digit from call to
        # call; rows are shared out instead.
        self.forest.set_params(n_jobs=1)
        with ThreadPoolExecutor(self.threads or cpu_count()) as pool:
            parts = np.array_split(np.ascontiguousarray(features), min(pool._max_workers, len(features)))
            votes = np.concatenate(list(pool.map(lambda part: self.forest.predict_proba(part)[:, 1], parts)))
        return _inside(votes)

    def contributions(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        from scipy.special import logit

        base = float(_inside(np.array([np.ravel(self._explainer.expected_value)[1]]))[0])
        if not len(features):
            return np.empty((0, features.shape[1])), float(logit(base))
        votes = self._explainer.shap_values(features, check_additivity=False)[:, :, 1]
        difference = votes.sum(axis=1)
        log_odds = logit(self.predict_probability(features)) - logit(base)
        # A row that ends where it began keeps its values, scaled by the slope of the log-odds at the base.
        is_moved = np.abs(difference) > _SMALLEST_MOVE
        stretch = np.where(is_moved, log_odds / np.where(is_moved, difference, 1.0), 1.0 / (base * (1.0 - base)))
        return votes * stretch[:, None], float(logit(base))

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`."""
        return {self.file_name: dump_estimator(self.forest.set_params(n_jobs=1))}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], threads: int) -> "RandomForestEstimator":
        """The estimator in `files`."""
        from sklearn.ensemble import RandomForestClassifier

        return cls(_expect(load_scikit_estimator(files[cls.file_name]), RandomForestClassifier, cls.file_name), threads)

    @cached_property
    def _explainer(self) -> Any:
        with warnings.catch_warnings():
            # shap colours its plots, on import, in a way that matplotlib will drop; nothing is plotted here.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap

        return shap.TreeExplainer(self.forest)


_FAMILIES: dict[str, Any] = {
    family.algorithm: family
    for family in (LogisticRegressionEstimator, RandomForestEstimator, XGBoostEstimator, LightGBMEstimator)
}


def load_estimator(algorithm: str, files: Mapping[str, bytes], threads: int = ALL_CORES) -> Estimator:
    """The estimator that `to_files` wrote.

    Raises:
        ModelError: an algorithm or file the platform does not know, or a file that cannot be read or trusted.
    """
    family = _FAMILIES.get(algorithm)
    if family is None:
        raise ModelError(f"model of unknown algorithm {algorithm!r}; this platform knows {', '.join(_FAMILIES)}")
    if set(files) != {family.file_name}:
        raise ModelError(f"model of {algorithm} holds {sorted(files)} where {family.file_name} belongs; refused")
    return family.from_files(files, threads)


def _inside(votes: np.ndarray) -> np.ndarray:
    return np.clip(votes, SMALLEST_FOREST_PROBABILITY, 1.0 - SMALLEST_FOREST_PROBABILITY)


def _expect(loaded: Any, expected: type, file_name: str) -> Any:
    if not isinstance(loaded, expected):
        raise ModelError(f"{file_name} holds a {type(loaded).__name__}, not a {expected.__name__}; train again")
    return loaded


def _unreadable(file_name: str, error: Exception) -> ModelError:
    reason = (str(error).splitlines() or [""])[0]
    return ModelError(f"{file_name} cannot be read ({reason}); restore it or train again")
