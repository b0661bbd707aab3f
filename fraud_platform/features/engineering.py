"""Turns raw transactions into what the model sees: each feature's formula, and one pass that applies them all.

Every feature looks at its own row only, so nothing is fitted and nothing can leak from one split into another.
Scaling belongs to the estimator that needs it; scikit-learn's face of these formulas is in `transformers`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.errors import DataError
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import AMOUNT_COLUMN, EVENT_TIME_COLUMN, ID_COLUMN, V_COLUMNS

MICROSECONDS_PER_DAY = 86_400_000_000

RAW_COLUMNS: tuple[str, ...] = (*V_COLUMNS, AMOUNT_COLUMN, EVENT_TIME_COLUMN)


def log_amount(amount: NDArray[np.float64]) -> NDArray[np.float64]:
    """`ln(1 + amount)` of amounts >= 0, in double precision; same shape."""
    return np.log1p(amount)


def hour_angle(event_time: "pd.Series[pd.Timestamp]") -> NDArray[np.float64]:
    """The time of day (UTC) as an angle in [0, 2 pi), so that 23:59 and 00:01 are neighbours; shape [n]."""
    microseconds = event_time.to_numpy(dtype="datetime64[us]").view(np.int64)
    return (microseconds % MICROSECONDS_PER_DAY).astype(np.float64) * (2 * np.pi / MICROSECONDS_PER_DAY)


def derived_features(raw: pd.DataFrame) -> Mapping[str, NDArray[np.float64]]:
    """The features that are not landed columns themselves, each of shape [n], in double precision."""
    angle = hour_angle(raw[EVENT_TIME_COLUMN])
    return {
        "log1p_Amount": log_amount(raw[AMOUNT_COLUMN].to_numpy(dtype=np.float64)),
        "Hour_sin": np.sin(angle),
        "Hour_cos": np.cos(angle),
    }


def build_features(raw: pd.DataFrame) -> pd.DataFrame:
    """What the model may know about each raw transaction at the moment it happened.

    Computed in double precision and rounded to float32 once, at the end, straight into the only block the result
    owns: beside the input nothing larger than one column is alive.

    Args:
        raw: n rows with `transaction_id`, `event_time` (UTC), `V1`..`V28` and `Amount`; other columns are not read.

    Returns:
        n rows in the same order and with the same index: `transaction_id`, `event_time`, then `FEATURE_NAMES` float32.

    Raises:
        DataError: a column is missing, or a value is not finite or too large for float32.
    """
    missing = [name for name in (ID_COLUMN, *RAW_COLUMNS) if name not in raw.columns]
    if missing:
        raise DataError(f"cannot build features: the raw table lacks {', '.join(missing)}; land files that carry them")
    derived = derived_features(raw)
    # One row per feature: each column of the frame is contiguous, as Parquet, profiles and the boosters read them.
    block = np.empty((len(FEATURE_NAMES), len(raw)), dtype=np.float32)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused by name below
        for values, name in zip(block, FEATURE_NAMES, strict=True):
            values[:] = derived[name] if name in derived else raw[name].to_numpy()
            if not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                raise DataError(
                    f"cannot build features: {name} of transaction {raw[ID_COLUMN].iloc[row]!r} is missing, infinite "
                    "or beyond float32; ingestion quarantines such rows, so ingest the day again"
                )
    features = pd.DataFrame(block.T, index=raw.index, columns=list(FEATURE_NAMES), copy=False)
    features.insert(0, EVENT_TIME_COLUMN, raw[EVENT_TIME_COLUMN])
    features.insert(0, ID_COLUMN, raw[ID_COLUMN])
    return features
