"""One landed day becomes one table of transactions: each there once, in a fixed order, with its identifier and time.

How files are parsed and which values are allowed does not belong here.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from upath import UPath

from fraud_platform.errors import MissingDataError
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.governance.tombstones import NOTHING_ERASED, Tombstones
from fraud_platform.ingestion.data_version import data_version_of
from fraud_platform.ingestion.identity import (
    deduplicate,
    derive_identifiers,
    event_times,
    hash_rows,
    rank_hashes,
    rank_texts,
)
from fraud_platform.ingestion.landing import TRANSACTIONS, LandedFile, LandingZone, origin_of_all
from fraud_platform.ingestion.quarantine import REPEATED_ID, join_quarantine, judge_rows, quarantine_lines
from fraud_platform.ingestion.reading import LandedTable, read_landed_table
from fraud_platform.ingestion.schema import (
    EVENT_TIME_COLUMN,
    ID_COLUMN,
    LABEL_COLUMN,
    LANDED_COLUMNS,
    TIME_COLUMN,
)


@dataclass(frozen=True)
class IngestionSummary:
    """What happened to the rows of a day; `landed = kept + duplicate + quarantined + erased`, always.

    Attributes:
        day: the partition.
        origin: `landed`, `replayed` or `simulated`.
        files: what was read, by name.
        data_version: digest over the names and digests of the files, and over what was erased from them; equal bytes,
            equal version, until a transaction is erased.
        landed_row_count: data rows in all files.
        row_count: rows kept.
        duplicate_count: rows delivered again, removed.
        quarantined_count: rows in the quarantine table.
        quarantined_by_reason: the same by reason.
        erased_count: landed rows of erased transactions, left out.
        erased: the pseudonyms of those transactions.
        fraud_count: kept rows labelled as fraud; None if no kept row carries a label.
    """

    day: date
    origin: str
    files: tuple[LandedFile, ...]
    data_version: str
    landed_row_count: int
    row_count: int
    duplicate_count: int
    quarantined_count: int
    quarantined_by_reason: dict[str, int]
    erased_count: int
    erased: frozenset[str]
    fraud_count: int | None

    @property
    def quarantine_share(self) -> float:
        """Quarantined rows as a share of the landed ones, 0 for a day without rows."""
        return self.quarantined_count / self.landed_row_count if self.landed_row_count else 0.0

    def as_metadata(self) -> dict[str, str]:
        """Every figure as text, for a Parquet footer; `fraud_count` is empty where there are no labels."""
        return {
            "day": self.day.isoformat(),
            "origin": self.origin,
            "data_version": self.data_version,
            "landed_row_count": str(self.landed_row_count),
            "row_count": str(self.row_count),
            "duplicate_count": str(self.duplicate_count),
            "quarantined_count": str(self.quarantined_count),
            "quarantined_by_reason": json.dumps(self.quarantined_by_reason, sort_keys=True),
            "erased_count": str(self.erased_count),
            "erased": json.dumps(sorted(self.erased)),
            "fraud_count": "" if self.fraud_count is None else str(self.fraud_count),
            "files": json.dumps([{"name": f.name, "sha256": f.sha256, "byte_count": f.byte_count} for f in self.files]),
        }

    def as_figures(self) -> dict[str, Any]:
        """What the day's page shows; of the files their digests."""
        return {
            "data_version": self.data_version,
            "data_origin": self.origin,
            "landed_rows": self.landed_row_count,
            "duplicates_removed": self.duplicate_count,
            "erased": self.erased_count,
            "quarantined": self.quarantined_count,
            "quarantined_by_reason": self.quarantined_by_reason,
            "frauds": "not labelled" if self.fraud_count is None else self.fraud_count,
            "landed_files": {file.name: file.sha256 for file in self.files},
        }


@dataclass(frozen=True)
class IngestedDay:
    """A day's transactions (`raw_transactions_schema`), its quarantined rows and the count of everything."""

    transactions: pd.DataFrame
    quarantine: pd.DataFrame
    summary: IngestionSummary


