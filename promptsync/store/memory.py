"""Memory that is not in use any more, given back to the machine.

Owns the way to do that. Arrow's pool and the C library's arenas, one for each thread, keep what they were given, and a
daemon that has merged one large file would stay as large as it was then. Must not import Arrow: most of a daemon's life
nobody has. Harmless where the C library has no such call.
"""

import ctypes
import sys


def trim() -> None:
    """Give back what is held unused. Takes milliseconds; other threads run meanwhile."""
    arrow = sys.modules.get("pyarrow")
    pool = getattr(arrow, "default_memory_pool", None)  # none while another thread imports it
    if pool is not None:
        pool().release_unused()
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
