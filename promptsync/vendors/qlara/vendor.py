"""Agile Telecom's Qlara as promptsync knows it: what its Partner Gateway exports.

Owns what the vendor brings, each by the hook that a plugin would use. Its files are never recognised by their
names: they are asked for, job by job, by ``Exports``.
"""

from typing import ClassVar

from promptsync.config import Config
from promptsync.hookspecs import hookimpl
from promptsync.model import Table
from promptsync.model.plain_words import worded
from promptsync.vendors.qlara import tables as declared
from promptsync.vendors.qlara import words
from promptsync.vendors.vendor import Vendor


class Qlara(Vendor):
    """The vendor under one configuration."""

    TABLES: ClassVar[tuple[Table, ...]] = worded(declared.TABLES, words.TITLES, words.LABELS)

    def __init__(self, _config: Config) -> None:
        """It has nothing to be configured but what ``Exports`` reads."""

    @hookimpl
    def tables(self) -> list[Table]:
        """Of contacts, delivery reports and messages."""
        return list(self.TABLES)
