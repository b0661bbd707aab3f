"""Single fields: which numbers and identifiers a column's texts or typed values stand for, and which stand for none.

Which columns there are, and what becomes of a row with a bad field, does not belong here.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud_platform.governance.pan_guard import find_card_numbers

# Texts that say "no value", in CSV and in text columns of Parquet alike. NaN is a number that says the same.
MISSING_TEXTS = ("", "NA", "N/A", "NULL", "null", "None")

_NUMBER = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity|nan))$"
# A line break inside an identifier is an unclosed quote that swallowed other rows.
_CONTROL_CHARACTER = r"[\x00-\x1f\x7f]"
# Integers beyond 2**53 are rounded, not refused: the row rules judge them.
_TO_FLOAT64 = pc.CastOptions.unsafe(pa.float64())
_NO_ROWS = np.empty(0, dtype=np.int64)


class WrongTypeError(TypeError):
    """A typed column whose type cannot stand for what the column means; the message names the type."""


@dataclass(frozen=True)
class Numbers:
    """A column's numbers.

    Attributes:
        values: float64 [n], NaN where the field is missing, unreadable or a card number in text.
        card_number_rows: positions of text fields that hold a card number.
        unreadable_rows: positions of text fields that are neither a number nor missing.
    """

    values: np.ndarray
    card_number_rows: np.ndarray = field(default_factory=lambda: _NO_ROWS)
    unreadable_rows: np.ndarray = field(default_factory=lambda: _NO_ROWS)


@dataclass(frozen=True)
class Identifiers:
    """A column's identifiers.

    Attributes:
        values: Arrow strings [n], null where the field is missing or unreadable.
        card_number_rows: positions of fields that hold a card number.
        unreadable_rows: positions of fields that are no clean line of UTF-8 text.
    """

    values: pa.StringArray
    card_number_rows: np.ndarray = field(default_factory=lambda: _NO_ROWS)
    unreadable_rows: np.ndarray = field(default_factory=lambda: _NO_ROWS)


def read_numbers(column: pa.Array) -> Numbers:
    """The numbers in `column`, texts or any numeric Arrow type.

    Raises:
        WrongTypeError: the column is of a type that is no number, such as a timestamp.
    """
    column = _plain(column)
    if not (column.type == pa.string() or _is_number(column.type)):
        raise WrongTypeError(str(column.type))
    try:
        # The whole column at once: right for all but a handful of columns, and ten times faster than looking.
        values = _to_float64(column)
    except pa.ArrowInvalid:
        return _inspect_numbers(column)
    # The cast takes "nan(anything)" for a number, too; what a field is must not depend on its neighbours.
    if column.type == pa.string() and (np.isnan(values) & _as_mask(column.is_valid())).any():
        return _inspect_numbers(column)
    return Numbers(values)


def read_identifiers(column: pa.Array) -> Identifiers:
    """The identifiers in `column`, texts or integers; kept as they are, leading zeros and all.

    Raises:
        WrongTypeError: the column is of another type; a float, say, has already lost digits.
    """
    column = _plain(column)
    if pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        raise WrongTypeError(str(column.type))
    # As bytes first: nothing has said yet that they are UTF-8.
    texts = column.cast(pa.binary())
    is_unreadable = _as_mask(pc.match_substring_regex(texts, _CONTROL_CHARACTER))
    try:
        values = texts.cast(pa.string())
    except pa.ArrowInvalid:
        is_unreadable |= [text is not None and not _is_utf8(text) for text in texts.to_pylist()]
        values = _where(~is_unreadable, texts).cast(pa.string())
    is_missing = _as_mask(pc.is_in(values, pa.array(MISSING_TEXTS)))
    is_card_number = find_card_numbers(texts)
    is_unreadable &= ~is_card_number
    if is_missing.any() or is_unreadable.any():
        values = _where(~(is_missing | is_unreadable), values)
    return Identifiers(values, np.flatnonzero(is_card_number), np.flatnonzero(is_unreadable))


def _inspect_numbers(texts: pa.Array) -> Numbers:
    """The same as the whole-column cast, field by field."""
    texts = pc.ascii_trim(texts, characters=" \t")
    is_missing = _as_mask(pc.is_in(texts, pa.array(MISSING_TEXTS))) | _as_mask(texts.is_null())
    is_number = _as_mask(pc.match_substring_regex(texts.cast(pa.binary()), _NUMBER))
    values = _to_float64(_where(is_number, texts))
    is_card_number = find_card_numbers(texts) & ~is_number
    is_unreadable = ~(is_missing | is_number | is_card_number)
    return Numbers(values, np.flatnonzero(is_card_number), np.flatnonzero(is_unreadable))


def _to_float64(column: pa.Array) -> np.ndarray:
    return pc.call_function("cast", [column], _TO_FLOAT64).to_numpy(zero_copy_only=False)


def _where(mask: np.ndarray, column: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), column, pa.scalar(None, column.type))


def _as_mask(booleans: pa.BooleanArray) -> np.ndarray:
    """A writable bool array, False for nulls."""
    return booleans.fill_null(False).to_numpy(zero_copy_only=False)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plain(column: pa.Array) -> pa.Array:
    """The same values without dictionary encoding and in the one string type the rest of the module knows."""
    if column.type == pa.string():
        return column
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    return column


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)
