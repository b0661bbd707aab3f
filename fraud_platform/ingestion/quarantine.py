"""Which rows may not pass, and the table that says so: file, row, column, reason, never the value.

What a wrong file gets (an error) does not belong here; neither does repetition, which only a whole day shows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fraud_platform.governance.pan_guard import find_card_numbers_in_floats
from fraud_platform.ingestion.reading import LandedTable
from fraud_platform.ingestion.schema import AMOUNT_COLUMN, ID_COLUMN, LABEL_COLUMN, TIME_COLUMN

CARD_NUMBER = "field holds a card number"
MISSING = "value is missing"
INFINITE = "value is infinite or beyond float32"
NEGATIVE_AMOUNT = "Amount is negative"
NEGATIVE_TIME = "Time is negative"
INVALID_CLASS = "Class is neither 0 nor 1"
REPEATED_ID = "transaction_id repeated with other values"
# In order of precedence, the order in which a row's first reason is found.
REASONS = (CARD_NUMBER, MISSING, INFINITE, NEGATIVE_AMOUNT, NEGATIVE_TIME, INVALID_CLASS, REPEATED_ID)

QUARANTINE_COLUMNS = ("file", "row", "column", "reason")


@dataclass(frozen=True)
class Verdict:
    """What the row rules found in one file.

    Attributes:
        is_good: bool [row_count], the rows that may pass.
        quarantine: the others, one line each, in file order.
    """

    is_good: np.ndarray
    quarantine: pd.DataFrame


def judge_rows(table: LandedTable) -> Verdict:
    """The verdict on every row of `table`: its first problem counts, a card number before all others."""
    is_good = np.ones(table.row_count, dtype=bool)
    lines: list[pd.DataFrame] = []
    for column, reason, is_bad in _problems(table):
        rows = np.flatnonzero(is_bad & is_good)
        if len(rows):
            is_good[rows] = False
            lines.append(quarantine_lines(table.file.name, rows, column, reason))
    return Verdict(is_good, join_quarantine(lines))


def quarantine_lines(file: str, rows: np.ndarray, column: str, reason: str) -> pd.DataFrame:
    """Lines of the quarantine table for `rows` (0-based positions) of one file."""
    return pd.DataFrame({"file": file, "row": rows.astype(np.int64) + 1, "column": column, "reason": reason})


def join_quarantine(lines: list[pd.DataFrame]) -> pd.DataFrame:
    """One quarantine table from several, by file and row; typed even when there are no lines."""
    empty = pd.DataFrame({name: pd.Series(dtype="int64" if name == "row" else "object") for name in QUARANTINE_COLUMNS})
    filled = [line for line in lines if len(line)]
    if not filled:
        return empty
    return pd.concat(filled, ignore_index=True).sort_values(["file", "row"], kind="stable", ignore_index=True)


def _problems(table: LandedTable) -> Iterator[tuple[str, str, np.ndarray]]:
    """Column, reason and bool [row_count] of every rule that some row breaks, weightiest reason first."""
    for column, rows in table.card_number_rows.items():
        is_bad = np.zeros(table.row_count, dtype=bool)
        is_bad[rows] = True
        yield column, CARD_NUMBER, is_bad
    for reason, rule in _NUMBER_RULES:
        for column, values in table.numbers.items():
            broken = rule(column, values)
            if broken is not None and broken.any():
                yield column, reason, broken
        if reason == MISSING and table.identifiers is not None and table.identifiers.null_count:
            yield ID_COLUMN, MISSING, table.identifiers.is_null().to_numpy(zero_copy_only=False)


def _is_card_number(column: str, values: np.ndarray) -> np.ndarray:
    return find_card_numbers_in_floats(values)


def _is_missing(column: str, values: np.ndarray) -> np.ndarray | None:
    return None if column == LABEL_COLUMN else np.isnan(values)


def _is_infinite(column: str, values: np.ndarray) -> np.ndarray | None:
    # Features are float32: what it cannot hold would become infinite there.
    return None if column == LABEL_COLUMN else np.abs(values) > np.finfo(np.float32).max


def _is_negative_amount(column: str, values: np.ndarray) -> np.ndarray | None:
    return values < 0 if column == AMOUNT_COLUMN else None


def _is_negative_time(column: str, values: np.ndarray) -> np.ndarray | None:
    return values < 0 if column == TIME_COLUMN else None


def _is_invalid_class(column: str, values: np.ndarray) -> np.ndarray | None:
    return ~(np.isnan(values) | (values == 0) | (values == 1)) if column == LABEL_COLUMN else None


_NUMBER_RULES: tuple[tuple[str, Callable[[str, np.ndarray], np.ndarray | None]], ...] = (
    (CARD_NUMBER, _is_card_number),
    (MISSING, _is_missing),
    (INFINITE, _is_infinite),
    (NEGATIVE_AMOUNT, _is_negative_amount),
    (NEGATIVE_TIME, _is_negative_time),
    (INVALID_CLASS, _is_invalid_class),
)
