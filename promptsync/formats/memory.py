"""Giving memory back to the machine once a large piece of work is done.

Owns the two allocators that keep what they were given: Arrow's pool, and the C library's arenas, one a thread. Without
this a daemon that has merged one large file stays as large as it was then.
"""

import ctypes

import pyarrow as pa

WORTH = 10_000
"""Rows from which on merging them has filled memory worth giving back."""


def give_back(rows: int) -> None:
    """Return what is not in use after work on that many rows, if it is worth some milliseconds.

    Harmless where the C library has no such call.
    """
    if rows < WORTH:
        return
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
