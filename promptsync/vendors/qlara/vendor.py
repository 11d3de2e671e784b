"""Agile Telecom's Qlara as promptsync knows it: what its Partner Gateway exports.

Owns what the vendor brings, each by the hook that a plugin would use. Its files are never recognised by their
names: they are asked for, job by job.
"""

import threading
from typing import TYPE_CHECKING, ClassVar

from promptsync.clock import Clock
from promptsync.config import Config
from promptsync.hookspecs import hookimpl
from promptsync.model import Schema, Table
from promptsync.model.plain_words import worded
from promptsync.plugins.declared import Check
from promptsync.vendors.exports import Exports
from promptsync.vendors.qlara import tables as declared
from promptsync.vendors.qlara import words
from promptsync.vendors.qlara.checks import check_statuses
from promptsync.vendors.vendor import Vendor

if TYPE_CHECKING:
    from promptsync.loading.rows import RowSource
    from promptsync.store.mirror import Mirror


class Qlara(Vendor):
    """The vendor under one configuration."""

    TABLES: ClassVar[tuple[Table, ...]] = worded(declared.TABLES, words.TITLES, words.LABELS)

    def __init__(self, config: Config) -> None:
        self._config = config

    @hookimpl
    def tables(self) -> list[Table]:
        """Of contacts, delivery reports and messages."""
        return list(self.TABLES)

    @hookimpl
    def checks(self) -> list[Check]:
        """What its exports turned out to say."""
        return [check_statuses]

    def exports(self, mirror: "Mirror", clock: Clock, stopping: threading.Event) -> Exports:
        """Of all three."""
        from promptsync.vendors.qlara.source import QlaraExports

        return QlaraExports(self._config, mirror, clock, stopping)

    @staticmethod
    def export_rows(kind: str, schema: Schema) -> "RowSource | None":
        """Of CSV files of one of the three."""
        from promptsync.vendors.qlara.csv import ExportRows
        from promptsync.vendors.qlara.profile import QLARA

        found = next((one for one in QLARA.kinds if one.name == kind), None)
        return ExportRows(found, schema[found.table]) if found else None
