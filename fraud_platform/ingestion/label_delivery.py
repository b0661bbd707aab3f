"""Hands a label file in: reads it as ingestion will, says what its labels are about, and lands it whole.

What becomes of the labels is decided when their day is ingested (`labels`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
from upath import UPath

from fraud_platform.day_store import DayStore
from fraud_platform.errors import DataError
from fraud_platform.ingestion.label_lookup import find_transactions
from fraud_platform.ingestion.labels import read_labels, refusals, source_of
from fraud_platform.ingestion.landing import LABELS, SUFFIXES, LandingZone
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN
from fraud_platform.storage import create_exclusively, sha256


@dataclass(frozen=True)
class LabelFile:
    """A label file that can be read.

    Attributes:
        name: what it is called in the landing zone.
        content: its bytes.
        source: who labelled, as its name tells.
        fraud_count, legitimate_count: its labels.
        refused: how many of them decide nothing as things stand, by reason.
    """

    name: str
    content: bytes
    source: str
    fraud_count: int
    legitimate_count: int
    refused: Mapping[str, int]


class StoredTransactions(Mapping[date, pd.DataFrame]):
    """The identifiers of every ingested day, read when they are asked for."""

    def __init__(self, store: DayStore) -> None:
        self._store = store
        self._days = store.days("raw_transactions", "parquet")

    def __getitem__(self, day: date) -> pd.DataFrame:
        return self._store.read_table("raw_transactions", day, (ID_COLUMN,))

    def __iter__(self) -> Iterator[date]:
        return iter(self._days)

    def __len__(self) -> int:
        return len(self._days)


def examine_labels(
    path: UPath, day: date, transactions_by_day: Mapping[date, pd.DataFrame], *, kind: str | None = None
) -> LabelFile:
    """What a label file holds that arrives on `day`.

    Args:
        path: the file, .csv, .csv.gz or .parquet with `transaction_id` and `Class`.
        day: the day it arrives on.
        transactions_by_day: `transaction_id` of the days a label may be about.
        kind: beginning of the name that tells who labelled, such as `disputes`; None keeps the file's own name.

    Raises:
        DataError: it breaks the contract of label files, or changes while it is read.
        OSError: it cannot be read.
    """
    name = path.name if kind is None or path.name.lower().startswith(kind) else f"{kind}-{path.name}"
    if not name.lower().endswith(SUFFIXES) or name.startswith("."):
        raise DataError(f"{path.name}: labels come as {', '.join(SUFFIXES)}; write them so")
    labels, read = read_labels(path)
    content = path.read_bytes()
    if sha256(content) != f"sha256:{read.sha256}":
        raise DataError(f"{read.name} changed while it was read; hand it in when it is complete")
    found = find_transactions(labels[ID_COLUMN], day, transactions_by_day)
    return LabelFile(
        name=name,
        content=content,
        source=source_of(name),
        fraud_count=int((labels[LABEL_COLUMN] == 1).sum()),
        legitimate_count=int((labels[LABEL_COLUMN] == 0).sum()),
        refused={reason: int(rows.sum()) for reason, rows in refusals(labels, found).items() if rows.any()},
    )


def land_labels(landing: LandingZone, day: date, file: LabelFile) -> UPath:
    """Where the file lies now: with the labels that arrive on `day`. The same bytes again change nothing.

    Raises:
        DataError: another file has that name already.
        OSError: the zone cannot be written.
    """
    path = landing.folder(LABELS, day) / file.name
    try:
        create_exclusively(path, file.content)
    except FileExistsError:
        if path.read_bytes() != file.content:
            raise DataError(
                f"{path}: another file of that name has arrived on {day}; give this one a name of its own"
            ) from None
    return path
