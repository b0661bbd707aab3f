"""The labels that arrived on a day: from label files, and from transactions that landed with their label.

Which label stands when a later day brings another does not belong here; readers of several days decide that. Whether a
label is about a transaction that had happened is told in `label_lookup`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from upath import UPath

from fraud_platform.errors import DataError, MissingDataError
from fraud_platform.governance.tombstones import NOTHING_ERASED, Tombstones
from fraud_platform.ingestion.label_lookup import Lookup, find_transactions
from fraud_platform.ingestion.landing import LandedFile, LandingZone
from fraud_platform.ingestion.quarantine import join_quarantine, judge_rows
from fraud_platform.ingestion.reading import describe_rows, read_landed_table
from fraud_platform.ingestion.schema import (
    ANALYST_REVIEW,
    CONFIRMED_LABELS_COLUMNS,
    CUSTOMER_DISPUTE,
    FRAUD_REPORT,
    ID_COLUMN,
    LABEL_COLUMN,
    LABEL_FILE,
    SOURCE_COLUMN,
    TRANSACTION_FILE,
)

CONFLICTING = "labels of one day contradict each other"
UNKNOWN_TRANSACTION = "no transaction that had happened has this identifier"
EARLY = "label arrived before its transaction"

# A label file says by the beginning of its name who labelled. Of equal labels the more careful source is kept.
_SOURCES = (("review", ANALYST_REVIEW), ("report", FRAUD_REPORT), ("dispute", CUSTOMER_DISPUTE), ("", LABEL_FILE))
_CARE = [source for _, source in _SOURCES]


@dataclass(frozen=True)
class DayLabels:
    """What arrived on a day.

    Attributes:
        labels: `confirmed_labels_schema`, by identifier.
        quarantine: labels that decide nothing: `file`, `row` (1-based), `column`, `reason`.
        count_by_transaction_day: how many of the labels are about the transactions of each day.
        searched_day_count: days up to this one whose transactions were there to be searched.
    """

    labels: pd.DataFrame
    quarantine: pd.DataFrame
    count_by_transaction_day: Mapping[date, int]
    searched_day_count: int

    @property
    def quarantined_by_reason(self) -> dict[str, int]:
        """How many labels decide nothing, by reason."""
        return {str(reason): int(count) for reason, count in self.quarantine["reason"].value_counts().items()}


def labels_of_day(
    landing: LandingZone,
    day: date,
    transactions_by_day: Mapping[date, pd.DataFrame],
    tombstones: Tombstones = NOTHING_ERASED,
) -> DayLabels:
    """The labels that arrived on `day`.

    A label file overrules the transaction file of its day. Labels that contradict each other, that arrived before their
    transaction, or whose transaction nobody knows go to quarantine; the others stand.

    Args:
        landing: where label files are.
        day: the day they arrived on.
        transactions_by_day: `transaction_id` and `Class` of the days a label may be about, read when they are needed.
        tombstones: of erased transactions, whose labels are left out.

    Raises:
        MissingDataError: the transactions of the day have landed and were not given, or nothing has landed.
        DataError: a label file breaks the contract: a row that cannot be read may be anybody's label, so the file is
            mended.
        OSError: the storage failed.
    """
    paths = landing.label_files(day)
    # Their own `Class` would be missing among the labels.
    if day not in transactions_by_day and (not paths or landing.transaction_files(day)):
        raise MissingDataError(
            f"raw_transactions of {day} is not stored; materialise raw_transactions for that day first"
        )
    files = [read_labels(path)[0] for path in paths]
    landed = pd.concat([_no_rows(), *files], ignore_index=True)
    if tombstones:
        is_erased = pd.notna(tombstones.pseudonyms_of(pa.array(landed[ID_COLUMN], pa.string())))
        landed = landed[~is_erased].reset_index(drop=True)
    lookup = find_transactions(landed[ID_COLUMN], day, transactions_by_day)
    refused = refusals(landed, lookup)
    is_refused = np.any(list(refused.values()), axis=0)
    from_files = _one_per_transaction(landed.assign(day=lookup.days)[~is_refused])
    from_transactions = _labels_in(transactions_by_day.get(day))
    is_new = ~from_transactions[ID_COLUMN].isin(from_files[ID_COLUMN])
    labels = pd.concat([from_files, from_transactions[is_new]], ignore_index=True)
    return DayLabels(
        labels=labels.sort_values(ID_COLUMN, ignore_index=True)[list(CONFIRMED_LABELS_COLUMNS)],
        quarantine=_quarantine(landed, refused),
        count_by_transaction_day=_counts(lookup, from_files, day, int(is_new.sum())),
        searched_day_count=sum(each <= day for each in transactions_by_day),
    )


def read_labels(path: UPath) -> tuple[pd.DataFrame, LandedFile]:
    """Every label of a file, with its `source`, `file` and `row` (1-based), and which bytes were read.

    Raises:
        DataError: a row cannot be read, and it may be anybody's label.
        OSError: the storage failed.
    """
    table = read_landed_table(path, required=(ID_COLUMN, LABEL_COLUMN))
    quarantine = judge_rows(table).quarantine
    is_unlabelled = np.isnan(table.numbers[LABEL_COLUMN])
    if len(quarantine):
        first = quarantine.iloc[0]
        rows = quarantine.loc[quarantine["reason"] == first["reason"], "row"].to_numpy()
        raise DataError(f"{table.label}: column {first['column']}: {first['reason']} in {describe_rows(rows)}; mend it")
    if is_unlabelled.any():
        rows = np.flatnonzero(is_unlabelled) + 1
        raise DataError(f"{table.label}: column {LABEL_COLUMN}: value is missing in {describe_rows(rows)}; mend it")
    labels = pd.DataFrame(
        {
            ID_COLUMN: pd.Series(table.identifiers, dtype=object),
            LABEL_COLUMN: table.numbers[LABEL_COLUMN].astype(np.int8),
            SOURCE_COLUMN: source_of(table.file.name),
            "file": table.file.name,
            "row": np.arange(1, table.row_count + 1),
        }
    )
    return labels, table.file


def refusals(labels: pd.DataFrame, lookup: Lookup) -> dict[str, np.ndarray]:
    """Which of the labels of one day decide nothing, bool [n] by reason."""
    is_conflicting = labels.groupby(ID_COLUMN)[LABEL_COLUMN].transform("nunique").to_numpy() > 1
    return {
        CONFLICTING: is_conflicting,
        EARLY: lookup.is_early.to_numpy(),
        UNKNOWN_TRANSACTION: lookup.is_unknown.to_numpy(),
    }


def source_of(name: str) -> str:
    """Who labelled, by the name of the label file: `reviews.csv`, `reports-2.csv`, `disputes.parquet`, any other."""
    return next(source for beginning, source in _SOURCES if name.lower().startswith(beginning))


def label_weights(sources: "pd.Series[str]", weight_by_source: Mapping[str, float]) -> np.ndarray:
    """How much each label counts, float64 [n]: the weight of its source, 1 where none is named."""
    if not weight_by_source:
        return np.ones(len(sources))
    return sources.astype(object).map(weight_by_source).fillna(1.0).to_numpy(dtype=np.float64)


def _one_per_transaction(landed: pd.DataFrame) -> pd.DataFrame:
    by_care = landed[SOURCE_COLUMN].map(_CARE.index)
    ordered = landed.assign(care=by_care).sort_values([ID_COLUMN, "care"], kind="stable")
    return ordered.drop_duplicates(ID_COLUMN)


def _quarantine(landed: pd.DataFrame, refused: Mapping[str, np.ndarray]) -> pd.DataFrame:
    reasons = pd.Series(None, index=landed.index, dtype=object)
    for reason, is_refused in reversed(list(refused.items())):
        reasons[is_refused] = reason
    lines = landed.loc[reasons.notna(), ["file", "row"]].assign(column=ID_COLUMN, reason=reasons.dropna())
    return join_quarantine([lines])


def _counts(lookup: Lookup, from_files: pd.DataFrame, day: date, own_count: int) -> dict[date, int]:
    counts = {each: int((from_files["day"] == each).sum()) for each in sorted(lookup.days.dropna().unique())}
    counts[day] = counts.get(day, 0) + own_count
    return {each: count for each, count in counts.items() if count}


def _labels_in(raw_transactions: pd.DataFrame | None) -> pd.DataFrame:
    if raw_transactions is None:
        return _no_rows()
    labelled = raw_transactions.loc[raw_transactions[LABEL_COLUMN].notna(), [ID_COLUMN, LABEL_COLUMN]]
    return labelled.astype({LABEL_COLUMN: np.int8}).assign(**{SOURCE_COLUMN: TRANSACTION_FILE})


def _no_rows() -> pd.DataFrame:
    types = {ID_COLUMN: object, LABEL_COLUMN: np.int8, SOURCE_COLUMN: object, "file": object, "row": np.int64}
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})
