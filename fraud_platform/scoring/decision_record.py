"""A decision as it was stored, found again by its transaction, with the features it was made from.

Why it was made does not belong here (`explained_decision`).
"""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
import pyarrow as pa

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.features.engineering import RAW_COLUMNS, build_features
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.governance.tombstones import Tombstones
from fraud_platform.ingestion.identity import day_in_identifier
from fraud_platform.ingestion.schema import ID_COLUMN

DECISIONS, FEATURES, RAW = "daily_predictions", "features", "raw_transactions"


@dataclass(frozen=True)
class DecisionRecord:
    """One transaction's decision and what it was made from.

    Attributes:
        transaction_id: what names the transaction.
        day: the day it happened.
        event_time: when it happened, UTC.
        probability: the calibrated fraud probability that was recorded.
        is_alert: what was decided.
        threshold: the probability from which on alerts were raised.
        rank: its place in the day's work list, 1 = most suspicious.
        decided_count: transactions of the day that were decided.
        model_version: the registered version that decided.
        scored_at: when it was decided, UTC.
        data_version: of the transactions that were decided.
        features: what the model is given: one row of `FEATURE_NAMES`, float32.
        feature_version: data version that `features` are of; another one means they were made again since.
        feature_source: the stored table they come from: `features`, or `raw_transactions` where those are over age.
        is_simulated: the transaction is made up.
    """

    transaction_id: str
    day: date
    event_time: datetime
    probability: float
    is_alert: bool
    threshold: float
    rank: int
    decided_count: int
    model_version: str
    scored_at: datetime
    data_version: str
    features: pd.DataFrame
    feature_version: str
    feature_source: str
    is_simulated: bool


def find_decision(
    store: DayStore, transaction_id: str, *, day: date | None = None, tombstones: Tombstones
) -> DecisionRecord:
    """The stored decision about a transaction.

    Args:
        store: where decisions and features are.
        transaction_id: which one.
        day: the day it happened; None looks through the identifiers of every scored day.
        tombstones: what was erased, so that the answer says so.

    Raises:
        PlatformError: it was erased, was never scored, was scored on several days, or its features are gone.
    """
    if tombstones.pseudonyms_of(pa.array([transaction_id]))[0] is not None:
        raise PlatformError(
            "this transaction was erased: nothing about it is stored any more, so no decision about it can be explained"
        )
    day = day or _scored_day_of(store, transaction_id)
    require_scored(store, day)
    decisions = store.read_table(DECISIONS, day)
    row = _row_of(decisions, transaction_id)
    if row is None:
        raise PlatformError(
            f"transaction {transaction_id} is not among the decisions of {day}; without --day every scored day is "
            "looked through"
        )
    footer = store.read_table_metadata(DECISIONS, day)
    features, feature_version, source = _features_of(store, transaction_id, day)
    decided = row.iloc[0]
    return DecisionRecord(
        transaction_id=transaction_id,
        day=day,
        event_time=decided["event_time"].to_pydatetime(),
        probability=float(decided["fraud_probability"]),
        is_alert=bool(decided["prediction"] == 1),
        threshold=float(decided["threshold"]),
        rank=int(decided["rank"]),
        decided_count=len(decisions),
        model_version=str(decided["model_version"]),
        scored_at=decided["scored_at"].to_pydatetime(),
        data_version=footer["data_version"],
        features=features,
        feature_version=feature_version,
        feature_source=source,
        is_simulated=footer.get("data_origin") == "simulated",
    )


def require_scored(store: DayStore, day: date) -> None:
    """Refuses a day without decisions.

    Raises:
        PlatformError: `day` has not been scored; the message names the days that have.
    """
    if not store.exists(DECISIONS, day, "parquet"):
        raise PlatformError(f"{day} has not been scored ({_scored_days(store)}); materialise {DECISIONS} of that day")


def _scored_day_of(store: DayStore, transaction_id: str) -> date:
    told = day_in_identifier(transaction_id)
    # A derived identifier tells its day and is unique over all days; one that a bank gave may tell a day by chance.
    if told and store.exists(DECISIONS, told, "parquet") and _holds(store, told, transaction_id):
        return told
    found = [day for day in store.days(DECISIONS, "parquet") if _holds(store, day, transaction_id)]
    if not found:
        raise PlatformError(
            f"transaction {transaction_id} is in no scored day ({_scored_days(store)}); check the identifier, or score "
            "its day first"
        )
    if len(found) > 1:
        raise PlatformError(
            f"transaction {transaction_id} was decided on {', '.join(map(str, found))}; name one of them with --day"
        )
    return found[0]


def _holds(store: DayStore, day: date, transaction_id: str) -> bool:
    return bool((store.read_table(DECISIONS, day, [ID_COLUMN])[ID_COLUMN] == transaction_id).any())


def _scored_days(store: DayStore) -> str:
    days = store.days(DECISIONS, "parquet")
    return f"scored are {len(days)} days, {days[0]} to {days[-1]}" if days else "no day is scored yet"


def _features_of(store: DayStore, transaction_id: str, day: date) -> tuple[pd.DataFrame, str, str]:
    """The features of one transaction, their data version and the table they come from."""
    for source in (FEATURES, RAW):
        # Features are kept for a shorter time than decisions; those of a raw transaction are the same, bit for bit.
        if not store.exists(source, day, "parquet"):
            continue
        columns = FEATURE_NAMES if source == FEATURES else RAW_COLUMNS
        row = _row_of(store.read_table(source, day, [ID_COLUMN, *columns]), transaction_id)
        if row is None:
            raise PlatformError(
                f"transaction {transaction_id} is no longer among the {source} of {day}, which were made again since "
                "it was decided; score the day again"
            )
        features = row if source == FEATURES else build_features(row)
        return features[list(FEATURE_NAMES)], store.read_table_metadata(source, day)["data_version"], source
    raise PlatformError(
        f"neither {FEATURES} nor {RAW} of {day} are stored any more, so the decision cannot be replayed; what was "
        f"recorded stands in {DECISIONS} of that day"
    )


def _row_of(table: pd.DataFrame, transaction_id: str) -> pd.DataFrame | None:
    rows = table[table[ID_COLUMN] == transaction_id]
    return None if rows.empty else rows
