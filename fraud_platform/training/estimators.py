"""Fitted models behind one protocol: matrix in, fraud probabilities and their explanation out, files without pickle.

How they are fitted does not belong here (candidates), and neither do calibration and thresholds: a probability here is
what the algorithm says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fraud_platform.errors import ModelError
from fraud_platform.training.scikit_files import dump_estimator, expect_class
from fraud_platform.training.scikit_files import load_estimator as load_scikit_estimator
from fraud_platform.training.tree_shap import TreeSum
from fraud_platform.training.tree_tables import lightgbm_trees, xgboost_trees

if TYPE_CHECKING:
    import lightgbm
    import xgboost
    from sklearn.pipeline import Pipeline

ALL_CORES = 0
# From so many rows on the platform's own tree SHAP, ten times as fast, has won back the seconds it takes to compile.
MANY_ROWS = 10_000
# Rows of a line that are added up together: they stay in the cache.
_LINE_ROWS = 4_096
# What closes the parts of a LightGBM text.
_LIGHTGBM_MARKS = ("end of trees", "end of parameters")


class Estimator(Protocol):
    """A fitted binary classifier.

    `threads` (0: every core) changes how fast the answers come, never the answers.
    """

    threads: int

    @property
    def algorithm(self) -> str:
        """The candidate family ("logistic_regression", "random_forest", "xgboost", "lightgbm") or "ensemble"."""
        ...

    @property
    def round_count(self) -> int:
        """How many trees, or rounds of boosting; 0 for a line."""
        ...

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """Uncalibrated fraud probability of each row of `features` (float32 [n, k]), float64 [n], in [0, 1]."""
        ...

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """The log-odds of `predict_probability`, float64 [n], without the rounding of going there and back."""
        ...

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """What each feature adds to the log-odds of each row: float64 [n, k], and the base they are added to.

        Base plus a row's sum is the log-odds of `predict_probability` of that row, whatever the algorithm. Trees are
        explained by their library, from `MANY_ROWS` on by `tree_shap`: the same values but for the library's rounding.

        Args:
            features: rows to explain, float32 [n, k].
            row_total: how many rows are explained in all, where they come in parts.
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

    @property
    def round_count(self) -> int:
        """See `Estimator`."""
        return self.booster.num_boosted_rounds()

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        return _probability(self.predict_log_odds(features))

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        self.booster.set_param({"nthread": self.threads})
        # Margins, not probabilities: float32 probabilities close to one would tie.
        margin = self.booster.inplace_predict(np.ascontiguousarray(features), predict_type="margin")
        return margin.astype(np.float64)

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        import xgboost

        if max(len(features), row_total) >= MANY_ROWS:
            return self._trees.contributions(features, self.threads), self.contributions(features[:0])[1]
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

    @cached_property
    def _trees(self) -> TreeSum:
        return TreeSum(xgboost_trees(self.booster))


@dataclass
class LightGBMEstimator:
    """Gradient-boosted trees of LightGBM; contributions are its own tree SHAP values. File: its text format."""

    booster: "lightgbm.Booster"
    threads: int = ALL_CORES

    algorithm = "lightgbm"
    file_name = "lightgbm.txt"

    @property
    def round_count(self) -> int:
        """See `Estimator`."""
        # Where boosting was ended early, predictions and files stop at the best round.
        return self.booster.best_iteration if self.booster.best_iteration > 0 else self.booster.num_trees()

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        return _probability(self.predict_log_odds(features))

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        if features.shape[1] != self.booster.num_feature():
            raise ValueError(f"the model takes {self.booster.num_feature()} features, not {features.shape[1]}")
        if not len(features):
            return np.empty(0)
        margin = self.booster.predict(np.ascontiguousarray(features), raw_score=True, num_threads=self.threads)
        return np.asarray(margin, np.float64)

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        if max(len(features), row_total) >= MANY_ROWS:
            return self._trees.contributions(features, self.threads), self._trees.base
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

    @cached_property
    def _trees(self) -> TreeSum:
        return TreeSum(lightgbm_trees(self.booster))


@dataclass
class LogisticRegressionEstimator:
    """Logistic regression on standardised features; a contribution is coefficient times standardised value."""

    pipeline: "Pipeline"
    threads: int = ALL_CORES

    algorithm = "logistic_regression"
    file_name = "logistic_regression.skops"

    round_count = 0

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        return _probability(self.predict_log_odds(features))

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        mean, weights, intercept = self._line
        total = np.empty(len(features))
        # Column by column: a matrix product adds up a row in an order that depends on how many rows there are, and a
        # decision must come out the same, bit for bit, when it is replayed alone.
        for start in range(0, len(features), _LINE_ROWS):
            rows = features[start : start + _LINE_ROWS].astype(np.float64)
            part = total[start : start + _LINE_ROWS]
            part[:] = intercept - mean @ weights
            for column, weight in enumerate(weights.tolist()):
                part += rows[:, column] * weight
        return total

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        del row_total
        mean, weights, intercept = self._line
        return (features - mean) * weights, intercept

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`."""
        return {self.file_name: dump_estimator(self.pipeline)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], threads: int) -> "LogisticRegressionEstimator":
        """The estimator in `files`."""
        from sklearn.pipeline import Pipeline

        return cls(expect_class(load_scikit_estimator(files[cls.file_name]), Pipeline, cls.file_name), threads)

    @cached_property
    def _line(self) -> tuple[np.ndarray, np.ndarray, float]:
        scaler, regression = (step for _, step in self.pipeline.steps)
        return scaler.mean_, regression.coef_[0] / scaler.scale_, float(regression.intercept_[0])


def _probability(log_odds: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(log_odds)


def _unreadable(file_name: str, error: Exception) -> ModelError:
    reason = (str(error).splitlines() or [""])[0]
    return ModelError(f"{file_name} cannot be read ({reason}); restore it or train again")
