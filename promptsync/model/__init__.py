"""What a table, a column, an event type and a file kind are, and the declarations of all vendors' tables as data."""

from promptsync.model import own, prompt_exports, prompt_happened, prompt_webhooks, qlara
from promptsync.model.table import Column, Kind, Role, Schema, Table

__all__ = ["Column", "Kind", "Role", "Schema", "Table", "declared_schema"]


def declared_schema() -> Schema:
    """Every table that promptsync itself declares."""
    return Schema(
        (
            *prompt_exports.TABLES,
            *prompt_webhooks.TABLES,
            *prompt_happened.TABLES,
            *qlara.TABLES,
            *own.TABLES,
        )
    )
