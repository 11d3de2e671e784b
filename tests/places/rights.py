"""Doing without what root may: reading what its permissions forbid."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2  # capabilities(7)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def no_rights_of_root() -> Iterator[None]:
    """This thread, and those that it starts meanwhile, may read only what permissions let them."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: str, sets: object) -> None:
        if getattr(libc, function)(ctypes.byref(_Header(_VERSION, 0)), sets) != 0:
            raise OSError(ctypes.get_errno(), function)

    before, fewer = (_Sets * 2)(), (_Sets * 2)()
    for sets in (before, fewer):
        call("capget", sets)
    fewer[0].effective &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    call("capset", fewer)
    try:
        yield
    finally:
        call("capset", before)


def can_be_read(path: os.PathLike[str]) -> bool:
    """Whether permissions let us read it: to be asked before a test relies on it."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except PermissionError:
        return False
    return True
