"""What a table, a column, a name of a file and a delivery are, and promptsync's own tables; nothing of any vendor."""

from promptsync.model.table import Column, Kind, Role, Schema, Table, Target, View

__all__ = ["Column", "Kind", "Role", "Schema", "Table", "Target", "View"]
