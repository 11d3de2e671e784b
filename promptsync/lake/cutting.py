"""What lies in a lake as it came, without people who are on the list: deliveries, and files in ``incoming/``.

Owns their reading and rewriting, under the names that they have. A delivery that is about nobody else goes; one about
several people loses their items and keeps what it was called (lines.py). A file is rewritten as one that a mirror has
kept (people/files.py); one that holds them and cannot be taken apart is removed. What was known of a file is known of
what it is now, so that the next run does not take it for new.
"""

import re
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from promptsync.clock import iso_millis
from promptsync.events.recognition import watched
from promptsync.events.suppression import Suppression
from promptsync.lake.erased import Listed
from promptsync.lake.inputs import Input, copy, inputs_of
from promptsync.lake.lake import Lake, in_turn
from promptsync.lake.lines import forgetting, line_of, rewritten
from promptsync.lake.parts import export_of
from promptsync.model import Identity, Table
from promptsync.model.delivery import Delivery
from promptsync.model.person import Identifier, identifier
from promptsync.people.files import Kept, look, rewrite
from promptsync.people.find import Person
from promptsync.people.judge import Judge
from promptsync.store.forgotten import Forgotten
from promptsync.vendors import type_of_path


class ListJudge(Judge):
    """What is about the people on a list, of whom these ``identifiers`` are known; rows are told by the list."""

    def __init__(self, listed: Listed, identifiers: Iterable[Identifier]) -> None:
        super().__init__(Person(frozenset(identifiers)), listed.schema)
        self._forgotten, self._watched = Forgotten(listed.forgotten), watched(listed.schema)

    def row(self, table: Table, row: Any) -> bool:
        """Whether a row of a file is theirs."""
        return table.name in self._watched and self._watched[table.name].is_of(self._forgotten, row)

    def _named_in(self, table: Table, reason: str) -> bool:
        stated = re.match(rf"{re.escape(table.name)} (\S+)", reason)
        return stated is not None and self.is_theirs(table.name, stated[1].rstrip(","))

    def is_theirs(self, table: str, id_: object) -> bool:
        """Whether the row with this id is."""
        one = identifier(Identity.CONTACT, id_) if table == "contact" else None
        return one in self.person.identifiers or self._forgotten.has(table, str(id_))


@dataclass(slots=True)
class Cut:
    """What was, or would be, rewritten. ``events``: deliveries that go as a whole; ``deliveries``: how many these are,
    and those that lose something; ``names``: of the files, with the tags that they had; ``removed``: those that go, and
    why."""

    events: set[int] = field(default_factory=set)
    deliveries: int = 0
    names: dict[str, str] = field(default_factory=dict)
    removed: list[dict[str, str]] = field(default_factory=list)


def cut_deliveries(
    lake: Lake, door: Suppression, scratch: Path, *, write: bool, only: Container[str] | None = None
) -> Cut:
    """Take people out of all deliveries, or those in some files, or only look for them."""
    there = [one for one in inputs_of(lake.storage, (), lake.kinds) if one.found is None]
    done = Cut()
    for some in in_turn([one for one in there if only is None or one.name in only]):
        folder = scratch / uuid4().hex
        _cut_some(lake, door, some, copy(some, folder), done, write=write)
        shutil.rmtree(folder)
    return done


def _cut_some(
    lake: Lake, door: Suppression, some: Sequence[Input], paths: Sequence[Path], done: Cut, *, write: bool
) -> None:
    for one, path in zip(some, paths, strict=True):
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = list(file)
        left = [new for line in lines if (new := _cut(line, door, done)) is not None]
        if left == lines:
            continue
        done.names[one.name] = one.tag
        if write and left:
            lake.storage.rewrite(one.name, "".join(left).encode())
        elif write:
            lake.storage.delete([one.name])


def _cut(text: str, door: Suppression, done: Cut) -> str | None:
    """A line as it is to be; None if it goes."""
    if not text.strip():
        return text
    try:
        line = line_of(text)
    except ValueError:
        named = door.cut(Delivery("", text))[0].cut
        done.deliveries += named
        return None if named else text
    kept = forgetting(line, door, type_of_path(line.delivery.path))
    if kept is line:
        return text
    done.deliveries += 1
    if kept.suppressed:
        done.events.add(line.id)
        return None
    return rewritten(text, kept) + "\n"


def cut_files(lake: Lake, judge: Judge, scratch: Path, *, write: bool) -> Cut:
    """Take people out of the files that were put into the lake, or only look for them."""
    done = Cut()
    for one in inputs_of(lake.storage, (), lake.kinds):
        if one.found is None:
            continue
        path = lake.storage.get(one.name, scratch / uuid4().hex / one.item.file_name)
        table = _table(lake, one)
        if (kept := look(path, table, judge)) is not None:
            done.names[one.name] = one.tag
            if kept.removed:
                done.removed.append({"file": one.name, "why": kept.removed})
            if write:
                _rewrite(lake, one, kept, table, judge)
        if lake.storage.folder is None:
            path.unlink(missing_ok=True)
    return done


def _table(lake: Lake, one: Input) -> Table | None:
    """The table whose rows a file has, where its name says so."""
    if export := export_of(one.item.file_name, lake.schema):
        return export[0].table
    stated = one.found.stated if one.found else None
    return lake.schema.shape(stated.table) if stated is not None else None


def _rewrite(lake: Lake, one: Input, kept: Kept, table: Table | None, judge: Judge) -> None:
    rewrite(kept, table, judge)
    if kept.removed:
        lake.storage.delete([one.name])
    elif lake.storage.folder is None:
        lake.storage.put(one.name, kept.path)


def carry_over(lake: Lake, names: dict[str, str], now: int) -> None:
    """Say of rewritten files what was known of them. ``names``: with the tags that they had."""
    there = {one.name: one for one in inputs_of(lake.storage, (), lake.kinds)}
    lake.ledger.add("sync_input", _carried(names, lake.ledger.inputs(), there, now))


def _carried(
    names: dict[str, str], known: dict[str, dict[str, Any]], there: dict[str, Input], now: int
) -> Iterator[dict[str, Any]]:
    for name, tag in names.items():
        if name in there and known.get(name, {}).get("tag") == tag:
            seen = max(now, known[name]["seen"] + 1)  # the newest row about it counts
            yield known[name] | {"tag": there[name].tag, "seen": seen, "seen_at": iso_millis(seen)}
