"""The vendors that promptsync knows, a room each: the only place that lists them.

Each is a plugin that ships with promptsync, and brings what it has by the hooks that every plugin uses. The same file
names in each room, for what a vendor has of it: ``vendor`` (what it brings), ``tables*`` and ``columns`` (its tables as
data), ``files`` (its files, and what their names say), ``source`` (where they come from and when), ``events`` (what its
deliveries claim), ``checks`` (what doctor says of it).
"""

from typing import Final

from promptsync.config import Config
from promptsync.model import Schema, bookkeeping
from promptsync.vendors.customerio.vendor import Customerio
from promptsync.vendors.prompt.vendor import Prompt
from promptsync.vendors.qlara.vendor import Qlara
from promptsync.vendors.vendor import Vendor

__all__ = ["BUILT_IN", "declared_schema", "own_mark", "vendors"]

BUILT_IN: Final = (Prompt, Qlara, Customerio)


def vendors(config: Config) -> list[Vendor]:
    """All of them, under a configuration."""
    return [vendor(config) for vendor in BUILT_IN]


def own_mark(file_name: str) -> str | None:
    """What a file is that one of them writes for itself, a sentence; None if it is none."""
    return next((mark for vendor in BUILT_IN if (mark := vendor.own_mark(file_name)) is not None), None)


def declared_schema() -> Schema:
    """Every table that promptsync itself declares."""
    return Schema((*(table for vendor in BUILT_IN for table in vendor.TABLES), *bookkeeping.TABLES))
