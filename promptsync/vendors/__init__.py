"""The vendors that promptsync knows, a room each, with the same file names in each."""

from promptsync.model import Schema, bookkeeping
from promptsync.vendors.customerio import tables_people, tables_sent
from promptsync.vendors.prompt import tables_exports, tables_happened, tables_webhooks
from promptsync.vendors.qlara import tables

__all__ = ["declared_schema"]


def declared_schema() -> Schema:
    """Every table that promptsync itself declares."""
    return Schema(
        (
            *tables_exports.TABLES,
            *tables_webhooks.TABLES,
            *tables_happened.TABLES,
            *tables.TABLES,
            *tables_sent.TABLES,
            *tables_people.TABLES,
            *bookkeeping.TABLES,
        )
    )
