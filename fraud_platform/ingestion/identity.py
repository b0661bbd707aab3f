"""What makes a row this transaction: when it happened, what it is called, and whether it was delivered twice.

Whether its values are allowed does not belong here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    bijection. Of the upper four bits only the values 10 to 15 are used, so that the hash in hexadecimal begins with a
    letter and is never taken for a card number. Among a million rows two collide with a probability of about 7e-8.
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
    letter = np.uint64(10) + (state >> np.uint64(60)) % np.uint64(6)
    return (state & np.uint64(2**60 - 1)) | (letter << np.uint64(60))


def derive_identifiers(day: date, hashes: np.ndarray) -> pa.StringArray:
    """`YYYYMMDD-` and the 16 hexadecimal digits of every row hash: Arrow strings [n], in the order of the hashes."""
    prefix = f"{day:%Y%m%d}-".encode()
    width = len(prefix) + 16
    letters = np.empty((len(hashes), width), dtype=np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
    digits = np.frombuffer(hashes.astype(">u8").tobytes().hex().encode(), dtype=np.uint8)
    letters[:, len(prefix) :] = digits.reshape(-1, 16)
    offsets = np.arange(0, (len(hashes) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(offsets), pa.py_buffer(letters))


def day_in_identifier(transaction_id: str) -> date | None:
    """The day that a derived identifier begins with; None where it begins with none."""
    prefix = transaction_id.partition("-")[0]
    if len(prefix) != len("20260101") or not (prefix.isascii() and prefix.isdecimal()):
        return None
    try:
        return date.fromisoformat(prefix)
    except ValueError:
        return None


def rank_texts(texts: pa.StringArray) -> np.ndarray:
    """The place of every text among the distinct ones, bytewise: int64 [n], equal for equal texts."""
    order = pc.sort_indices(texts)
    in_order = texts.take(order)
    is_next = np.ones(len(texts), dtype=bool)
    is_next[1:] = pc.not_equal(in_order[1:], in_order[:-1]).to_numpy(zero_copy_only=False)
    ranks = np.empty(len(texts), dtype=np.int64)
    ranks[order.to_numpy()] = np.cumsum(is_next) - 1
    return ranks


def rank_hashes(hashes: np.ndarray) -> np.ndarray:
    """The same for the identifiers derived from `hashes` (uint64 [n]), without writing them out."""
    return np.unique(hashes, return_inverse=True)[1]


def deduplicate(ranks: np.ndarray, hashes: np.ndarray, labels: np.ndarray) -> Deduplication:
    """Which of n rows to keep, given their identifiers' ranks (int64), row hashes (uint64), labels (float64 or NaN)."""
    everything = np.arange(len(ranks))
    distinct_count = int(ranks.max(initial=-1)) + 1
    if distinct_count == len(ranks):
        return Deduplication(everything, labels, 0, everything[:0])
    first = _first_position(ranks, everything, distinct_count)[ranks]
    is_same = hashes == hashes[first]
    labelled = np.flatnonzero(is_same & ~np.isnan(labels))
    first_labelled = _first_position(ranks[labelled], labelled, distinct_count)
    merged = np.where(first_labelled < 0, np.nan, labels[first_labelled])[ranks]
    is_conflicting = ~is_same | ~(np.isnan(labels) | (labels == merged))
    is_kept = first == everything
    duplicate_count = int(np.count_nonzero(~is_kept & ~is_conflicting))
    return Deduplication(np.flatnonzero(is_kept), merged, duplicate_count, np.flatnonzero(is_conflicting))


def _first_position(ranks: np.ndarray, positions: np.ndarray, distinct_count: int) -> np.ndarray:
    """For every rank the first of `positions` that carries it, -1 where none does: int64 [distinct_count]."""
    first = np.full(distinct_count, -1, dtype=np.int64)
    # Of several writes to one place the last stays; going backwards, that is the first position.
    first[ranks[::-1]] = positions[::-1]
    return first
