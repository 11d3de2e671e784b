"""``promptsync schema``: the declared tables and views, for people (Markdown) and programs (JSON).

Owns the two spellings. Everything that is said comes from the declarations; needs no mirror, and a configuration only
for what plugins declare.
"""

from typing import Any

import click

from promptsync.cli.completion import tables
from promptsync.cli.context import App, print_json
from promptsync.cli.extended import schema_of
from promptsync.config.values import suggest
from promptsync.errors import ConfigError
from promptsync.model import Column, FilledBy, Role, Schema, Table, View

_HEADINGS = ("column", "type", "unit", "description", "group", "references", "from")
_INTRODUCTION = """\
# Tables and views

From: `export`, a column of the nightly files (webhooks that state it may be newer); `webhook`, told by webhooks only;
`Qlara`, its exports; `change set`, Customer.io's files; `promptsync`, its own book-keeping. Columns of one group are
always claimed together and share a version. Columns that begin with `_` are promptsync's: versions (`_<group>_at`),
`_absent_since` (the exports no longer have the row), `_rev` (revision of the last real change).
"""


@click.command()
@click.argument("table", required=False, shell_complete=tables)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def schema(app: App, table: str | None, as_json: bool) -> None:
    """Describe the tables and views, or one TABLE or view, as Markdown."""
    declared = schema_of(app.config_path)
    if table is None:
        if as_json:
            print_json([as_data(one) for one in declared])
        else:
            click.echo("\n".join([_INTRODUCTION, *(as_markdown(one) for one in declared)]), nl=False)
        return
    one = _named(declared, table)
    if as_json:
        print_json(view_as_data(one) if isinstance(one, View) else as_data(one))
    else:
        click.echo(view_as_markdown(one) if isinstance(one, View) else as_markdown(one), nl=False)


def _named(declared: Schema, name: str) -> Table | View:
    known: dict[str, Table | View] = {one.name: one for one in (*declared, *declared.views)}
    if name not in known:
        near = suggest(name, known)
        raise ConfigError(f"There is no table or view {name}{near or '.'} 'promptsync schema' lists them.")
    return known[name]


def filled_from(table: Table, column: Column) -> list[str]:
    """``export``, ``webhook``, ``Qlara``, ``change set`` or ``promptsync``; ``org_id`` may be from the first two."""
    if table.role is Role.OWN:
        return ["promptsync"]
    if table.filled_by is FilledBy.CHANGE_SET:
        return ["change set"]
    if table.filled_by is FilledBy.EXPORT:
        return [table.vendor]
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
        "views": [view_as_data(view) for view in table.views],
    }


def view_as_data(view: View) -> dict[str, Any]:
    """One view as plain data; its columns are its table's."""
    return {
        "view": view.name,
        "description": view.about,
        "of": view.table,
        "newest": view.newest or None,
        "per": list(view.per),
        "where": view.where or None,
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
    lines += [line for view in table.views for line in ("", f"View `{view.name}`: {view.about} {_rows_of(view)}")]
    return "\n".join([*lines, ""])


def view_as_markdown(view: View) -> str:
    """One view as a section, ending in a line end."""
    return f"## {view.name}\n\n{view.about}\n\nView of `{view.table}`, whose columns it has. {_rows_of(view)}\n"


def _rows_of(view: View) -> str:
    rows = f"Rows with `{view.where}`" if view.where else "Rows"
    per = ", ".join(f"`{column}`" for column in view.per)
    return f"{rows} with the newest `{view.newest}` of each {per}." if view.newest else f"{rows}."


def _row(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
