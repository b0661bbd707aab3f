"""A random forest behind the protocol of `estimators`: votes as probabilities, explained in log-odds like the others.

How it is fitted does not belong here (fitting).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fraud_platform.training.estimators import ALL_CORES, MANY_ROWS
from fraud_platform.training.scikit_files import dump_estimator, expect_class
from fraud_platform.training.scikit_files import load_estimator as load_scikit_estimator
from fraud_platform.training.tree_shap import TreeSum
from fraud_platform.training.tree_tables import forest_trees

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

# A forest's vote is a share of trees and may be exactly 0 or 1; no evidence is that strong, and log-odds need a margin.
# Far below the smallest vote other than 0 that a forest gives, so the order of transactions stays.
SMALLEST_FOREST_PROBABILITY = 1e-6
# Differences of votes below this are rounding.
_SMALLEST_MOVE = 1e-9


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

    @property
    def round_count(self) -> int:
        """See `Estimator`."""
        return len(self.forest.estimators_)

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from scipy.special import logit

        return logit(self.predict_probability(features))

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

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        from scipy.special import logit

        is_many = max(len(features), row_total) >= MANY_ROWS
        expected = self._trees.base if is_many else np.ravel(self._explainer.expected_value)[1]
        base = float(_inside(np.array([expected]))[0])
        if not len(features):
            return np.empty((0, features.shape[1])), float(logit(base))
        if is_many:
            votes = self._trees.contributions(features, self.threads)
        else:
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

        return cls(
            expect_class(load_scikit_estimator(files[cls.file_name]), RandomForestClassifier, cls.file_name), threads
        )

    @cached_property
    def _trees(self) -> TreeSum:
        return TreeSum(forest_trees(self.forest), 1 / len(self.forest.estimators_))

    @cached_property
    def _explainer(self) -> Any:
        with warnings.catch_warnings():
            # shap colours its plots, on import, in a way that matplotlib will drop; nothing is plotted here.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap

        return shap.TreeExplainer(self.forest)


def _inside(votes: np.ndarray) -> np.ndarray:
    return np.clip(votes, SMALLEST_FOREST_PROBABILITY, 1.0 - SMALLEST_FOREST_PROBABILITY)
