"""What makes a row this transaction: when it happened, what it is called, and whether it was delivered twice.

Whether its values are allowed does not belong here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

SECONDS_PER_DAY = 86_400
_MICROSECONDS_PER_DAY = SECONDS_PER_DAY * 1_000_000


@dataclass(frozen=True)
class Deduplication:
    """What remains of n rows once each transaction is there once.

    Attributes:
        kept: positions of the rows to keep, ascending: the first delivery of each transaction.
        labels: float64 [n]; 0, 1 or NaN; a row delivered without a label has the label its twin brought.
        duplicate_count: rows that say nothing their first delivery and its label do not.
        conflicting: positions of rows that use an identifier again for other values or another label.
    """

    kept: np.ndarray
    labels: np.ndarray
    duplicate_count: int
    conflicting: np.ndarray


def event_times(day: date, seconds: np.ndarray) -> np.ndarray:
    """Microseconds since 1970 (int64 [n], UTC) of `seconds` (float64 [n], any day's) moved to `day`."""
    microseconds = np.round(np.mod(seconds, SECONDS_PER_DAY) * 1e6).astype(np.int64)
    # Rounding the last half microsecond of the day must not reach into the next one.
    np.minimum(microseconds, _MICROSECONDS_PER_DAY - 1, out=microseconds)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return microseconds + midnight // timedelta(microseconds=1)


def hash_rows(columns: list[np.ndarray]) -> np.ndarray:
    """A 64-bit hash of every row over `columns` (float64 [n] each, order matters): uint64 [n].

    Equal numbers hash equally, 0.0 and -0.0 included, on every machine and release: derived identifiers rest on it.
    Each column's bits are folded in, then mixed by the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a
    bijection, so rows that differ in one value only never collide. Among a million rows two others collide with a
    probability of about 3e-8.
    """
    state = np.zeros(len(columns[0]), dtype=np.uint64)
    scratch = np.empty_like(state)
    for values in columns:
        # Adding zero turns -0.0 into 0.0.
        np.bitwise_xor(state, (values + 0.0).view(np.uint64), out=state)
        state += np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            np.right_shift(state, np.uint64(shift), out=scratch)
            np.bitwise_xor(state, scratch, out=state)
            np.multiply(state, np.uint64(factor), out=state)
        np.right_shift(state, np.uint64(31), out=scratch)
        np.bitwise_xor(state, scratch, out=state)
    return state


def derive_identifiers(day: date, hashes: np.ndarray) -> pa.StringArray:
    """`YYYYMMDD-` and 16 hexadecimal digits for every row hash: Arrow strings [n].

    The first of the 16 is always a letter (a to f, from the upper four bits), so that no derived identifier can be
    taken for a card number.
    """
    letter = np.uint64(10) + (hashes >> np.uint64(60)) % np.uint64(6)
    lettered = (hashes & np.uint64(2**60 - 1)) | (letter << np.uint64(60))
    prefix = f"{day:%Y%m%d}-".encode()
    width = len(prefix) + 16
    letters = np.empty((len(hashes), width), dtype=np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
    digits = np.frombuffer(lettered.astype(">u8").tobytes().hex().encode(), dtype=np.uint8)
    letters[:, len(prefix) :] = digits.reshape(-1, 16)
    offsets = np.arange(0, (len(hashes) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(offsets), pa.py_buffer(letters))


def deduplicate(identifiers: pa.StringArray, hashes: np.ndarray, labels: np.ndarray) -> Deduplication:
    """Which of n rows to keep, given their identifiers, row hashes (uint64) and labels (float64, NaN for none)."""
    row_count = len(identifiers)
    everything = np.arange(row_count)
    encoded = identifiers.dictionary_encode()
    if len(encoded.dictionary) == row_count:
        return Deduplication(everything, labels, 0, everything[:0])
    codes = encoded.indices.to_numpy()
    first_by_code = _first_position(codes, everything, len(encoded.dictionary))
    first = first_by_code[codes]
    is_same = hashes == hashes[first]
    labelled = np.flatnonzero(is_same & ~np.isnan(labels))
    first_labelled = _first_position(codes[labelled], labelled, len(encoded.dictionary))
    label_by_code = np.where(first_labelled < 0, np.nan, labels[first_labelled])
    merged = label_by_code[codes]
    is_conflicting = ~is_same | ~(np.isnan(labels) | (labels == merged))
    is_kept = first == everything
    duplicate_count = int(np.count_nonzero(~is_kept & ~is_conflicting))
    return Deduplication(np.flatnonzero(is_kept), merged, duplicate_count, np.flatnonzero(is_conflicting))


def _first_position(codes: np.ndarray, positions: np.ndarray, code_count: int) -> np.ndarray:
    """For every code the first of `positions` that carries it, -1 where none does: int64 [code_count]."""
    first = np.full(code_count, -1, dtype=np.int64)
    # Of several writes to one place the last stays; going backwards, that is the first position.
    first[codes[::-1]] = positions[::-1]
    return first
