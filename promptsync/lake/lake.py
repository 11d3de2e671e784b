"""One lake: where it is, how its inputs are read, and which of them are new.

Owns what every command of a lake begins with. Folds nothing, and changes nothing.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from promptsync.clock import MICROS, Clock
from promptsync.config import Period
from promptsync.errors import ConfigError
from promptsync.events.suppression import Suppression
from promptsync.fetch.sources import Source
from promptsync.lake.delta import ListChanged
from promptsync.lake.erased import ErasedPeople, Listed
from promptsync.lake.inputs import Input, inputs_of
from promptsync.lake.keeping import keeping_now, wanted_of
from promptsync.lake.kept import Keeping
from promptsync.lake.ledger import Ledger, Snapshot
from promptsync.lake.shape import is_owned
from promptsync.lake.storage import Storage
from promptsync.lake.tables import Tables
from promptsync.loading.kinds import FileKinds
from promptsync.loading.report import LoadSettings
from promptsync.model import Schema, Table
from promptsync.model.file_name import FileName
from promptsync.plugins.declared import EventHandler
from promptsync.plugins.loading import Extensions

_FILES_AT_ONCE: Final = 2_000
_BYTES_AT_ONCE: Final = 32 << 20
"""Of deliveries that are decoded together."""

Known = Mapping[str, Mapping[str, Any]]
"""The newest row of the ledger about each input, by its name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks of a run. ``table``: fold this one only, and leave its inputs new; ``accept``, ``discard``:
    names of held inputs, whole or their last parts; ``corrects``: of inputs that replace files of their nights."""

    dry_run: bool = False
    table: str | None = None
    accept: frozenset[str] = frozenset()
    discard: frozenset[str] = frozenset()
    corrects: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lake:
    """One lake, and how inputs are read. ``buckets``: as it was made with; ``keep_deliveries``: how long their files
    stay, once folded; ``periods``: those of ``[retention]``; ``plugins``: those that take part in decoding, if any
    does; ``listed``: the list of erased people, if it is asked; ``keeping``: what is not written any more."""

    storage: Storage
    buckets: int
    schema: Schema
    handlers: dict[str, EventHandler]
    kinds: FileKinds
    settings: LoadSettings
    sources: Sequence[Source]
    keep_deliveries: Period
    clock: Clock
    periods: Mapping[str, Period] = field(default_factory=dict)
    plugins: Extensions | None = None
    listed: Listed | None = None
    keeping: Keeping = field(default_factory=Keeping)

    @property
    def tables(self) -> Tables:
        """Its mirrored tables."""
        return Tables(self.storage, self._check)

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return Ledger(self.storage, self._check)

    @property
    def people(self) -> ErasedPeople:
        """The list of people whom it has forgotten."""
        return ErasedPeople(self.storage, self.schema)

    @property
    def door(self) -> Suppression:
        """Leaves out whoever is on that list."""
        return Suppression(self.listed or Listed(self.schema))

    def knowing(self) -> "Lake":
        """The same lake by the list of erased people, and what is kept no more, as they are now: nothing is committed
        to it any more once that list has changed."""
        return replace(self, listed=self.people.read(), keeping=keeping_now(self.storage, self.wanted))

    @property
    def wanted(self) -> dict[str, str]:
        """Before when (ISO) what ``[retention]`` names is too old by now."""
        return wanted_of(self.periods, self.schema, self.clock(), self.settings.zone)

    def list_changed(self) -> bool:
        """Whether the list has changed since it was asked."""
        try:
            self._check()
        except ListChanged:
            return True
        return False

    def _check(self) -> None:
        if self.listed is not None:
            self.people.check(self.listed)

    def inputs(self) -> list[Input]:
        """Everything that lies where it takes its inputs from. Raises ConfigError, Unavailable."""
        return inputs_of(self.storage, self.sources, self.kinds)

    def bucket_of(self, table: Table, org: int) -> int:
        """Where a table has the rows of an organization; those of none are all in one place."""
        return org % self.buckets if is_owned(table) else 0


def new_of(there: Sequence[Input], known: Known, accepted: Container[str] = ()) -> list[Input]:
    """Of these inputs those that have not been taken as they are now, and those that a person has ``accepted``."""
    return [one for one in there if one.name in accepted or known.get(one.name, {}).get("tag") != one.tag]


def merged_snapshots(known: Known) -> frozenset[tuple[str, str, int, str]]:
    """The snapshots that need not be merged again, here or before a push: SHA-256, table, organization, ISO instant."""
    merged = (row for row in known.values() if row["state"] == "merged" and row["sha256"] and row["as_of"])
    return frozenset((row["sha256"], row["table"], row["org_id"] or 0, row["as_of"]) for row in merged)


def corrections(names: Iterable[str], there: Sequence[Input], applied: Iterable[Snapshot]) -> dict[str, int]:
    """Of the inputs that are meant which correction of its night each is. Raises ConfigError."""
    found, known = dict[str, int](), list(applied)
    for wanted in names:
        fitting = [one for one in there if wanted in (one.name, one.name.rsplit("/", 1)[-1])]
        stated = fitting[0].found.stated if len(fitting) == 1 and fitting[0].found else None
        if not isinstance(stated, FileName):
            raise ConfigError(f"'{wanted}' names no single nightly file of the lake or its places; check the spelling.")
        place, night = (stated.table, stated.org_id or 0), range(stated.as_of, stated.as_of + MICROS)
        before = [one.instant for one in known if (one.table, one.org) == place and one.instant in night]
        if not before:
            raise ConfigError(f"{wanted} replaces nothing, no file of its night was merged; run without --corrects.")
        found[fitting[0].name] = max(before) - stated.as_of + 1
    return found


def held_named(names: Iterable[str], known: Known) -> frozenset[str]:
    """The held inputs that are meant. Raises ConfigError."""
    held = [name for name, row in known.items() if row["state"] in ("held", "ignored")]
    found = set()
    for wanted in names:
        fitting = [name for name in held if name == wanted] or [n for n in held if n.rsplit("/", 1)[-1] == wanted]
        if len(fitting) != 1:
            which = ", ".join(sorted(fitting or held)) or "none"
            raise ConfigError(f"'{wanted}' names no single input that is held: there is {which}.")
        found.add(fitting[0])
    return frozenset(found)


def in_turn(new: Sequence[Input]) -> Iterator[list[Input]]:
    """Files of deliveries some at a time, as they are many and small; every other by itself."""
    waiting, size = list[Input](), 0
    for one in new:
        if one.found is not None:
            yield [one]
            continue
        waiting.append(one)
        size += one.item.size or 0
        if size > _BYTES_AT_ONCE or len(waiting) == _FILES_AT_ONCE:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting
