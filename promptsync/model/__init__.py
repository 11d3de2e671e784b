"""What a table, a column, an event type and a file kind are, and the declarations of all vendors' tables as data."""

from promptsync.model import (
    customerio_people,
    customerio_sent,
    own,
    prompt_exports,
    prompt_happened,
    prompt_webhooks,
    qlara,
)
from promptsync.model.table import Column, Kind, Role, Schema, Table, Target, View

__all__ = ["Column", "Kind", "Role", "Schema", "Table", "Target", "View", "declared_schema"]


def declared_schema() -> Schema:
    """Every table that promptsync itself declares."""
    return Schema(
        (
            *prompt_exports.TABLES,
            *prompt_webhooks.TABLES,
            *prompt_happened.TABLES,
            *qlara.TABLES,
            *customerio_sent.TABLES,
            *customerio_people.TABLES,
            *own.TABLES,
        )
    )
