"""The labels that arrived on a day: from label files, and from transactions that landed with their label.

Which label stands when a later day brings another does not belong here; readers of several days decide that.
"""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.governance.tombstones import NOTHING_ERASED, Tombstones
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.quarantine import judge_rows
from fraud_platform.ingestion.reading import describe_rows, read_landed_table
from fraud_platform.ingestion.schema import (
    CONFIRMED_LABELS_COLUMNS,
    ID_COLUMN,
    LABEL_COLUMN,
    LABEL_FILE,
    SOURCE_COLUMN,
    TRANSACTION_FILE,
)


def labels_of_day(
    landing: LandingZone,
    raw_transactions: pd.DataFrame | None,
    day: date,
    tombstones: Tombstones = NOTHING_ERASED,
) -> pd.DataFrame:
    """The labels that arrived on `day` (`confirmed_labels_schema`), by identifier; empty if there are none.

    A label file overrules the transaction file. `raw_transactions` are the day's; None if none landed. Labels of
    transactions that have a tombstone are left out.

    Raises:
        DataError: a label file breaks the contract, or two of its rows disagree; a label decides about a person, so
            there is no quarantine here: the file is mended.
        OSError: the storage failed.
    """
    from_files = pd.concat([_no_labels(LABEL_FILE), *map(_read_labels, landing.label_files(day))], ignore_index=True)
    from_files = from_files.drop_duplicates(ignore_index=True)
    if tombstones:
        pseudonyms = tombstones.pseudonyms_of(pa.array(from_files[ID_COLUMN], pa.string()))
        from_files = from_files[pd.isna(pseudonyms)]
    disagreeing = from_files.loc[from_files[ID_COLUMN].duplicated(), ID_COLUMN]
    if len(disagreeing):
        raise DataError(
            f"the label files of {day} give {disagreeing.nunique()} transactions both classes, "
            f"the first is {disagreeing.min()}; land one label for each"
        )
    from_transactions = _labels_in(raw_transactions)
    is_new = ~from_transactions[ID_COLUMN].isin(from_files[ID_COLUMN])
    labels = pd.concat([from_files, from_transactions[is_new]], ignore_index=True)
    return labels.sort_values(ID_COLUMN, ignore_index=True)[list(CONFIRMED_LABELS_COLUMNS)]


def _read_labels(path: UPath) -> pd.DataFrame:
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
    return pd.DataFrame(
        {
            ID_COLUMN: pd.Series(table.identifiers, dtype=object),
            LABEL_COLUMN: table.numbers[LABEL_COLUMN].astype(np.int8),
            SOURCE_COLUMN: LABEL_FILE,
        }
    )


def _labels_in(raw_transactions: pd.DataFrame | None) -> pd.DataFrame:
    if raw_transactions is None:
        return _no_labels(TRANSACTION_FILE)
    labelled = raw_transactions.loc[raw_transactions[LABEL_COLUMN].notna(), [ID_COLUMN, LABEL_COLUMN]]
    return labelled.astype({LABEL_COLUMN: np.int8}).assign(**{SOURCE_COLUMN: TRANSACTION_FILE})


def _no_labels(source: str) -> pd.DataFrame:
    empty = {ID_COLUMN: pd.Series(dtype=object), LABEL_COLUMN: pd.Series(dtype=np.int8)}
    return pd.DataFrame(empty).assign(**{SOURCE_COLUMN: source}).astype({SOURCE_COLUMN: object})
