"""Spreads the rows of a public credit-card file over calendar days, each keeping its second of the day.

Rows that nobody recorded (`simulator`), and putting days into a landing zone (`delivery`), do not belong here.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.governance.card_columns import forbidden_columns
from fraud_platform.governance.pan_guard import find_card_numbers, find_card_numbers_in_floats, mask_card_numbers
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN, LANDED_COLUMNS
from fraud_platform.simulation.drift import DriftInjection
from fraud_platform.storage import absence_of, open_location

if TYPE_CHECKING:
    import pyarrow as pa

SECONDS_PER_DAY = 86_400


def read_public_file(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A labelled table in the format of `creditcard.csv`.

    Args:
        path: `.csv`, `.csv.gz` or `.parquet`, on disk or `s3://`.

    Returns:
        `Time`, `V1`..`V28`, `Amount` as float64 and `Class` as int8, behind `transaction_id` if the file has it. Rows
        with missing values or negative amounts are kept: it is the platform's business to quarantine them.

    Raises:
        DataError: the file is missing or unreadable, a column is missing, unexpected or not numeric, or a `Class` is
            neither 0 nor 1.
    """
    import pyarrow as pa

    location, path = open_location(path), mask_card_numbers(str(path))
    table, names = _read(location, path)
    needed = (*LANDED_COLUMNS, LABEL_COLUMN)
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(f"{path}: lacks the column(s) {', '.join(missing)}; it must have Time, V1..V28, Amount, Class")
    if forbidden := forbidden_columns(names):
        kinds = ", ".join(sorted(set(forbidden.values())))
        raise DataError(f"{path}: a column would hold {kinds}, which must not enter; delete the file")
    known = {*needed, ID_COLUMN} & set(names)
    if len(names) > len(known):
        # Unknown names are not repeated: in a file without a header they are the first row's values.
        surplus = len(names) - len(known)
        raise DataError(f"{path}: has {surplus} unexpected or repeated column(s); keep Time, V1..V28, Amount, Class")
    if len(table) == 0:
        raise DataError(f"{path}: holds no rows; give a file in the format of creditcard.csv")
    for name in needed:
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            shown = mask_card_numbers(str(kind))
            raise DataError(f"{path}: column {name} holds {shown} where numbers are expected; mend the file")

    columns = {name: table.column(name).to_numpy().astype(np.float64) for name in LANDED_COLUMNS}
    identity = _identifiers(path, table) if ID_COLUMN in names else {}
    _refuse_card_numbers(path, identity, columns)
    labels = table.column(LABEL_COLUMN).to_numpy()
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if wrong.size:
        rows = ", ".join(str(row + 1) for row in wrong[:3])
        raise DataError(f"{path}: {LABEL_COLUMN} is neither 0 nor 1 in {wrong.size} rows (first: {rows}); label them")
    return pd.DataFrame(identity | columns | {LABEL_COLUMN: labels.astype(np.int8)})


