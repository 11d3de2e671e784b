"""The first pass over a snapshot file: is it complete, and which stretches of it are known.

Owns what of the mirror the pass needs to know (the block index of the newest applied snapshot, and which rows other
sources have claimed since) and when that may be used. Decompresses once; nothing is believed before its end. Of the
first file of its table nothing can be known, so the same pass reads it too, and sets the keys aside until it is known
where the file's blocks are.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from promptsync.formats.buffers import Ints
from promptsync.formats.csv.header import known_names
from promptsync.formats.limits import size_of
from promptsync.formats.proof import Proof, Proving, prove
from promptsync.loading.content_blocks import ContentCutter, step_for
from promptsync.loading.report import LoadSettings
from promptsync.merge.block_index import NOTHING_KNOWN, BlockCount, BlockIndex, Cut, KnownBlocks
from promptsync.model import Table
from promptsync.model.file_name import FileName
from promptsync.store import ledger
from promptsync.store.mirror import Mirror, block_seed

_KEYS = 1 << 20


@dataclass(slots=True)
class FirstPass:
    """What the first pass found. ``cut``: the file's blocks, if any; ``before``: the index they are known from."""

    proof: Proof
    cutter: ContentCutter | None = None
    cut: Cut | None = None
    before: BlockIndex | None = None

    @property
    def known(self) -> bool:
        """Whether some stretches need no reading."""
        return self.before is not None and self.cut is not None and bool((self.cut.old >= 0).any())

    def unknown(self) -> Iterator[bytes]:
        """The header and the blocks that need reading."""
        assert self.cutter is not None  # noqa: S101  asked only if ``known``
        return self.cutter.unknown()

    def counting(self) -> BlockCount | None:
        """A fresh count of which keys lie in which block."""
        return BlockCount(self.cut, self.before) if self.cut is not None else None

    def read_all(self) -> "FirstPass":
        """The same file with nothing known about it."""
        cut = self.cut and replace(self.cut, old=np.full_like(self.cut.old, -1))
        return replace(self, before=None, cut=cut)

    def close(self) -> None:
        """Discard the bytes that were set aside."""
        if self.cutter is not None:
            self.cutter.close()


def first_pass(
    mirror: Mirror,
    path: Path,
    stated: FileName,
    settings: LoadSettings,
    progress: Callable[[int], None],
    aside: Path,
) -> FirstPass:
    """Read the file once. ``aside``: where the bytes of unknown blocks go. Raises Held and Unavailable as ``prove``."""
    table, limits = mirror.schema[stated.table], settings.limits
    org = stated.org_id or 0
    newest = mirror.snapshots.newest(table.name, org)
    if not table.blockwise or settings.rows is not None or (newest is not None and stated.as_of <= newest):
        return FirstPass(prove(path, limits, progress))
    with mirror.reading() as connection:
        before = ledger.blocks_of_newest(connection, table.name, org)
        known = before.known(ledger.touched(connection, table.name, org)) if before else NOTHING_KNOWN
    aside.parent.mkdir(parents=True, exist_ok=True)
    cutter = cutter_for(mirror, path, table, settings, (known, aside if before else None))
    with ExitStack() as undo:
        undo.callback(cutter.close)
        found = FirstPass(prove(path, limits, progress, cutter.feed), cutter, orderly(cutter, table.key[0]), before)
        undo.pop_all()
    if before is None or found.cut is None or found.cut.identity != before.identity:
        return found.read_all()
    return found


def cutter_for(
    mirror: Mirror,
    path: Path,
    table: Table,
    settings: LoadSettings,
    known: tuple[KnownBlocks, Path | None] = (NOTHING_KNOWN, None),
) -> ContentCutter:
    """What cuts a file of the table, its digests salted with all that the meaning of its bytes depends on. ``known``:
    with where the others are set aside."""
    salt = f"{table.name} {settings.zone.key} {settings.limits.max_cell}".encode()
    return ContentCutter(*known, block_seed(mirror), salt, step_for(size_of(path)), known_names(table))


def orderly(cutter: ContentCutter, key: str) -> Cut | None:
    """The blocks of a file that was cut to its end, if it is sorted by its first column and that is the key."""
    cut = cutter.finish()
    return cut if cut is not None and cut.orderly and cutter.key_name() == key else None


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

    def end(self, key: str) -> tuple[FirstPass, BlockCount | None]:
        """Everything was read: the verdict, and what was counted. ``key``: the column that a sorted file begins with.

        Raises Held.
        """
        found = FirstPass(self._proving.verdict(), self._cutter, orderly(self._cutter, key))
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
