"""The truth about desk work: rows whose groups of columns each have a last word of their own. Part of truth."""

from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.truth.knowledge import Told
from promptsync.demo.truth.rows import Rows
from promptsync.vendors import declared_schema

_TABLES = ("conversation_config", "scheduled_message", "instant_app", "team_member", "channel", "broadcast")


def overlaid(tables: dict[str, Rows], told: Told) -> dict[str, Rows]:
    """These tables, and those that only desk work fills, with what it told of each row."""
    schema = declared_schema()
    return {**tables, **{name: _overlaid(schema[name].key, tables.get(name, ()), name, told) for name in _TABLES}}


def _overlaid(key: tuple[str, ...], rows: Rows, table: str, told: Told) -> list[Row]:
    found = {tuple(row[name] for name in key): row for row in rows}
    for id_, groups in told.facts[table].items():
        row = {**found.get(id_, {}), **dict(zip(key, id_, strict=True))}
        for _, columns in groups.values():
            row |= columns
        found[id_] = row
    return list(found.values())
