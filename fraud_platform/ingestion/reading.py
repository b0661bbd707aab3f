"""Landed files become columns: CSV, gzipped CSV and Parquet, parsed in one pass over exactly the bytes that are hashed.

Rules about rows, and what the columns are for, do not belong here.
"""

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.governance.card_columns import forbidden_columns
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.ingestion.fields import MISSING_TEXTS, WrongTypeError, read_identifiers, read_numbers
from fraud_platform.ingestion.landing import LandedFile
from fraud_platform.ingestion.schema import ID_COLUMN
from fraud_platform.ingestion.source import LandedSource, PlainText

# CSV is parsed a block at a time, so only the numbers of a day are ever held, not its text. The parser reads up to 32
# blocks ahead. No row may be longer than one.
_BLOCK_BYTES = 2**19
# How often a file that changes under the reader is read again before we give up.
_ATTEMPTS = 3
_ROWS_SHOWN = 5
_NAME_CHARACTERS = 40
# How the parser begins to complain about a row with too many or too few fields.
_RAGGED_ROW = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class LandedTable:
    """The fields of one landed file, in its row order, not yet judged.

    Attributes:
        file: what was read.
        label: where it lies, safe to show.
        row_count: data rows in the file.
        numbers: float64 [row_count] per numeric column; NaN where a field is missing or holds a card number as text.
        identifiers: `transaction_id` as Arrow strings, null where missing; None if the file has no such column.
        card_number_rows: per column, the positions of the text fields that hold a card number.
    """

    file: LandedFile
    label: str
    row_count: int
    numbers: dict[str, np.ndarray]
    identifiers: pa.StringArray | None
    card_number_rows: dict[str, np.ndarray]


def read_landed_table(path: UPath, *, required: Sequence[str], optional: Sequence[str] = ()) -> LandedTable:
    """The columns of the landed file at `path`, which must have all of `required` and no others than `optional`.

    Raises:
        DataError: the file is missing, keeps changing, cannot be parsed, has other columns or fields that are no
            number; the message names file, column and first data rows (1-based), and never a field's content.
        OSError: the storage failed; trying again may help.
    """
    label = mask_card_numbers(str(path))
    for _ in range(_ATTEMPTS):
        try:
            with LandedSource(path) as source:
                try:
                    table = _read(source, required, optional)
                except (DataError, OSError):
                    # A file caught halfway through a change is not a damaged file.
                    if source.has_changed():
                        continue
                    raise
                if not source.has_changed():
                    return table
        except FileNotFoundError:
            raise DataError(f"{label} is gone since it was listed; land it again") from None
    raise DataError(f"{label} keeps changing while it is read; land it under a hidden name, then rename it")


class _GrowingColumn:
    """A float64 column of unknown length in one piece of memory."""

    def __init__(self) -> None:
        self._memory = _reserve(4096)
        self._length = 0

    def extend(self, values: np.ndarray) -> None:
        end = self._length + len(values)
        if end > len(self._memory):
            larger = _reserve(max(end, 2 * len(self._memory)))
            larger[: self._length] = self.values
            self._memory = larger
        self._memory[self._length : end] = values
        self._length = end

    @property
    def values(self) -> np.ndarray:
        return self._memory[: self._length]


