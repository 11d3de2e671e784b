"""The vendors that promptsync knows, a room each: the only place that lists them.

Each is a plugin that ships with promptsync, and brings what it has by the hooks that every plugin uses. The same file
names in each room, for what a vendor has of it: ``vendor`` (what it brings), ``tables*`` and ``columns`` (its tables as
data), ``files`` (its files, and what their names say), ``source`` (where they come from and when), ``events`` (what its
deliveries claim), ``checks`` (what doctor says of it). No other room looks into one of theirs.
"""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from promptsync.clock import Clock
from promptsync.config import Config
from promptsync.model import Schema, bookkeeping
from promptsync.vendors.customerio.vendor import Customerio
from promptsync.vendors.exports import Exports
from promptsync.vendors.prompt.vendor import Prompt
from promptsync.vendors.qlara.vendor import Qlara
from promptsync.vendors.vendor import EventType, Vendor

if TYPE_CHECKING:
    from promptsync.loading.rows import RowSource
    from promptsync.store.mirror import Mirror

__all__ = [
    "BUILT_IN",
    "EVENT_TYPES",
    "EventType",
    "Exports",
    "declared_schema",
    "export_rows",
    "exports_of",
    "own_mark",
    "type_of_path",
    "vendors",
]

BUILT_IN: Final = (Prompt, Qlara, Customerio)
EVENT_TYPES: Final[Mapping[str, EventType]] = {
    name: type_ for vendor in BUILT_IN for name, type_ in vendor.EVENT_TYPES.items()
}
"""Every type of event that one of them documents, by the path that names it."""


def vendors(config: Config) -> list[Vendor]:
    """All of them, under a configuration."""
    return [vendor(config) for vendor in BUILT_IN]


def exports_of(config: Config, mirror: "Mirror", clock: Clock, stopping: threading.Event) -> Exports:
    """What asks for rows that are handed out on request only, of the one vendor that has such."""
    made = (vendor.exports(mirror, clock, stopping) for vendor in vendors(config))
    return next(exports for exports in made if exports is not None)


def export_rows(kind: str, schema: Schema) -> "RowSource | None":
    """What reads the files of a kind of exports; None if no vendor has such."""
    made = (vendor.export_rows(kind, schema) for vendor in BUILT_IN)
    return next((rows for rows in made if rows is not None), None)


def type_of_path(path: str) -> str:
    """The event type that the path of a delivery, below the configured one, names."""
    for vendor in BUILT_IN:
        path = vendor.type_of_path(path)
    return path


def own_mark(file_name: str) -> str | None:
    """What a file is that one of them writes for itself, a sentence; None if it is none."""
    return next((mark for vendor in BUILT_IN if (mark := vendor.own_mark(file_name)) is not None), None)


def declared_schema() -> Schema:
    """Every table that promptsync itself declares."""
    return Schema((*(table for vendor in BUILT_IN for table in vendor.TABLES), *bookkeeping.TABLES))
