"""Forgetting a person: everything that is held of them is removed, and what deleting leaves behind is written over.

Owns the order: what is to be remembered of the erasure comes first, then rows, deliveries, rejects and files, once more
whatever came in meanwhile, and last the remains in SQLite's file. In slices between which deliveries are stored; it can
be killed anywhere and done again. Blocking: for a worker thread or a command.
"""

import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from promptsync.clock import iso_millis
from promptsync.engine.engine import Engine
from promptsync.errors import Unavailable
from promptsync.events.mentions import Record, text_of, without
from promptsync.model import Identity, Key, Role, Table
from promptsync.model.person import Identifier
from promptsync.people.files import Kept, rewrite
from promptsync.people.find import Archive, Person, archive_of
from promptsync.people.held import Delivery, Held, held_of, still_held
from promptsync.people.judge import needles, read_body
from promptsync.store import erasing
from promptsync.store.slices import Progress, Slices
from promptsync.store.writer import Lane, Preempted
from promptsync.vendors import EVENT_TYPES

Remember = Callable[[sqlite3.Connection, int, frozenset[Identifier], frozenset[Record]], object]
"""Gets the number of an erasure, the identifiers and the records of who is to be forgotten, before anything goes."""

T = TypeVar("T")
_SOME: Final = 20
_TRIES: Final = 20
_AGAIN: Final = 3
_APPLY_SECONDS: Final = 60.0
_EMPTY_TRIES, _EMPTY_SECONDS = 20, 0.1
_SEARCH_PAGES: Final = 4
_WEIGHT: Final = 50  # statements for each row: its indexes, its search, its count by day


