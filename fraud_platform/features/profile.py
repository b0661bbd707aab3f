"""The distribution of each column of a table, small enough for a file's footer and mergeable without any row.

Profiles of days add up to the profile of the whole, exactly. Comparing two of them belongs to `monitoring`.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.errors import DataError
from fraud_platform.features.grid import BIN_COUNT, bin_edges, bins_of

PROFILE_FORMAT = "profile-1"

# Every finite float32 is a whole multiple of 2^-149 and its square of 2^-298: sums in these units are integers.
_SUM_UNIT_BITS = 149
_SQUARE_UNIT_BITS = 298
# Sums of 24-bit significands that share an exponent are exact in a double up to 2^28 of them; fewer also stay in cache.
_BLOCK_ROWS = 1 << 17
# Far above the text of any profile.
_LONGEST_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """How the values of one column are distributed.

    Sums are kept as integers (in units of 2^-149 and 2^-298, as every float32 allows), not as floating-point moments:
    the pairwise updates of Welford (1962) and Chan, Golub and LeVeque (1983) are stable, but their last digits depend
    on the order of merging; integers make the merge associative, and mean and variance correctly rounded.

    Attributes:
        count: number of values.
        total: their sum, in units of 2^-149.
        total_of_squares: the sum of their squares, in units of 2^-298.
        minimum: the smallest value, infinity when there is none.
        maximum: the largest value, minus infinity when there is none.
        bins: int64 [BIN_COUNT], values per bin of the grid.
    """

    count: int
    total: int
    total_of_squares: int
    minimum: float
    maximum: float
    bins: NDArray[np.int64]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColumnProfile):
            return NotImplemented
        return self._moments == other._moments and np.array_equal(self.bins, other.bins)

    __hash__ = None  # type: ignore[assignment]  # holds an array

    @property
    def _moments(self) -> tuple[int, int, int, float, float]:
        return self.count, self.total, self.total_of_squares, self.minimum, self.maximum

    @property
    def mean(self) -> float:
        """The arithmetic mean, correctly rounded; nan when there is no value."""
        return self.total / (self.count << _SUM_UNIT_BITS) if self.count else float("nan")

    @property
    def variance(self) -> float:
        """The population variance (divisor `count`), correctly rounded; nan when there is no value."""
        if not self.count:
            return float("nan")
        return (self.count * self.total_of_squares - self.total**2) / (self.count**2 << _SQUARE_UNIT_BITS)

    @property
    def standard_deviation(self) -> float:
        """The population standard deviation; nan when there is no value."""
        return float(np.sqrt(self.variance))

    @cached_property
    def cumulative_counts(self) -> NDArray[np.int64]:
        """Values below each edge of the grid; int64 [BIN_COUNT + 1], from 0 to `count`."""
        return np.concatenate([[0], np.cumsum(self.bins)])

    def quantile(self, share: float) -> float:
        """The value below which about `share` (in [0, 1]) of the values lie, as exact as the grid; nan without any."""
        if not self.count:
            return float("nan")
        cumulative = self.cumulative_counts
        above = int(np.searchsorted(cumulative, share * self.count, side="left"))
        low, high = bin_edges()[[max(above - 1, 0), max(above, 1)]]
        # In the middle of its bin: what lies where within one is not known.
        return float(np.clip((low + high) / 2, self.minimum, self.maximum))

    def quantile_cuts(self, bin_count: int) -> NDArray[np.intp]:
        """The edges that come closest to cutting the values into `bin_count` equal parts.

        Many equal values fall into one bin of the grid, which no edge can cut: then fewer parts remain. A constant
        column gives the two edges around its value, so that what leaves it is seen.

        Returns:
            Ascending, distinct positions in `bin_edges()`, at most `bin_count - 1`, never the infinite ends.
        """
        if not self.count:
            return np.empty(0, dtype=np.intp)
        cumulative = self.cumulative_counts
        targets = np.arange(1, bin_count) * (self.count / bin_count)
        above = np.searchsorted(cumulative, targets, side="left")
        is_edge_before_closer = targets - cumulative[above - 1] <= cumulative[above] - targets
        cuts = np.unique(above - is_edge_before_closer)
        _, is_first = np.unique(cumulative[cuts], return_index=True)  # no part without values between two others
        cuts = cuts[is_first]
        return cuts[(cuts > 0) & (cuts < BIN_COUNT)]

    def quantile_edges(self, bin_count: int) -> NDArray[np.float64]:
        """The values at `quantile_cuts(bin_count)`."""
        return bin_edges()[self.quantile_cuts(bin_count)]


@dataclass(frozen=True)
class Profile:
    """The distribution of every column of a table, by column name in table order."""

    columns: Mapping[str, ColumnProfile]

    @property
    def row_count(self) -> int:
        """Rows profiled; 0 when there is no column."""
        return max((column.count for column in self.columns.values()), default=0)

    def select(self, columns: Iterable[str]) -> "Profile":
        """The same distributions, of `columns` only.

        Raises:
            DataError: one was not profiled.
        """
        names = list(columns)
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise DataError(f"the profile lacks {', '.join(missing)}: materialise what it describes again")
        return Profile({name: self.columns[name] for name in names})

    def to_text(self) -> str:
        """The profile as ASCII text, the same for the same content; some 1 kB a column."""
        document = {"format": PROFILE_FORMAT, "columns": {name: _pack(column) for name, column in self.columns.items()}}
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
        return base64.b85encode(zlib.compress(text.encode())).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> "Profile":
        """What `to_text` wrote.

        Raises:
            DataError: `text` is damaged or of another format.
        """
        try:
            document = json.loads(_inflate(base64.b85decode(text)))
            if document["format"] != PROFILE_FORMAT:
                raise ValueError(f"format {document['format']!r} is not {PROFILE_FORMAT!r}")
            return cls({name: _unpack(packed) for name, packed in dict(document["columns"]).items()})
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError, zlib.error) as error:
            raise DataError(f"a stored profile cannot be read ({error}): materialise what it describes again") from None


def _inflate(data: bytes) -> bytes:
    """What `data` unpacks to, which is never more than a profile can be: little text may unpack to all of memory."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, _LONGEST_BYTES)
    if not unpacker.eof:
        raise ValueError(f"it is cut off or longer than {_LONGEST_BYTES} bytes")
    return text


