"""A model bundle and a table of features become decisions, places in the work list and reasons.

Which model is in charge does not belong here, and neither does where decisions are stored.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import EVENT_TIME_COLUMN
from fraud_platform.ingestion.schema import ID_COLUMN
from fraud_platform.scoring.explanations import reasons_for
from fraud_platform.scoring.schema import PREDICTION_COLUMNS
from fraud_platform.training.dataset import feature_matrix

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

Floats = NDArray[np.float64]


def score_day(
    features: pd.DataFrame,
    bundle: "ModelBundle",
    model_version: str,
    *,
    scored_at: datetime,
    reason_count: int = 3,
    challenger: "tuple[ModelBundle, str] | None" = None,
) -> pd.DataFrame:
    """The decision on every transaction, in the order of `features`; see `daily_predictions_schema`.

    Beside its input it holds one float32 matrix of the features; only alerts are explained.

    Args:
        features: feature table of one day, [n].
        bundle: the model in charge.
        model_version: its registered version.
        scored_at: when the decision is made; must know its time zone.
        reason_count: reasons per alert, >= 1.
        challenger: the model in shadow mode and its registered version; its probability is noted and decides nothing.

    Raises:
        ModelError: a bundle was made for another feature schema.
        DataError: `features` lacks a column.
        ValueError: `scored_at` has no time zone.
    """
    if scored_at.tzinfo is None:
        raise ValueError(f"scored_at {scored_at.isoformat()} has no time zone")
    row_count = len(features)
    matrix = feature_matrix(features, bundle.feature_names)
    probabilities = bundle.predict(matrix)
    is_alert = probabilities >= bundle.threshold.value
    reasons = np.full(row_count, None, dtype=object)
    reasons[is_alert] = reasons_for(matrix[is_alert], probabilities[is_alert], bundle, reason_count)
    challenger_probabilities = np.full(row_count, np.nan)
    if challenger is not None:
        shadow, _ = challenger
        is_alike = shadow.feature_names == bundle.feature_names
        challenger_probabilities = shadow.predict(matrix if is_alike else features)
    instant = pd.Timestamp(scored_at).tz_convert("UTC").as_unit("us")
    transaction_ids = features[ID_COLUMN].to_numpy(dtype=object)
    columns = {
        ID_COLUMN: transaction_ids,
        EVENT_TIME_COLUMN: features[EVENT_TIME_COLUMN].array,
        "fraud_probability": probabilities,
        "prediction": is_alert.astype(np.int8),
        "threshold": np.full(row_count, bundle.threshold.value),
        "rank": rank_by_suspicion(probabilities, transaction_ids),
        "reasons": reasons,
        "model_version": np.full(row_count, model_version, dtype=object),
        "scored_at": pd.DatetimeIndex(np.full(row_count, instant.asm8)).tz_localize("UTC"),
        "challenger_probability": challenger_probabilities,
        "challenger_version": np.full(row_count, None if challenger is None else challenger[1], dtype=object),
    }
    return pd.DataFrame(columns, columns=list(PREDICTION_COLUMNS))


def rank_by_suspicion(probabilities: Floats, transaction_ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """The place of each row in the work list, int64 [n]: 1 is the highest probability, equals go by transaction_id."""
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    is_like_previous = np.append(False, ranked[1:] == ranked[:-1])
    is_tied = is_like_previous | np.append(is_like_previous[1:], False)
    # Most probabilities are distinct; only the texts of those that are not need comparing.
    tied_rows = order[is_tied]
    run = np.cumsum(~is_like_previous)[is_tied]
    order[is_tied] = tied_rows[np.lexsort((transaction_ids[tied_rows].astype(str), run))]
    ranks = np.empty(order.size, np.int64)
    ranks[order] = np.arange(1, order.size + 1)
    return ranks


def profile_scores(predictions: pd.DataFrame) -> Profile:
    """The distribution of `fraud_probability` among these predictions, for drift to compare."""
    return profile_table(predictions, ["fraud_probability"])
