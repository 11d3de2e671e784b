"""What a table, a column, a name of a file and a delivery are, and promptsync's own tables; nothing of any vendor."""

from promptsync.model.schema import Schema, Target
from promptsync.model.table import (
    Column,
    DayCount,
    FilledBy,
    Identity,
    Index,
    Kept,
    Key,
    Kind,
    Role,
    Table,
    Value,
    View,
)

__all__ = [
    "Column",
    "DayCount",
    "FilledBy",
    "Identity",
    "Index",
    "Kept",
    "Key",
    "Kind",
    "Role",
    "Schema",
    "Table",
    "Target",
    "Value",
    "View",
]
