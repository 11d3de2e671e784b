"""From declarations to DDL: tables, hidden columns, indexes, full-text search, views.

Owns the text of every CREATE and ALTER statement. Tables are STRICT; those with a composite key are WITHOUT ROWID.
References are declared, for labels and links, and not enforced: rows that refer to rows not yet known are normal. One
that leads to several rows, such as the versions of a campaign, can be no foreign key and is known to the model only.

Full-text search is an FTS5 table on the mirror's own text. New rows are entered by promptsync in batches
(store/search.py); a trigger takes an entry out before its text changes, so that the index may lag but is never wrong.
"""

from collections.abc import Iterator

from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.model import Column, Index, Role, Schema, Table, View


def statements(schema: Schema, existing: dict[str, set[str]]) -> Iterator[str]:
    """What brings a database with these tables (and their columns) to the declarations.

    Tables, columns and indexes are only ever added; views, which hold nothing, are made anew.
    """
    for table in schema:
        have = existing.get(table.name)
        if have is None:
            yield create_table(table, schema)
        else:
            yield from _missing_columns(table, schema, have)
        for index in table.all_indexes:
            yield create_index(index, table)
        if table.search and f"{table.name}_fts" not in existing:
            yield from _search(table)
    for view in schema.views:
        yield f"DROP VIEW IF EXISTS {quote(view.name)}"
        yield create_view(view)


def create_index(index: Index, table: Table, database: str = "") -> str:
    """The CREATE INDEX statement of a declared index. ``database``: the attached one that has the table, if not the
    mirror; in the mirror it may be there already."""
    on = ", ".join(quote(one) if one in table.by_name else one for one in index.on)
    name = f"{database}.{quote(index.name)}" if database else f"IF NOT EXISTS {quote(index.name)}"
    where = f" WHERE {index.condition}" if index.condition else ""
    return f"CREATE INDEX {name} ON {quote(table.name)} ({on}){where}"


def create_table(table: Table, schema: Schema) -> str:
    """The CREATE TABLE statement of a declared table, hidden columns included."""
    single = len(table.key) == 1
    lines = [_column(column, schema, primary=single and column.name in table.key) for column in table.columns]
    if table.role is Role.MIRROR:
        lines += [f"{quote(name)} {kind}" for name, kind in Layout(table).hidden()]
    if not single:
        lines.append(f"PRIMARY KEY ({names(table.key)})")
        lines += _composite_references(table, schema)
    options = "STRICT" if single else "STRICT, WITHOUT ROWID"
    return f"CREATE TABLE {quote(table.name)} (\n  " + ",\n  ".join(lines) + f"\n) {options}"


def create_view(view: View) -> str:
    """The CREATE VIEW statement of a declared view, every column of its table included, whenever it was added.

    A row is the newest of its kind if there is no newer one; the primary key answers that with one look-up.
    """
    conditions = [view.where] if view.where else []
    if view.newest:
        same = "".join(f"newer.{quote(c)} = a.{quote(c)} AND " for c in view.per)
        later = f"{same}newer.{quote(view.newest)} > a.{quote(view.newest)}"
        conditions.append(f"NOT EXISTS (SELECT 1 FROM {quote(view.table)} AS newer WHERE {later})")
    rows = f"SELECT a.* FROM {quote(view.table)} AS a WHERE ({') AND ('.join(conditions) or 'TRUE'})"
    return f"CREATE VIEW {quote(view.name)} AS {rows}"


def _column(column: Column, schema: Schema, *, primary: bool = False) -> str:
    text = f"{quote(column.name)} {column.kind.storage}"
    if primary:
        return f"{text} PRIMARY KEY"
    target = schema.target(column)
    if target and len(target.columns) == 1:
        text += f" REFERENCES {quote(target.name)} ({names(target.columns)})"
    return text


def _composite_references(table: Table, schema: Schema) -> Iterator[str]:
    """Foreign keys of several columns. They are made with the table only: no column can be added with one."""
    for column in table.columns:
        target = schema.target(column)
        if target is None or not target.whole or len(target.columns) == 1:
            continue
        ours = (*target.columns[:-1], column.name)
        if set(ours) <= table.by_name.keys():
            yield f"FOREIGN KEY ({names(ours)}) REFERENCES {quote(target.name)} ({names(target.columns)})"


def _missing_columns(table: Table, schema: Schema, have: set[str]) -> Iterator[str]:
    wanted = [(column.name, _column(column, schema)) for column in table.columns]
    if table.role is Role.MIRROR:
        wanted += [(name, f"{quote(name)} {kind}") for name, kind in Layout(table).hidden()]
    for name, definition in wanted:
        if name not in have:
            yield f"ALTER TABLE {quote(table.name)} ADD COLUMN {definition}"


def _search(table: Table) -> Iterator[str]:
    yield create_search(table, table.name)
    yield from triggers(table).values()


def create_search(table: Table, content: str) -> str:
    """The CREATE statement of a declared table's full-text index. ``content``: the table that has the text, if any."""
    return (
        f'CREATE VIRTUAL TABLE {quote(f"{table.name}_fts")} USING fts5({names(table.search)}, content="{content}", '
        f'content_rowid="{table.key[0]}", '
        "tokenize = 'unicode61 remove_diacritics 2')"
    )


def triggers(table: Table) -> dict[str, str]:
    """The triggers that keep the search of a declared table: name to CREATE TRIGGER statement."""
    if not table.search:
        return {}
    fts, key, columns = quote(f"{table.name}_fts"), quote(table.key[0]), names(table.search)
    changed_name, erased_name = f"{table.name}_fts_changed", f"{table.name}_fts_erased"
    entered = f"EXISTS (SELECT 1 FROM {quote(f'{table.name}_fts_docsize')} WHERE id = old.{key})"
    old = ", ".join(f"old.{quote(c)}" for c in table.search)
    take_out = f"INSERT INTO {fts} ({fts}, rowid, {columns}) VALUES ('delete', old.{key}, {old}); END"
    changed = " OR ".join(f"old.{quote(c)} IS DISTINCT FROM new.{quote(c)}" for c in table.search)
    return {
        changed_name: f"CREATE TRIGGER {quote(changed_name)} BEFORE UPDATE OF {columns} ON {quote(table.name)} "
        f"WHEN ({changed}) AND {entered} BEGIN {take_out}",
        erased_name: f"CREATE TRIGGER {quote(erased_name)} BEFORE DELETE ON {quote(table.name)} "
        f"WHEN {entered} BEGIN {take_out}",
    }
