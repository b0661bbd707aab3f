"""The one grid on which every column's values are counted, the same for all columns and all times.

What is counted on it belongs to `profile`. Changing anything here makes stored profiles unreadable: raise
`PROFILE_FORMAT` there.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

# Log-linear in |x| + _GRID_OFFSET, mirrored at zero. Each doubling, from 2^-18 up to 2^22, is cut into 32 equal bins: a
# bin is 1.6-3.1 % of its value wide, 1.2e-7 near zero. Powers of two let the bin be read off the bits of the sum, which
# IEEE 754 makes the same on every machine; the last digits of asinh or log are each library's own.
_GRID_OFFSET = 2.0**-18
_BINS_PER_DOUBLING = 32
_DOUBLINGS = 40
_HALF_BIN_COUNT = _BINS_PER_DOUBLING * _DOUBLINGS
BIN_COUNT = 2 * _HALF_BIN_COUNT
_KEY_SHIFT = 52 - 5  # of a double's 52 fraction bits, the first five choose among 32 bins
_FIRST_KEY = int(np.float64(_GRID_OFFSET).view(np.int64)) >> _KEY_SHIFT


@cache
def bin_edges() -> NDArray[np.float64]:
    """The BIN_COUNT + 1 ascending edges of the grid; the outermost are infinite.

    Bins at and above zero hold their lower edge, bins below zero their upper one.
    """
    keys = np.arange(_FIRST_KEY, _FIRST_KEY + _HALF_BIN_COUNT, dtype=np.int64)
    positive = np.append((keys << _KEY_SHIFT).view(np.float64) - _GRID_OFFSET, np.inf)
    edges = np.concatenate([-positive[:0:-1], positive])
    edges.setflags(write=False)
    return edges


def bins_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each value, int64 in [0, BIN_COUNT)."""
    distance = np.abs(values)
    distance += _GRID_OFFSET
    keys = distance.view(np.int64)  # positive doubles are ordered as their bits are
    keys >>= _KEY_SHIFT
    keys -= _FIRST_KEY
    np.minimum(keys, _HALF_BIN_COUNT - 1, out=keys)
    keys ^= -(values < 0).astype(np.int64)  # -1 - key below zero: the mirror image
    keys += _HALF_BIN_COUNT
    return keys
