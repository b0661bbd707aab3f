"""A model bundle and a table of features become decisions, places in the work list and reasons.

Which model is in charge does not belong here, and neither does where decisions are stored.
"""

import os
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.features.engineering import build_features
from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import EVENT_TIME_COLUMN
from fraud_platform.ingestion.schema import ID_COLUMN
from fraud_platform.ingestion.transactions import ingest_file
from fraud_platform.scoring.explanations import reasons_for
from fraud_platform.scoring.schema import PREDICTION_COLUMNS, SCORE_FILE_COLUMNS
from fraud_platform.storage import open_location, write_atomically
from fraud_platform.training.dataset import feature_matrix

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

Floats = NDArray[np.float64]

_NO_DAY = date(1970, 1, 1)


class ScoredFile(NamedTuple):
    """A scored file.

    Attributes:
        decisions: `SCORE_FILE_COLUMNS`, good rows in the file's order.
        quarantine: the rows that could not be scored: `file`, `row` (1-based), `column`, `reason`.
    """

    decisions: pd.DataFrame
    quarantine: pd.DataFrame

    def write(self, path: str | os.PathLike[str]) -> None:
        """Stores the decisions, whole or not at all.

        Raises:
            DataError: the name says neither `.parquet` nor `.csv`.
            OSError: the location cannot be written.
        """
        target = open_location(path)
        if target.suffix == ".parquet":
            write_atomically(target, self.decisions.to_parquet(index=False))
        elif target.suffix == ".csv":
            write_atomically(target, self.decisions.to_csv(index=False).encode())
        else:
            raise DataError(f"cannot write {target.name}: name the output .parquet or .csv")


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
    transaction_ids = features[ID_COLUMN].to_numpy(dtype=object, copy=True)
    columns = {
        ID_COLUMN: transaction_ids,
        EVENT_TIME_COLUMN: features[EVENT_TIME_COLUMN].array.copy(),
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
    # The arrays as they are: gathered into blocks, the table would for a moment be there twice.
    return pd.DataFrame(columns, columns=list(PREDICTION_COLUMNS), copy=False)


def with_kept_answers(predictions: pd.DataFrame, stored: pd.DataFrame | None) -> pd.DataFrame:
    """The predictions, with what a challenger that cannot be asked any more answered when the day was scored before.

    Args:
        predictions: as `score_day` gives them, without a challenger.
        stored: `transaction_id`, `challenger_probability` and `challenger_version` of before; None without any.
    """
    if stored is None:
        return predictions
    kept = stored.set_index(ID_COLUMN).reindex(predictions[ID_COLUMN])
    return predictions.assign(
        challenger_probability=kept["challenger_probability"].to_numpy(),
        challenger_version=kept["challenger_version"].to_numpy(),
    )


def rank_by_suspicion(probabilities: Floats, transaction_ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """The place of each row in the work list, int64 [n]: 1 is the highest probability, equals go by transaction_id."""
    import pyarrow as pa
    import pyarrow.compute as pc

    order = np.argsort(-probabilities)
    ranked = probabilities[order]
    is_like_previous = np.append(False, ranked[1:] == ranked[:-1])[: order.size]
    is_tied = is_like_previous | np.append(is_like_previous[1:], False)[: order.size]
    # Only the identifiers of equals are looked at, and Arrow compares texts natively.
    tied = order[is_tied]
    keys = pa.table({"run": np.cumsum(~is_like_previous)[is_tied], "id": pa.array(transaction_ids[tied], pa.string())})
    order[is_tied] = tied[pc.sort_indices(keys, [("run", "ascending"), ("id", "ascending")]).to_numpy()]
    ranks = np.empty(order.size, np.int64)
    ranks[order] = np.arange(1, order.size + 1)
    return ranks


def score_file(
    path: str | os.PathLike[str], bundle: "ModelBundle", model_version: str, *, day: date | None = None
) -> ScoredFile:
    """The decision on every good row of a file in the landing format, in its order, repeated rows included.

    Args:
        path: `.csv`, `.csv.gz` or `.parquet`, on disk or `s3://`.
        bundle: the model that decides.
        model_version: its registered version.
        day: the day the rows are of, which derived identifiers begin with; by default the folder's, when its name is
            a day as in the landing zone, else 1970-01-01. It changes no decision.

    Raises:
        DataError: the file breaks the contract; the message says where.
        ModelError: the bundle was made for another feature schema.
        OSError: the storage failed.
    """
    file = open_location(path)
    landed = ingest_file(file, day or _day_of_folder(file))
    probabilities = bundle.predict(build_features(landed.transactions))
    decisions = {
        ID_COLUMN: landed.transactions[ID_COLUMN],
        "fraud_probability": probabilities,
        "prediction": (probabilities >= bundle.threshold.value).astype(np.int8),
        "threshold": np.full(len(probabilities), bundle.threshold.value),
        "model_version": np.full(len(probabilities), model_version, dtype=object),
    }
    return ScoredFile(pd.DataFrame(decisions, columns=list(SCORE_FILE_COLUMNS)), landed.quarantine)


def count_alerts(decisions: pd.DataFrame) -> dict[str, float]:
    """How many of these decisions are `alerts`, and which share of them all, the `alert_rate`."""
    alerts = int(decisions["prediction"].sum())
    return {"alerts": alerts, "alert_rate": alerts / max(len(decisions), 1)}


def profile_scores(predictions: pd.DataFrame) -> Profile:
    """The distribution of `fraud_probability` among these predictions, for drift to compare."""
    return profile_table(predictions, ["fraud_probability"])


def _day_of_folder(file: UPath) -> date:
    try:
        return date.fromisoformat(file.parent.name)
    except ValueError:
        return _NO_DAY