@dataclass(frozen=True)
class IngestedFile:
    """One file's good rows in file order, repetitions included, and its quarantined rows."""

    file: LandedFile
    transactions: pd.DataFrame
    quarantine: pd.DataFrame


def ingest_day(landing: LandingZone, day: date, tombstones: Tombstones = NOTHING_ERASED) -> IngestedDay:
    """The transactions of `day` from all its landed files, ordered by event time, then identifier.

    The result depends on the rows alone, not on how files or rows are ordered. Only where two rows claim one
    identifier for different values does order matter: by file name and row, the first claim stands and the others
    are quarantined. A row delivered both with and without a label counts once, with the label. Rows of transactions
    that have a tombstone are left out and counted.

    Raises:
        DataError: nothing landed for the day, or a file breaks the contract; the message says which and where.
        OSError: the storage failed.
    """
    paths = landing.transaction_files(day)
    if not paths:
        folder = mask_card_numbers(str(landing.folder(TRANSACTIONS, day)))
        raise MissingDataError(f"no transactions for {day} in {folder}; land a .csv, .csv.gz or .parquet file there")
    parts = [_Part.read(path, day, tombstones) for path in paths]
    position_in_file = np.concatenate([part.rows for part in parts])
    file_index = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    hashes = np.concatenate([part.hashes for part in parts])
    ranks, identifiers_at = _identify(parts, day, hashes)
    unique = deduplicate(ranks, hashes, np.concatenate([part.labels() for part in parts]))
    times = event_times(day, np.concatenate([part.column(TIME_COLUMN) for part in parts]))
    order = unique.kept[np.lexsort((ranks[unique.kept], times[unique.kept]))]
    transactions = _assemble(parts, order, times[order], identifiers_at(order), unique.labels[order])
    conflicts = [
        quarantine_lines(
            part.table.file.name,
            position_in_file[unique.conflicting[file_index[unique.conflicting] == index]],
            ID_COLUMN,
            REPEATED_ID,
        )
        for index, part in enumerate(parts)
    ]
    quarantine = join_quarantine([*(part.quarantine for part in parts), *conflicts])
    files = tuple(part.table.file for part in parts)
    labels = transactions[LABEL_COLUMN]
    erased = frozenset[str]().union(*(part.erased for part in parts))
    summary = IngestionSummary(
        day=day,
        origin=origin_of_all(file.name for file in files),
        files=files,
        data_version=data_version_of([(file.name, file.sha256) for file in files], erased),
        landed_row_count=sum(part.table.row_count for part in parts),
        row_count=len(transactions),
        duplicate_count=unique.duplicate_count,
        quarantined_count=len(quarantine),
        quarantined_by_reason=dict(sorted(Counter(quarantine["reason"]).items())),
        erased_count=sum(part.erased_count for part in parts),
        erased=erased,
        fraud_count=int(labels.sum()) if labels.notna().any() else None,
    )
    return IngestedDay(transactions, quarantine, summary)


def ingest_file(path: UPath, day: date) -> IngestedFile:
    """The transactions in one landed file, in file order, as if they had happened on `day`.

    Raises:
        DataError: the file breaks the contract; the message says where.
        OSError: the storage failed.
    """
    part = _Part.read(path, day, NOTHING_ERASED)
    times = event_times(day, part.column(TIME_COLUMN))
    order = np.arange(len(part.rows))
    _, identifiers_at = _identify([part], day, part.hashes)
    transactions = _assemble([part], order, times, identifiers_at(order), part.labels())
    return IngestedFile(part.table.file, transactions, part.quarantine)


