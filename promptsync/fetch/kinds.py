"""The kinds of places: nightly exports and Customer.io change sets, each told as data.

Owns what differs between the two: what a file's name states, what is passed over, the order of loading, what happens
after it. How a place is looked at, and files are fetched and loaded, is the same for both and is in fetch.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptsync.clock import iso_millis
from promptsync.config.sections import CustomerioConfig
from promptsync.engine.engine import Engine
from promptsync.fetch.sources import Source
from promptsync.model import FilledBy
from promptsync.model.file_name import ChangeSetName, FileName
from promptsync.vendors.customerio.files import is_ignored, left_out, own_mark, parse_change_set, stems_of, table_named
from promptsync.vendors.prompt.files import parse_name

CONTENT = "cio_delivery_content"
"""The table that ``content_budget`` bounds."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file's name states. ``order``: sorts files as they are loaded. ``line``: files that share one are loaded
    strictly in that order; no file waits for one of another line. ``at``: an instant, microseconds. ``row``: what the
    ledger of places keeps of it."""

    name: FileName | ChangeSetName
    order: tuple[Any, ...]
    line: str = ""
    at: int | None = None
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The table that is meant."""
        return self.name.table


@dataclass(frozen=True, slots=True)
class Kind:
    """How files of a place are dealt with.

    ``parse``: see make_plan. ``empty``: whether empty files count. ``skip``: tables to note and not to fetch.
    ``downloads``: how many at once. ``putting_away``: what becomes of a file there once it is loaded: None to leave it,
    "" to delete it, else the folder to move it to. ``leave_out``: table to columns that are not wanted. ``budgets``:
    table to bytes that its files may bring.
    """

    parse: Callable[[str], Stated | None]
    empty: bool = True
    skip: frozenset[str] = frozenset()
    downloads: int = 1
    putting_away: str | None = None
    leave_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)

    def counts(self, key: str, size: int | None) -> bool:
        """Whether a listed file is looked at: not what was moved away after it was loaded, nor what the vendor writes
        for itself, nor, of some kinds, what is empty."""
        moved = bool(self.putting_away) and key.startswith(f"{self.putting_away}/")
        return not moved and own_mark(key) is None and (self.empty or size != 0)


def kind_of(engine: Engine, source: Source) -> Kind:
    """The kind of a configured place. Raises ConfigError for a table that there is not."""
    config = source.config
    return _change_sets(engine, config) if isinstance(config, CustomerioConfig) else _nightly(engine)


def _nightly(engine: Engine) -> Kind:
    tables, zone = engine.mirror.schema.filled_by(FilledBy.SNAPSHOT), engine.config.mirror.timezone

    def parse(file_name: str) -> Stated:
        name = parse_name(file_name, tables, zone)
        row = {"table": name.table, "org_id": name.org_id or 0, "as_of": iso_millis(name.as_of)}
        return Stated(name, (name.as_of,), at=name.as_of, row=row)

    return Kind(parse)


def _change_sets(engine: Engine, config: CustomerioConfig) -> Kind:
    tables = {table.name for table in engine.mirror.schema.filled_by(FilledBy.CHANGE_SET)}
    stems = stems_of([config], tables)

    def parse(file_name: str) -> Stated | None:
        if is_ignored(file_name):
            return None
        name = parse_change_set(file_name, stems)
        row = {"table": name.table, "org_id": 0, "as_of": None, "workspace_id": name.workspace}
        row |= {"version": name.version, "sequence": name.sequence, "part": name.part}
        return Stated(name, name.order, line=name.table, row=row)

    return Kind(
        parse=parse,
        empty=False,
        skip=frozenset(table_named(name, tables) for name in config.skip),
        downloads=config.downloads,
        putting_away="" if config.delete_after_load else config.move_after_load,
        leave_out=left_out(engine.config.customerio, tables),
        budgets={CONTENT: config.content_budget} if config.content_budget is not None else {},
    )
