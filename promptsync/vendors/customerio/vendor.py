"""Customer.io as promptsync knows it: the change sets of its data warehouse sync.

Owns what the vendor brings, each by the hook that a plugin would use. How it is read is in the modules beside it.
"""

from typing import ClassVar

from promptsync.config import Config
from promptsync.hookspecs import hookimpl
from promptsync.model import Table
from promptsync.model.plain_words import worded
from promptsync.plugins.declared import Check, TableFiles
from promptsync.vendors.customerio import tables_people, tables_sent, words
from promptsync.vendors.customerio.checks import check_files
from promptsync.vendors.customerio.files import own_mark
from promptsync.vendors.customerio.source import change_set_files
from promptsync.vendors.vendor import Vendor


class Customerio(Vendor):
    """The vendor under one configuration."""

    TABLES: ClassVar[tuple[Table, ...]] = worded(
        (*tables_sent.TABLES, *tables_people.TABLES), words.TITLES, words.LABELS
    )

    own_mark = staticmethod(own_mark)

    def __init__(self, config: Config) -> None:
        self._sections = config.customerio

    @hookimpl
    def tables(self) -> list[Table]:
        """Of people and what they did, of messages and what became of them."""
        return list(self.TABLES)

    @hookimpl
    def file_kinds(self) -> list[TableFiles]:
        """The change sets. Raises ConfigError for a table that there is not."""
        return [change_set_files(self._sections, [table.name for table in self.TABLES])]

    @hookimpl
    def checks(self) -> list[Check]:
        """What its files turned out to be called."""
        return [check_files]
