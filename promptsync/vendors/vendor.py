"""What every vendor's class has beside its hooks.

Owns what must be known of a vendor where no configuration is at hand, and what a plugin need not offer: that its rows
have to be asked for.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from promptsync.clock import Clock
from promptsync.model import Schema, Table
from promptsync.plugins.declared import Check
from promptsync.vendors.exports import Exports

if TYPE_CHECKING:
    from promptsync.loading.rows import RowSource
    from promptsync.store.mirror import Mirror


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event. ``path``: what follows the configured base path. ``internal``: the vendor's enum name.

    ``about``: what has happened. ``fields``: the names of its body's fields beside orgId. ``leaves``: the table of what
    happened, "" if none.
    """

    path: str
    internal: str
    about: str
    fields: tuple[str, ...]
    leaves: str

    @property
    def timed(self) -> bool:
        """Whether its body is documented to say when it happened."""
        return "timestamp" in self.fields


class Vendor:
    """A vendor. Its hooks are methods of the class that is made of it."""

    TABLES: ClassVar[tuple[Table, ...]] = ()
    EVENT_TYPES: ClassVar[Mapping[str, EventType]] = {}

    def checks(self) -> list[Check]:
        """What ``doctor`` asks of a mirror; a vendor that has any marks this as a hook."""
        return []

    def exports(self, mirror: "Mirror", clock: Clock, stopping: threading.Event) -> Exports | None:
        """What asks for rows that the vendor hands out on request only, until ``stopping`` is set; None if none are."""
        del mirror, clock, stopping
        return None

    @staticmethod
    def export_rows(kind: str, schema: Schema) -> "RowSource | None":
        """What reads the files of a kind of its exports; None if there is no such kind."""
        del kind, schema  # most vendors' rows need not be asked for
        return None

    @staticmethod
    def own_mark(file_name: str) -> str | None:
        """What a file is that the vendor writes for itself, a sentence; None if it is none."""
        del file_name  # none does, unless it says so
        return None

    @staticmethod
    def type_of_path(path: str) -> str:
        """The event type that the path of a delivery names: itself, unless the vendor writes more behind it."""
        return path