@dataclass(frozen=True)
class _Part:
    """The good rows of one file.

    Attributes:
        table: the file; its numbers leave it one by one as the day is assembled.
        rows: positions of the good rows in the file, ascending: int64 [n].
        given_identifiers: of the good rows: Arrow strings [n]; None if the file has none.
        hashes: of the good rows' landed values: uint64 [n].
        quarantine: the bad rows.
        erased_count: good rows that were left out because their transactions are erased.
        erased: the pseudonyms of those.
    """

    table: LandedTable
    rows: np.ndarray
    given_identifiers: pa.StringArray | None
    hashes: np.ndarray
    quarantine: pd.DataFrame
    erased_count: int
    erased: frozenset[str]

    @classmethod
    def read(cls, path: UPath, day: date, tombstones: Tombstones) -> "_Part":
        table = read_landed_table(path, required=LANDED_COLUMNS, optional=(ID_COLUMN, LABEL_COLUMN))
        verdict = judge_rows(table)
        rows = np.flatnonzero(verdict.is_good)
        hashes = hash_rows([table.numbers[name] for name in LANDED_COLUMNS])[rows]
        given = None if table.identifiers is None else table.identifiers.take(pa.array(rows))
        if not tombstones:
            return cls(table, rows, given, hashes, verdict.quarantine, 0, frozenset())
        pseudonyms = tombstones.pseudonyms_of(derive_identifiers(day, hashes) if given is None else given)
        is_kept = pd.isna(pseudonyms)
        given = None if given is None else given.filter(pa.array(is_kept))
        erased = frozenset(pseudonyms[~is_kept])
        erased_count = int(np.count_nonzero(~is_kept))
        return cls(table, rows[is_kept], given, hashes[is_kept], verdict.quarantine, erased_count, erased)

    def column(self, name: str) -> np.ndarray:
        """The good rows' values of a numeric column."""
        return self._good(self.table.numbers[name])

    def take_column(self, name: str) -> np.ndarray:
        """The same, for the last time: the column's memory is given back."""
        return self._good(self.table.numbers.pop(name))

    def labels(self) -> np.ndarray:
        """The good rows' labels, NaN where there is none."""
        values = self.table.numbers.get(LABEL_COLUMN)
        return np.full(len(self.rows), np.nan) if values is None else self._good(values)

    def _good(self, values: np.ndarray) -> np.ndarray:
        return values if len(self.rows) == self.table.row_count else values[self.rows]


def _identify(
    parts: Sequence[_Part], day: date, hashes: np.ndarray
) -> tuple[np.ndarray, Callable[[np.ndarray], pa.StringArray]]:
    """The identifiers' ranks, and the identifiers at chosen positions; those derived are not written out before."""
    if all(part.given_identifiers is None for part in parts):
        return rank_hashes(hashes), lambda positions: derive_identifiers(day, hashes[positions])
    texts = pa.concat_arrays(
        derive_identifiers(day, part.hashes) if part.given_identifiers is None else part.given_identifiers
        for part in parts
    )
    return rank_texts(texts), lambda positions: texts.take(pa.array(positions))


def _assemble(
    parts: Sequence[_Part], order: np.ndarray, times: np.ndarray, identifiers: pa.StringArray, labels: np.ndarray
) -> pd.DataFrame:
    """The raw table: the numbers in `parts` at positions `order`, beside times, identifiers and labels in that order.

    All numbers go into one block, a column at a time, so that the day is never there twice.
    """
    block = np.empty((len(LANDED_COLUMNS), len(order)))
    for index, name in enumerate(LANDED_COLUMNS):
        pieces = [part.take_column(name) for part in parts]
        # "clip" never happens, but the checking default would first write to a buffer of its own.
        np.take(pieces[0] if len(pieces) == 1 else np.concatenate(pieces), order, out=block[index], mode="clip")
    table = pd.DataFrame(block.T, columns=list(LANDED_COLUMNS), copy=False)
    table.insert(0, ID_COLUMN, identifiers.to_numpy(zero_copy_only=False))
    moments = pd.DatetimeIndex(times.view("datetime64[us]")).tz_localize("UTC")
    table.insert(1, EVENT_TIME_COLUMN, moments)
    is_unlabelled = np.isnan(labels)
    classes = np.where(is_unlabelled, 0, labels).astype(np.int8)
    table.insert(len(table.columns), LABEL_COLUMN, pd.Series(pd.arrays.IntegerArray(classes, is_unlabelled)))
    return table