def _reserve(count: int) -> np.ndarray:
    """Room for `count` float64, straight from the operating system.

    Its pages cost nothing until they are written, and go back the moment the array dies; a heap would keep them.
    """
    return np.frombuffer(mmap.mmap(-1, 8 * count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


@dataclass
class _Columns:
    """Gathers the fields of a file batch by batch and remembers which of them are bad."""

    label: str
    numbers: dict[str, _GrowingColumn] = field(default_factory=dict)
    identifiers: list[pa.StringArray] = field(default_factory=list)
    card_number_rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    unreadable_rows: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, name: str, column: pa.Array, first_row: int) -> None:
        """Takes the next fields of column `name`; `first_row` is the position of the first of them in the file."""
        try:
            fields = read_identifiers(column) if name == ID_COLUMN else read_numbers(column)
        except WrongTypeError as error:
            expected = "text" if name == ID_COLUMN else "numbers"
            # The fields of a nested type have names of their own.
            kind = mask_card_numbers(str(error))
            raise DataError(f"{self.label}: column {name} is of type {kind}, expected {expected}") from None
        if name == ID_COLUMN:
            self.identifiers.append(fields.values)
        else:
            self.numbers.setdefault(name, _GrowingColumn()).extend(fields.values)
        if len(fields.card_number_rows):
            self.card_number_rows.setdefault(name, []).append(fields.card_number_rows + first_row)
        if len(fields.unreadable_rows):
            self.unreadable_rows.setdefault(name, []).append(fields.unreadable_rows + first_row)

    def table(self, file: LandedFile, row_count: int) -> LandedTable:
        """What was gathered, unless a field could not be read."""
        if self.unreadable_rows:
            raise DataError(f"{self.label}: {self._unreadable()}; mend the file and land it again")
        numbers = {name: column.values for name, column in self.numbers.items()}
        identifiers = pa.concat_arrays(self.identifiers) if self.identifiers else None
        cards = {name: np.concatenate(rows) for name, rows in self.card_number_rows.items()}
        return LandedTable(file, self.label, row_count, numbers, identifiers, cards)

    def _unreadable(self) -> str:
        name, pieces = next(iter(self.unreadable_rows.items()))
        problem = "no clean UTF-8 text" if name == ID_COLUMN else "no number"
        others = len(self.unreadable_rows) - 1
        more = f", and so do {others} more columns" if others else ""
        return f"column {name} holds {problem} in {describe_rows(np.concatenate(pieces) + 1)}{more}"


def describe_rows(numbers: np.ndarray) -> str:
    """The first few of 1-based row numbers, for a message."""
    shown = ", ".join(str(number) for number in numbers[:_ROWS_SHOWN])
    rest = f" and {len(numbers) - _ROWS_SHOWN} more" if len(numbers) > _ROWS_SHOWN else ""
    return f"data row{'s' if len(numbers) > 1 else ''} {shown}{rest}"


def _read(source: LandedSource, required: Sequence[str], optional: Sequence[str]) -> LandedTable:
    columns = _Columns(source.label)
    is_parquet = source.path.name.lower().endswith(".parquet")
    read_format = _read_parquet if is_parquet else _read_csv
    row_count = read_format(source, columns, required, optional)
    return columns.table(source.finish(), row_count)


def _read_csv(source: LandedSource, columns: _Columns, required: Sequence[str], optional: Sequence[str]) -> int:
    from pyarrow import csv

    text = PlainText(source)
    header = text.first_line(within=_BLOCK_BYTES)
    if not header:
        raise DataError(f"{source.label} is empty; land it with at least a header row")
    # As text first: one bad field must not fail the file, and the casts know which it was.
    convert = csv.ConvertOptions(
        column_types={name: pa.string() for name in (*required, *optional)},
        check_utf8=False,
        strings_can_be_null=True,
        null_values=list(MISSING_TEXTS),
    )
    row_count = 0
    try:
        # The header on its own: rows that do not fit a wrong header are not worth a message.
        names = csv.open_csv(pa.BufferReader(header + b"\n")).schema.names
        _check_header(source.label, names, required, optional)
        for name in names:
            # A file without rows has no batches, but its columns exist all the same.
            columns.add(name, pa.array([], pa.string()), 0)
        # One thread: only then does the parser know row numbers, and the casts below cost more than it does.
        options = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
        for batch in csv.open_csv(pa.PythonFile(text, "r"), options, convert_options=convert):
            for name, column in zip(names, batch.columns, strict=True):
                columns.add(name, column, row_count)
            row_count += batch.num_rows
    except UnicodeDecodeError:
        raise DataError(f"{source.label} is not UTF-8 text; land it as UTF-8") from None
    except (pa.ArrowInvalid, pa.ArrowMemoryError) as error:
        # The parser's own message quotes the row, which may hold anything.
        raise DataError(f"{source.label} {_csv_problem(str(error), row_count)}") from None
    return row_count


def _csv_problem(error: str, row_count: int) -> str:
    if "straddl" in error or "out of sync" in error:
        return f"has an unclosed quote or a row over {_BLOCK_BYTES} bytes after data row {row_count}; mend the file"
    if ragged := _RAGGED_ROW.match(error):
        row, expected, found = map(int, ragged.groups())
        # The parser counts the header as row 1.
        return f"has {found} fields in data row {row - 1}, expected {expected}; mend the file and land it again"
    return f"cannot be parsed as CSV after data row {row_count}; mend the file and land it again"


def _read_parquet(source: LandedSource, columns: _Columns, required: Sequence[str], optional: Sequence[str]) -> int:
    from pyarrow import parquet

    data = source.read()
    if not data:
        raise DataError(f"{source.label} is empty; land it again")
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        names = file.schema_arrow.names
        _check_header(source.label, names, required, optional)
        for name in names:
            # One column at a time: the decoded table never stands beside its own copy.
            column = file.read(columns=[name], use_threads=False).column(0)
            if len(column) != file.metadata.num_rows:
                raise pa.ArrowInvalid("a column is shorter or longer than the file says")
            first_row = 0
            for chunk in column.chunks or [pa.array([], column.type)]:
                columns.add(name, chunk, first_row)
                first_row += len(chunk)
        return file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError):
        # The bytes are in memory: no storage can have failed here.
        raise DataError(f"{source.label} is not a readable Parquet file; land it again") from None


def _check_header(label: str, names: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
    """Refuses a file whose columns are not those expected, in whatever order."""
    missing = [name for name in required if name not in names]
    is_named = bool({name.strip() for name in names} & {*required, *optional})
    if not is_named and not forbidden_columns(names):
        # What stands there are no names, but perhaps the values of the first row: they are not repeated.
        is_one_field = len(names) == 1 and required[0] in names[0]
        hint = "separate the fields with commas" if is_one_field else "the first row must name the columns"
        raise DataError(f"{label}: the header lacks {_listed(missing)}; {hint}; mend the file and land it again")
    unexpected = [name for name in dict.fromkeys(names) if name not in required and name not in optional]
    repeated = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    problems = [
        f"{what} {_listed(found)}"
        for what, found in (("lacks", missing), ("does not expect", unexpected), ("repeats", repeated))
        if found
    ]
    if problems:
        hint = "mend the file"
        if forbidden := forbidden_columns(unexpected):
            name, kind = next(iter(forbidden.items()))
            hint = f"{_shown(name)} would hold {kind}, which must not enter: delete the file, remove it at its source"
        raise DataError(f"{label}: the header {', '.join(problems)}; {hint} and land it again")


def _shown(name: str) -> str:
    # Masked before it is cut: half a card number is still one.
    return repr(mask_card_numbers(name)[:_NAME_CHARACTERS])


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(_shown, names[:_ROWS_SHOWN]))
    return f"column{'s' if len(names) > 1 else ''} {shown}" + (
        f" and {len(names) - _ROWS_SHOWN} more" if len(names) > _ROWS_SHOWN else ""
    )
