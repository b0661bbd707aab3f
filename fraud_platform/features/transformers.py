"""The features as stateless scikit-learn transformers, for pipelines, notebooks and cross-validation.

Formulas do not belong here: they are in `engineering`, whose `build_features` gives the same numbers without
importing scikit-learn (which takes longer to import than a day takes to build).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer

from fraud_platform.features.engineering import hour_angle, log_amount
from fraud_platform.ingestion.schema import AMOUNT_COLUMN, EVENT_TIME_COLUMN, V_COLUMNS

LANDED_FEATURES: tuple[str, ...] = (*V_COLUMNS, AMOUNT_COLUMN)


class _RowWiseTransformer(TransformerMixin, BaseEstimator):
    """Looks at one row at a time, so fitting learns nothing."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> "_RowWiseTransformer":
        """Itself: there is nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class LandedColumns(_RowWiseTransformer):
    """`V1`..`V28` and `Amount` as they are, rounded to float32."""

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Shape [n, 29], float32."""
        return X[list(LANDED_FEATURES)].to_numpy(dtype=np.float32)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """`V1`..`V28`, `Amount`."""
        return np.asarray(LANDED_FEATURES, dtype=object)


class LogAmount(_RowWiseTransformer):
    """`log1p_Amount` from `Amount`."""

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Shape [n, 1], float32."""
        return log_amount(X[AMOUNT_COLUMN].to_numpy(dtype=np.float64)).astype(np.float32)[:, None]

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """`log1p_Amount`."""
        return np.asarray(["log1p_Amount"], dtype=object)


class HourOfDay(_RowWiseTransformer):
    """`Hour_sin` and `Hour_cos` from `event_time`: the 24-hour circle."""

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Shape [n, 2], float32 in [-1, 1]."""
        angle = hour_angle(X[EVENT_TIME_COLUMN])
        return np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """`Hour_sin`, `Hour_cos`."""
        return np.asarray(["Hour_sin", "Hour_cos"], dtype=object)


def feature_transformer() -> ColumnTransformer:
    """Raw transactions to the features of `FEATURE_NAMES`, in that order: a float32 frame, other columns dropped."""
    transformer = ColumnTransformer(
        [
            ("landed", LandedColumns(), list(LANDED_FEATURES)),
            ("log_amount", LogAmount(), [AMOUNT_COLUMN]),
            ("hour_of_day", HourOfDay(), [EVENT_TIME_COLUMN]),
        ],
        verbose_feature_names_out=False,
    )
    return transformer.set_output(transform="pandas")
