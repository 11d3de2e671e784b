"""Memory that is not in use any more, given back to the machine.

Owns the ways to do that. Arrow's pool and the C library's arenas, one for each thread, keep what they were given, and a
daemon that has merged one large file would stay as large as it was then. Must not import Arrow: most of a daemon's life
nobody has. Harmless where the C library has no such calls.
"""

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # of malloc.h
_LARGE: Final = 1 << 20


def free_large_at_once() -> None:
    """From now on give back a block of a mebibyte or more as soon as it is freed (mallopt(3)), for the whole process.

    By itself the C library takes the first large blocks that are freed for a sign that more are to come, and keeps
    blocks of up to 32 MiB from then on.
    """
    call = getattr(ctypes.CDLL(None), "mallopt", None)
    if call is not None:
        call(_M_MMAP_THRESHOLD, _LARGE)


def trim() -> None:
    """Give back what is held unused. Takes milliseconds; other threads run meanwhile."""
    arrow = sys.modules.get("pyarrow")
    pool = getattr(arrow, "default_memory_pool", None)  # none while another thread imports it
    if pool is not None:
        pool().release_unused()
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