def profile_table(table: pd.DataFrame, columns: Sequence[str]) -> Profile:
    """The distribution of `columns` of `table`, at float32 precision.

    Args:
        table: n rows; each of `columns` numeric. Wider types are rounded to float32, the precision features have.
        columns: which ones.

    Raises:
        DataError: a column is missing, or holds a missing or infinite value or one beyond float32.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(f"cannot profile {', '.join(missing)}: the table has no such column")
    return Profile({name: _profile_column(name, table[name]) for name in columns})


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """The profile of all rows of the tables behind `profiles`: exactly what profiling their concatenation gives.

    No profile at all gives one without columns.

    Raises:
        DataError: two profiles have different columns.
    """
    parts = list(profiles)
    if not parts:
        return Profile({})
    names = list(parts[0].columns)
    for part in parts[1:]:
        different = sorted(set(names) ^ set(part.columns))
        if different:
            raise DataError(
                f"profiles cannot be merged: {', '.join(different)} missing in some; profile the same columns"
            )
    return Profile({name: _merge([part.columns[name] for part in parts]) for name in names})


def _profile_column(name: str, column: "pd.Series[float]") -> ColumnProfile:
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused by name below
        values = np.ascontiguousarray(column.to_numpy(dtype=np.float32, na_value=np.nan))
    if not len(values):
        return ColumnProfile(0, 0, 0, np.inf, -np.inf, np.zeros(BIN_COUNT, dtype=np.int64))
    minimum, maximum = float(values.min()), float(values.max())
    if not np.isfinite([minimum, maximum]).all():  # both are nan when any value is
        is_bad = ~np.isfinite(values)
        raise DataError(
            f"cannot profile {name}: {int(is_bad.sum())} of {len(values)} values are missing, infinite or beyond "
            f"float32, first in row {int(is_bad.argmax()) + 1}; such rows belong in quarantine"
        )
    total = total_of_squares = 0
    bins = np.zeros(BIN_COUNT, dtype=np.int64)
    for start in range(0, len(values), _BLOCK_ROWS):
        block = values[start : start + _BLOCK_ROWS].astype(np.float64)
        block_total, block_total_of_squares = _exact_sums(block)
        total += block_total
        total_of_squares += block_total_of_squares
        bins += np.bincount(bins_of(block), minlength=BIN_COUNT)
    # + 0.0 turns -0.0 into 0.0: which of two equal zeros comes first must not show.
    return ColumnProfile(len(values), total, total_of_squares, minimum + 0.0, maximum + 0.0, bins)


def _exact_sums(values: NDArray[np.float64]) -> tuple[int, int]:
    """The sum (in 2^-149) and the sum of squares (in 2^-298) of at most 2^28 doubles that hold float32 values.

    Within one binary exponent, 24-bit significands add up in a double without rounding. A square has 48 bits and is
    added as two halves of at most 25.
    """
    exponents = values.view(np.int64) >> 52  # with the sign, which keeps sums of one sign together
    exponents &= 0xFFF
    squares = values * values  # exact: 48 of 53 bits, and float32's range squared is within a double's
    high = (squares.view(np.int64) & ~np.int64((1 << 29) - 1)).view(np.float64)
    squares -= high
    total = _as_integer(np.bincount(exponents, weights=values), _SUM_UNIT_BITS)
    low_total = _as_integer(np.bincount(exponents, weights=squares), _SQUARE_UNIT_BITS)
    return total, low_total + _as_integer(np.bincount(exponents, weights=high), _SQUARE_UNIT_BITS)


def _as_integer(sums: NDArray[Any], unit_bits: int) -> int:
    """The exact sum of `sums`, whole multiples of 2^-unit_bits, in that unit."""
    whole = 0
    for value in sums[sums != 0].tolist():
        numerator, denominator = value.as_integer_ratio()
        whole += (numerator << unit_bits) // denominator
    return whole


def _merge(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    return ColumnProfile(
        count=sum(part.count for part in parts),
        total=sum(part.total for part in parts),
        total_of_squares=sum(part.total_of_squares for part in parts),
        minimum=min(part.minimum for part in parts),
        maximum=max(part.maximum for part in parts),
        bins=np.sum([part.bins for part in parts], axis=0, dtype=np.int64),
    )


def _pack(column: ColumnProfile) -> list[object]:
    """Sums in hexadecimal, range, then the occupied bins: how many to skip before each, and their counts."""
    occupied = np.flatnonzero(column.bins)
    gaps = np.diff(occupied, prepend=-1) - 1
    extremes = [column.minimum, column.maximum] if column.count else [None, None]  # JSON knows no infinity
    sums = [f"{column.total:x}", f"{column.total_of_squares:x}"]
    return [*sums, *extremes, gaps.tolist(), column.bins[occupied].tolist()]


def _unpack(packed: Sequence[Any]) -> ColumnProfile:
    total, total_of_squares, minimum, maximum, gaps, counts = packed
    bins = np.zeros(BIN_COUNT, dtype=np.int64)
    bins[np.cumsum(np.asarray(gaps, dtype=np.int64) + 1) - 1] = counts
    count = int(bins.sum())
    if not count:
        minimum, maximum = np.inf, -np.inf
    return ColumnProfile(count, int(total, 16), int(total_of_squares, 16), float(minimum), float(maximum), bins)