def replay(
    table: pd.DataFrame,
    *,
    start: date,
    days: int,
    seed: int,
    rows_per_day: int | None = None,
    drift: DriftInjection | None = None,
) -> Iterator[tuple[date, pd.DataFrame]]:
    """The rows of `table` dealt to `days` days like cards, one day at a time, oldest first.

    Every row lands on at most one day; each class, and all rows together, are shared out so that the counts of two days
    differ by one at most. The order of rows in `table` and `seed` decide which row goes where.

    Args:
        table: what `read_public_file` gives.
        start: first day.
        days: how many days, at least 1.
        seed: of every random choice, 0 or more.
        rows_per_day: draw this many rows a day without replacement, the share of frauds kept; None deals all rows.
        drift: what changes from a day on; None for nothing.

    Yields:
        The day and its table, columns as in `table`: `Time` keeps its second of the day and counts from the midnight
        `start` begins with; rows are in the order of `Time`.

    Raises:
        DataError: there are fewer rows than asked for.
        ValueError: `days` or `rows_per_day` is below 1.
    """
    if days < 1 or (rows_per_day is not None and rows_per_day < 1):
        raise ValueError(f"cannot replay {days=} {rows_per_day=}")
    wanted = len(table) if rows_per_day is None else days * rows_per_day
    if len(table) < max(wanted, days):
        asked = f"{days} days" if rows_per_day is None else f"{days} days of {rows_per_day:,} rows"
        raise DataError(f"the file holds {len(table):,} rows, too few for {asked}; ask for fewer days or rows per day")

    dealt = _deal(table[LABEL_COLUMN].to_numpy(), wanted, np.random.default_rng(seed))
    seconds = table["Time"].to_numpy(np.float64) % SECONDS_PER_DAY
    for offset in range(days):
        day = start + timedelta(days=offset)
        rows = dealt[offset::days]
        rows = rows[np.lexsort((rows, seconds[rows]))]
        part = table.iloc[rows].reset_index(drop=True)
        part["Time"] = seconds[rows]
        if drift is not None:
            part = drift.apply(day, part, seed)
        part["Time"] += float(offset * SECONDS_PER_DAY)
        yield day, part


def _refuse_card_numbers(
    path: str, identity: Mapping[str, pd.Series], columns: Mapping[str, NDArray[np.float64]]
) -> None:
    """Refuses the whole file: landed by us, a card number would be written by us."""
    import pyarrow as pa

    found = {name: find_card_numbers(pa.array(texts, pa.string())) for name, texts in identity.items()}
    found |= {name: find_card_numbers_in_floats(values) for name, values in columns.items()}
    for name, is_card in found.items():
        if is_card.any():
            rows = ", ".join(str(row + 1) for row in np.flatnonzero(is_card)[:3])
            raise DataError(
                f"{path}: column {name} holds a card number in {is_card.sum()} rows (first: {rows}); such data must "
                "not enter, so nothing is landed: delete the file"
            )


def _identifiers(path: str, table: "pa.Table") -> dict[str, pd.Series]:
    import pyarrow as pa

    try:
        return {ID_COLUMN: table.column(ID_COLUMN).cast(pa.string()).to_pandas()}
    except (pa.ArrowException, UnicodeDecodeError):
        raise DataError(f"{path}: column {ID_COLUMN} is no UTF-8 text; save the file as UTF-8") from None


def _deal(labels: NDArray[np.int8], wanted: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """`wanted` shuffled row positions, legitimate ones first: every n-th of them is then one day's stratified share."""
    fraudulent = generator.permutation(np.flatnonzero(labels == 1))
    legitimate = generator.permutation(np.flatnonzero(labels == 0))
    frauds = round(wanted * len(fraudulent) / len(labels))
    return np.concatenate([legitimate[: wanted - frauds], fraudulent[:frauds]])


def _read(location: UPath, label: str) -> "tuple[pa.Table, list[str]]":
    """The file as it is and the names of its columns, or the reason why it cannot be read."""
    import pyarrow as pa

    if problem := absence_of(location):
        raise DataError(f"{label}: {problem}; give a file in the format of creditcard.csv")
    try:
        with location.open("rb") as file:
            table = _parse(location.name, file)
        return table, table.column_names
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        # The parser's own words quote the row, which may hold what must not be shown.
        kind = type(error).__name__
        raise DataError(f"{label}: cannot be read as a table ({kind}); give CSV, csv.gz or Parquet") from None
    except UnicodeDecodeError:
        raise DataError(f"{label}: is no UTF-8 text; save the file as UTF-8") from None


def _parse(name: str, file: IO[bytes]) -> "pa.Table":
    import gzip

    import pyarrow.csv
    import pyarrow.parquet

    if name.endswith(".parquet"):
        return pyarrow.parquet.read_table(file)
    return pyarrow.csv.read_csv(gzip.open(file) if name.endswith(".gz") else file)
