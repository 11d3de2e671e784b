"""Which files are small, and which of those that wait go together.

Owns these bounds, which whoever offers files asks for: it must not import what reads them (small_files.py does).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

SMALL_BYTES: Final = 1 << 16
"""Of a file; a larger one is loaded alone."""
_AT_ONCE: Final = 64

T = TypeVar("T")


def runs_of_small(items: Iterable[T], is_small: Callable[[T], bool]) -> Iterator[list[T]]:
    """The items in order, in runs: small ones that follow each other together, up to 64; any other alone."""
    run: list[T] = []
    for item in items:
        small = is_small(item)
        if run and (not small or len(run) == _AT_ONCE):
            yield run
            run = []
        run.append(item)
        if not small:
            yield run
            run = []
    if run:
        yield run
