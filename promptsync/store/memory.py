"""Memory that is not in use any more, given back to the machine.

Owns the way to do that. The C library keeps what it was given, in an arena for each thread, and a daemon that has
merged one large file would stay as large as it was then. Harmless where the C library has no such call.
"""

import ctypes


def trim() -> None:
    """Give back what the C library holds unused (``malloc_trim``). Takes milliseconds; other threads run meanwhile."""
    call = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if call is not None:
        call(0)