def erase(
    engine: Engine,
    starts: Sequence[Iterable[Identifier]],
    why: str,
    remember: Remember = lambda *_: None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Forget whoever has these identifiers, people in doubt left out. ``why``: ``asked`` or ``gone``.

    An erasure that was begun and killed is carried out first; without ``starts`` only that. Returns plain data: ``id``
    of the last erasure (None: nothing was held), ``tables``, ``files``, ``removed`` (files that could not be taken
    apart, with the reason) and ``log_emptied``: whether the write-ahead log holds nothing of them.
    """
    engine.apply_pending(_APPLY_SECONDS)
    result: dict[str, Any] = {"id": None, "tables": {}, "files": 0, "removed": [], "log_emptied": True}
    with engine.mirror.reading_apart() as connection:
        plans = {number: _Plan.read(text) for number, text in erasing.unfinished(connection).items()}
        held = held_of(_archive(engine, connection), starts) if starts else None
    new = None
    if held:
        plan = _Plan(held.person.identifiers, held.person.records)
        begin = partial(_begin, at=iso_millis(engine.clock()), why=why, plan=plan, remember=remember)
        new = engine.mirror.writer.run(begin)
        plans[new] = plan
    if not plans:
        return result
    work = _Erasing(engine, progress)
    with engine.paused():
        for number, plan in sorted(plans.items()):
            result |= {"id": number, **work.carry_out(number, plan, held if number == new else None)}
    return result | {"removed": work.removed, "log_emptied": _empty_log(engine)}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Whom an erasure is about."""

    identifiers: frozenset[Identifier]
    records: frozenset[Record]

    @classmethod
    def read(cls, text: str) -> "_Plan":
        """From what was kept of it."""
        said = json.loads(text)
        known = (Identifier(Identity(kind), value) for kind, value in said["identifiers"])
        return cls(frozenset(known), frozenset((table, id_) for table, id_ in said["records"]))

    def text(self) -> str:
        """To be kept until it is carried out."""
        known = [(one.kind.value, one.value) for one in self.identifiers]
        return json.dumps({"identifiers": known, "records": list(self.records)})


def _begin(connection: sqlite3.Connection, at: str, why: str, plan: _Plan, remember: Remember) -> int:
    number = erasing.begin(connection, at, why, plan.text())
    remember(connection, number, plan.identifiers, plan.records)
    return number


def compact(engine: Engine) -> bool:
    """Write the mirror's file anew, for nothing of who was forgotten to be left between its rows; deliveries wait for
    it, so it is for a mirror that nobody else writes. Returns whether the write-ahead log is empty, too."""
    engine.mirror.writer.run(erasing.rewrite, bare=True)
    return _empty_log(engine)


def _archive(engine: Engine, connection: sqlite3.Connection) -> Archive:
    return archive_of(connection, engine.config, engine.plugins.extensions, engine.plugins.reading)


def in_order(person: Person) -> list[tuple[str, list[Key]]]:
    """Their rows, table by table, those first that only others lead to: after a kill the rest is found again."""
    parts: dict[tuple[int, str], list[Key]] = defaultdict(list)
    for name, rows in person.rows.items():
        for key in rows:
            parts[-person.steps.get((name, key), 0), name].append(key)
    return [(name, parts[steps, name]) for steps, name in sorted(parts)]


class _Erasing:
    """The removal of what was found. ``tables``: rows removed; ``files``: how many were rewritten or removed."""

    def __init__(self, engine: Engine, progress: Progress) -> None:
        self._engine, self._progress = engine, progress
        self._mirror = engine.mirror
        self.tables: Counter[str] = Counter()
        self.files = 0
        self.removed: list[dict[str, str]] = []

    def carry_out(self, number: int, plan: _Plan, held: Held | None) -> dict[str, Any]:
        """All of one erasure, but for the log; returns how much was removed. ``held``: what was just found, if it was
        looked for already; what has come since is found after it."""
        engine, self.tables, self.files = self._engine, Counter(), 0
        for _ in range(_AGAIN):
            if held is None:
                with engine.mirror.reading_apart() as connection:
                    held = still_held(_archive(engine, connection), plan.identifiers, plan.records)
            if not held:
                break
            self.remove(held)
            held = None
        self.wipe()
        counts, files, now = dict(sorted(self.tables.items())), self.files, iso_millis(engine.clock())
        self._mirror.writer.run(lambda connection: erasing.finish(connection, number, now, counts, files))
        return {"tables": counts, "files": files}

    def remove(self, held: Held) -> None:
        """Remove rows, deliveries, rejects and what files have of them."""
        schema, rows = self._mirror.schema, held.person.rows
        for name in rows:
            if schema[name].role is Role.HAPPENED:  # by the places of items, which move once deliveries are rewritten
                self._rows(schema[name], list(rows[name]))
        self._in_parts(held.deliveries, self._deliveries)
        self._in_parts([row["id"] for row in held.rejects], self._rejects)
        keys: Mapping[str, list[Key]] = {name: list(keyed) for name, keyed in rows.items()}
        self._mirror.writer.run(lambda c: erasing.delete_changes(c, keys))
        with self._mirror.reading_apart() as connection:
            cells = list(erasing.texts_with(connection, schema, needles(held.person, numbers=False)))
        self._in_parts(cells, erasing.blank)
        for kept, table in held.files:
            self._file(held, kept, table)
        for name, some in in_order(held.person):
            if schema[name].role is not Role.HAPPENED:
                self._rows(schema[name], some)
        self.tables = +self.tables

    def _rejects(self, connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        self.tables["sync_reject"] += erasing.delete_rejects(connection, ids)

    def _in_parts(self, things: Sequence[T], work: Callable[[sqlite3.Connection, Sequence[T]], object]) -> None:
        for start in range(0, len(things), _SOME):
            some = things[start : start + _SOME]
            self._mirror.writer.run(partial(_called, work, some), durable=False)

    def _rows(self, table: Table, keys: list[Key]) -> None:
        deleted: dict[int, int] = {}

        def work(connection: sqlite3.Connection, first: int, last: int) -> None:
            deleted[first] = erasing.delete_rows(connection, table, keys[first - 1 : last])

        Slices(self._mirror.writer, weight=_WEIGHT).run(
            work, len(keys), lambda done, of: self._progress("deleting", done, of)
        )
        self.tables[table.name] += sum(deleted.values())

    def _deliveries(self, connection: sqlite3.Connection, some: Sequence[Delivery]) -> None:
        whole = [one.id for one in some if one.places is None]
        if whole:
            self.tables.update(erasing.delete_deliveries(connection, self._mirror.schema, whole))
        for one in some:
            if one.places is not None and (body := read_body(one.body)) is not None:
                table, items = self._leaves(one)
                erasing.rewrite_delivery(connection, one.id, text_of(without(body, one.places)), table, items)
                self.tables["sync_event"] += 1

    def _leaves(self, one: Delivery) -> tuple[Table | None, list[int]]:
        """The table that has a row for each item of such a delivery, and the numbers of those that go."""
        known = EVENT_TYPES.get(one.type)
        if known is None or not known.leaves or one.places is None:
            return None, []
        return self._mirror.schema[known.leaves], [number for _, number in one.places]

    def _file(self, held: Held, kept: Kept, table: Table | None) -> None:
        try:
            rewrite(kept, table, held.judge)
        except OSError as error:
            raise Unavailable(
                f"{kept.path} cannot be rewritten ({error.strerror}); put that right, then forget them again."
            ) from error
        self.files += 1
        if kept.removed:
            self.removed.append({"file": str(kept.path), "why": kept.removed})
            path = str(kept.path)
            self._mirror.writer.run(lambda connection: erasing.note_file_gone(connection, path))

    def wipe(self) -> None:
        """Write over what SQLite keeps of what was deleted: in search, and in pages that are free.

        An index that is being built beside the mirror was begun with their words: it is waited for, as it brings them
        along, and taking them out again leaves them in its pages.
        """
        with self._mirror.indexing:
            for table in self._mirror.schema:
                if table.search:
                    self._merge_search(table)
        number = 0
        while self._step(partial(erasing.fill_free_pages, number=number)):
            number += 1
            self._progress("writing over free pages", number * erasing.PAGES, 0)
        while self._step(erasing.empty_filled):
            pass

    def _merge_search(self, table: Table) -> None:
        first = True
        while self._step(partial(erasing.merge_search, table=table, pages=_SEARCH_PAGES, first=first)):
            first = False

    def _step(self, work: Callable[[sqlite3.Connection], bool]) -> bool:
        """One step, which gives way to deliveries; if they never end it takes one all the same, after some tries."""
        for left in range(_TRIES, -1, -1):
            with suppress(Preempted):
                return self._mirror.writer.run(work, Lane.BULK, durable=False, preemptible=left > 0)
        return False


def _called(work: Callable[[sqlite3.Connection, T], object], some: T, connection: sqlite3.Connection) -> None:
    work(connection, some)


def _empty_log(engine: Engine) -> bool:
    """Whether the write-ahead log could be emptied; if not, somebody reads, and it is once they have ended."""
    log = engine.mirror.writer.log
    log.to_be_emptied = True
    for _ in range(_EMPTY_TRIES):
        if engine.mirror.writer.run(log.checkpoint, bare=True) and engine.mirror.writer.run(log.truncate, bare=True):
            return True
        time.sleep(_EMPTY_SECONDS)
    return False
