"""Sweeping what is too old: deliveries, rejects, rows of what happened, texts; in slices between which others write.

Owns the statements. What is to go is found on a reading connection; the writer only deletes or blanks it by key, some
milliseconds at a time, and SQLite overwrites what that leaves in pages (connect.py). A delivery goes only once it has
been applied and none of its rejects waits; the newest always stays, as the next one is numbered after it. After a kill,
sweeping again takes the rest.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from promptsync.merge.sql import names, quote
from promptsync.model import Role, Table
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Slices
from promptsync.store.swept import Mark

_AT_ONCE = 20_000
_LARGE = 64 << 10
"""Characters of a body from which it is deleted in a transaction of its own."""
_SPACE, _INCREMENTAL = ("auto_vacuum", "freelist_count", "page_count"), 2
_SHARE = 4
_PAGES = 100
"""Of a transaction: some milliseconds, as each is moved to the place of a free one."""
_OPEN_REJECT = "sync_reject r WHERE ifnull(r.rejected_at, '~') >= :rejects"


@dataclass(frozen=True, slots=True)
class Old:
    """Rows of one table that are too old. ``where``: which, with the parameters ``bound``; ``texts``: what is blanked,
    if they stay; ``size``: an expression for that of a row, in characters, if it can be large; ``revised``: whether
    rows have a revision."""

    table: str
    key: tuple[str, ...]
    where: str
    bound: dict[str, Any] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    size: str = "0"
    revised: bool = False

    def count(self, connection: sqlite3.Connection) -> int:
        """How many there are."""
        sql = f"SELECT count(*) FROM {quote(self.table)} WHERE {self.where}"
        return int(connection.execute(sql, self.bound).fetchone()[0])

    def sweep(self, mirror: Mirror, progress: Callable[[int, int], None]) -> int:
        """Delete or blank them; returns how many that were. Blocking: not for the event loop's thread."""
        with mirror.reading() as connection:
            total = self.count(connection)
        swept, slices = 0, Slices(mirror.writer)
        while found := self._some(mirror):
            self._sweep_some(mirror, slices, found, partial(_further, progress, swept, total))
            swept += len(found)
        return swept

    def _sweep_some(
        self, mirror: Mirror, slices: Slices, found: Sequence[Any], progress: Callable[[int, int], None]
    ) -> None:
        small = [key for *key, size in found if size <= _LARGE]
        large = [key for *key, size in found if size > _LARGE]

        def take(connection: sqlite3.Connection, first: int, last: int) -> None:
            self._take(mirror, connection, small[first - 1 : last])

        slices.run(take, len(small), progress)
        for done, key in enumerate(large, len(small) + 1):
            mirror.writer.run(partial(self._take, mirror, keys=[key]), durable=False)
            progress(done, len(found))

    def _some(self, mirror: Mirror) -> list[Any]:
        sql = f"SELECT {names(self.key)}, {self.size} FROM {quote(self.table)} WHERE {self.where} LIMIT {_AT_ONCE}"
        with mirror.reading() as connection:
            return connection.execute(sql, self.bound).fetchall()

    def _take(self, mirror: Mirror, connection: sqlite3.Connection, keys: Sequence[Any]) -> None:
        same = " AND ".join(f"{quote(column)} = ?" for column in self.key)
        sets = [f"{quote(text)} = NULL" for text in self.texts]
        if self.revised:
            sets.append(f"_rev = {mirror.next_revision(connection):d}")
        head = f"UPDATE {quote(self.table)} SET {', '.join(sets)}" if sets else f"DELETE FROM {quote(self.table)}"
        connection.executemany(f"{head} WHERE {same}", keys)


def _further(progress: Callable[[int, int], None], before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def give_back_pages(mirror: Mirror, progress: Callable[[int, int], None]) -> int:
    """Give free pages back to the file system once they are a quarter of the file, some at a time; returns how many.

    Fewer are left to be used again. A file that was made before pages could be given back stays as large as it is.
    """
    with mirror.reading() as connection:
        mode, free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SPACE)
    if mode != _INCREMENTAL or free * _SHARE < pages:
        return 0
    for done in range(0, free, _PAGES):
        mirror.writer.run(_vacuum_some, durable=False)
        progress(min(done + _PAGES, free), free)
    return int(free)


def _vacuum_some(connection: sqlite3.Connection) -> None:
    for _ in range(_PAGES):
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()


def old_rejects(before: str) -> Old:
    """Rejects from before then (ISO, milliseconds)."""
    return Old("sync_reject", ("id",), "rejected_at < :before", {"before": before})


def old_events(before: str, rejects: str, *, failed: bool) -> Old:
    """Deliveries received before then (ISO, microseconds) that have been applied; ``failed``: or never could be.

    ``rejects``: rejects from then on (ISO; "": all) keep their delivery, which is applied again if they are retried.
    """
    states = "'applied', 'failed', 'unknown_type'" if failed else "'applied'"
    where = (
        f"received_at < :before AND state IN ({states}) AND id < (SELECT max(id) FROM sync_event) "
        f"AND NOT EXISTS (SELECT 1 FROM {_OPEN_REJECT} AND r.event_id = sync_event.id)"
    )
    return Old("sync_event", ("id",), where, {"before": before, "rejects": rejects}, size="length(body)")


def old_rows(table: Table, mark: Mark) -> Old:
    """Rows of what happened, or texts, older than a mark. Texts before what is done have been blanked where they came
    in."""
    kept = table.keeping
    assert kept is not None  # noqa: S101  only such tables have marks
    where, bound = f"{quote(kept.at)} < :before", {"before": mark.before}
    if kept.texts:
        said = " OR ".join(f"{quote(text)} IS NOT NULL" for text in kept.texts)
        where, bound = f"{where} AND {quote(kept.at)} >= :done AND ({said})", bound | {"done": mark.done}
    return Old(table.name, table.key, where, bound, kept.texts, revised=table.role is Role.MIRROR)


def loaded_at(connection: sqlite3.Connection) -> dict[str, str]:
    """Paths of the files on record, and when each was last worked on (ISO)."""
    sql = "SELECT path, max(seen_at) FROM sync_file WHERE path IS NOT NULL AND seen_at IS NOT NULL GROUP BY path"
    return dict(connection.execute(sql).fetchall())


def files_to_keep(connection: sqlite3.Connection, rejects: str) -> set[str]:
    """Paths of files that are not merged, or of which a reject from then on (ISO; "": any) can be tried again."""
    sql = (
        "SELECT path FROM sync_file WHERE path IS NOT NULL AND (state IN ('held', 'failed', 'staged') "
        f"OR id IN (SELECT r.file_id FROM {_OPEN_REJECT}))"
    )
    return {path for (path,) in connection.execute(sql, {"rejects": rejects})}
