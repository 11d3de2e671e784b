"""Prompt (text messaging) as promptsync knows it: nightly data exports and webhooks.

Owns what the vendor brings, each by the hook that a plugin would use. How it is read is in the modules beside it.
"""

from collections.abc import Mapping
from typing import ClassVar

from promptsync.config import Config
from promptsync.hookspecs import hookimpl
from promptsync.model import Table
from promptsync.model.plain_words import worded
from promptsync.plugins.declared import Check, EventHandler, TableFiles
from promptsync.vendors.prompt import tables_exports, tables_happened, tables_webhooks, words
from promptsync.vendors.prompt.checks import check_observed
from promptsync.vendors.prompt.event_types import EVENT_TYPES, type_of_path
from promptsync.vendors.prompt.events import HANDLERS
from promptsync.vendors.prompt.files import nightly_files
from promptsync.vendors.vendor import EventType, Vendor


class Prompt(Vendor):
    """The vendor under one configuration."""

    TABLES: ClassVar[tuple[Table, ...]] = worded(
        (*tables_exports.TABLES, *tables_webhooks.TABLES, *tables_happened.TABLES), words.TITLES, words.LABELS
    )

    EVENT_TYPES: ClassVar[Mapping[str, EventType]] = EVENT_TYPES
    type_of_path = staticmethod(type_of_path)

    def __init__(self, config: Config) -> None:
        self._zone = config.mirror.timezone

    @hookimpl
    def tables(self) -> list[Table]:
        """Of the exports, of what webhooks say beyond them, and of what happened."""
        return list(self.TABLES)

    @hookimpl
    def event_handlers(self) -> Mapping[str, EventHandler]:
        """What each type of a delivery claims."""
        return HANDLERS

    @hookimpl
    def file_kinds(self) -> list[TableFiles]:
        """The nightly exports."""
        return [nightly_files(tables_exports.TABLES, self._zone)]

    @hookimpl
    def checks(self) -> list[Check]:
        """What it turned out to send."""
        return [check_observed]
