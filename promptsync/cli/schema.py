"""``promptsync schema``: the declared tables, for people (Markdown) and programs (JSON).

Owns the two spellings. Everything that is said comes from the declarations; needs neither configuration nor mirror.
"""

from typing import Any

import click

from promptsync.cli.context import print_json
from promptsync.config.values import suggest
from promptsync.errors import ConfigError
from promptsync.model import Column, Role, Schema, Table, declared_schema

_HEADINGS = ("column", "type", "unit", "description", "group", "references", "from")
_INTRODUCTION = """\
# Tables

From: `export`, a column of the nightly files (webhooks that state it may be newer); `webhook`, told by webhooks only;
`promptsync`, its own book-keeping. Columns of one group are always claimed together and share a version. Columns that
begin with `_` are promptsync's: versions (`_<group>_at`), `_absent_since` (the exports no longer have the row),
`_rev` (revision of the last real change).
"""


@click.command()
@click.argument("table", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def schema(table: str | None, as_json: bool) -> None:
    """Describe the tables, or one TABLE, as Markdown."""
    declared = declared_schema()
    if table is None:
        if as_json:
            print_json([as_data(one) for one in declared])
        else:
            click.echo("\n".join([_INTRODUCTION, *(as_markdown(one) for one in declared)]), nl=False)
        return
    one = _named(declared, table)
    if as_json:
        print_json(as_data(one))
    else:
        click.echo(as_markdown(one), nl=False)


def _named(declared: Schema, name: str) -> Table:
    if name not in declared:
        near = suggest(name, (table.name for table in declared))
        raise ConfigError(f"There is no table {name}{near or '.'} 'promptsync schema' lists them.")
    return declared[name]


def filled_from(table: Table, column: Column) -> list[str]:
    """``export``, ``webhook`` or ``promptsync``; ``org_id`` of an exported table comes from the file's name too."""
    if table.role is Role.OWN:
        return ["promptsync"]
    if column.exported:
        return ["export"]
    return ["export", "webhook"] if table.exported and column.name == "org_id" else ["webhook"]


def as_data(table: Table) -> dict[str, Any]:
    """One table as plain data."""
    return {
        "table": table.name,
        "description": table.about,
        "key": list(table.key),
        "kind": table.role.value,
        "columns": [_column(table, column) for column in table.columns],
    }


def _column(table: Table, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.kind.value,
        "storage": column.kind.storage,
        "unit": column.unit or None,
        "description": column.about,
        "group": column.group or None,
        "references": column.references or None,
        "from": filled_from(table, column),
    }


def as_markdown(table: Table) -> str:
    """One table as a section with a Markdown table, ending in a line end."""
    lines = [f"## {table.name}", "", table.about, "", f"Key: {', '.join(f'`{name}`' for name in table.key)}", ""]
    lines += [_row(_HEADINGS), _row("---" for _ in _HEADINGS)]
    for column in table.columns:
        cells = (column.kind.value, column.unit, column.about, column.group, column.references)
        lines.append(_row((f"`{column.name}`", *cells, ", ".join(filled_from(table, column)))))
    return "\n".join([*lines, ""])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
