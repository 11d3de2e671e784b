"""Proving, cutting and reading a snapshot file in a single pass, for the first one of its table.

Owns the pass and the keys met on the way, set aside until it is known where the file's blocks are. Nothing can be known
of such a file yet, so nothing is saved by looking at it first; what was staged meanwhile is only believed once the
proof stands. Where anything is out of the ordinary the two passes of known_blocks.py say what.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from promptsync.formats.buffers import Ints
from promptsync.formats.proof import Proving
from promptsync.loading.content_blocks import ContentCutter
from promptsync.loading.known_blocks import Survey, cutter_for, orderly
from promptsync.loading.report import LoadSettings
from promptsync.merge.block_index import BlockCount
from promptsync.model.file_name import FileName
from promptsync.store.mirror import Mirror

_KEYS = 1 << 20


class OnePass:
    """One file, read once. ``keys``: where the keys lie meanwhile, 8 bytes each. Use as a context manager."""

    def __init__(self, path: Path, settings: LoadSettings, cutter: ContentCutter, keys: Path) -> None:
        self._proving = Proving(path, settings.limits, None, cutter.feed, watch=False)  # its bytes are read
        self._cutter = cutter
        self._path = keys
        keys.parent.mkdir(parents=True, exist_ok=True)
        self._keys: BinaryIO = keys.open("w+b")

    def __enter__(self) -> "OnePass":
        return self

    def __exit__(self, *_: object) -> None:
        self._keys.close()
        self._path.unlink(missing_ok=True)

    def pieces(self) -> Iterator[bytes]:
        """The file's decompressed bytes. Raises as Proving does."""
        return iter(self._proving)

    def add(self, keys: Ints) -> None:
        """Keys that were read, ascending."""
        self._keys.write(np.ascontiguousarray(keys, np.int64).data)

    def end(self, key: str) -> tuple[Survey, BlockCount | None]:
        """Everything was read: the verdict, and what was counted. ``key``: the column that a sorted file begins with.

        Raises Held.
        """
        found = Survey(self._proving.verdict(), self._cutter, orderly(self._cutter, key))
        counting = found.counting()
        if counting:
            self._keys.seek(0)
            while some := self._keys.read(8 * _KEYS):
                counting.add(np.frombuffer(some, np.int64))
        return found, counting


def one_pass(mirror: Mirror, path: Path, stated: FileName, settings: LoadSettings) -> OnePass | None:
    """The pass over a file that is the first of its table and organization; None if it is not."""
    table, org = mirror.schema[stated.table], stated.org_id or 0
    if not table.blockwise or settings.rows is not None or mirror.snapshots.newest(table.name, org) is not None:
        return None
    cutter = cutter_for(mirror, path, table, settings)
    return OnePass(path, settings, cutter, mirror.folder / "staging" / "keys")
