"""Keeps a run as small as its largest step: freed memory goes back to the system instead of being kept for later.

How much a step needs belongs to the rooms; Arrow is told in the package's `__init__`, before anybody loads it. Only
glibc keeps whole days back, and only it can be told not to; elsewhere there is nothing to do.
"""

import ctypes
import gc
import sys
from functools import cache

# <malloc.h>: from this size on a block is a mapping of its own, which leaves with the block. Left alone, glibc raises
# the limit with every large block it sees, to 32 MB, and columns of a day then stay in the heap.
_M_MMAP_THRESHOLD = -3
_LARGE_BLOCK_BYTES = 128 * 1024


@cache
def keep_memory_low() -> None:
    """Lets large blocks of this process come from the system and go back to it; once is enough."""
    if mallopt := _of_the_c_library("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES)


def give_back_memory() -> None:
    """Gives back what small freed blocks still hold; after a day's table has been let go."""
    # Tables that hang in reference cycles are young; a look at the old generation would cost more than the step.
    gc.collect(1)
    if trim := _of_the_c_library("malloc_trim"):
        trim(0)


@cache
def _of_the_c_library(function: str) -> "ctypes._NamedFuncPointer | None":
    return getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
