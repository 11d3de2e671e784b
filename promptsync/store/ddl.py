"""From declarations to DDL: tables, hidden columns, indexes, full-text search.

Owns the text of every CREATE and ALTER statement. Tables are STRICT; those with a composite key are WITHOUT ROWID.
References are declared, for labels and links, and not enforced: rows that refer to rows not yet known are normal.

Full-text search is an FTS5 table on the mirror's own text. New rows are entered by promptsync in batches
(store/search.py); a trigger takes an entry out before its text changes, so that the index may lag but never lies.
"""

from collections.abc import Iterator

from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.model import Column, Role, Schema, Table


def statements(schema: Schema, existing: dict[str, set[str]]) -> Iterator[str]:
    """What brings a database with these tables (and their columns) to the declarations. Only ever adds."""
    for table in schema:
        have = existing.get(table.name)
        if have is None:
            yield create_table(table, schema)
        else:
            yield from _missing_columns(table, schema, have)
        yield from _indexes(table)
        if table.search and f"{table.name}_fts" not in existing:
            yield from _search(table)


def create_table(table: Table, schema: Schema) -> str:
    """The CREATE TABLE statement of a declared table, hidden columns included."""
    single = len(table.key) == 1
    lines = [_column(column, schema, primary=single and column.name in table.key) for column in table.columns]
    if table.role is Role.MIRROR:
        lines += [f"{quote(name)} {kind}" for name, kind in Layout(table).hidden()]
    if not single:
        lines.append(f"PRIMARY KEY ({names(table.key)})")
    options = "STRICT" if single else "STRICT, WITHOUT ROWID"
    return f"CREATE TABLE {quote(table.name)} (\n  " + ",\n  ".join(lines) + f"\n) {options}"


def _column(column: Column, schema: Schema, *, primary: bool = False) -> str:
    text = f"{quote(column.name)} {column.kind.storage}"
    if primary:
        return f"{text} PRIMARY KEY"
    if column.references and column.references in schema:
        text += f" REFERENCES {quote(column.references)} ({names(schema[column.references].key)})"
    return text


def _missing_columns(table: Table, schema: Schema, have: set[str]) -> Iterator[str]:
    wanted = [(column.name, _column(column, schema)) for column in table.columns]
    if table.role is Role.MIRROR:
        wanted += [(name, f"{quote(name)} {kind}") for name, kind in Layout(table).hidden()]
    for name, definition in wanted:
        if name not in have:
            yield f"ALTER TABLE {quote(table.name)} ADD COLUMN {definition}"


def _indexes(table: Table) -> Iterator[str]:
    for columns in table.indexes:
        name = "_".join((table.name, *columns))
        yield f"CREATE INDEX IF NOT EXISTS {quote(name)} ON {quote(table.name)} ({names(columns)})"
    for column, condition in table.partial_indexes:
        name = quote(f"{table.name}_{column}_open")
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {quote(table.name)} ({quote(column)}) WHERE {condition}"


def _search(table: Table) -> Iterator[str]:
    fts, key = quote(f"{table.name}_fts"), quote(table.key[0])
    columns = names(table.search)
    yield (
        f'CREATE VIRTUAL TABLE {fts} USING fts5({columns}, content="{table.name}", content_rowid="{table.key[0]}", '
        "tokenize = 'unicode61 remove_diacritics 2')"
    )
    entered = f"EXISTS (SELECT 1 FROM {quote(f'{table.name}_fts_docsize')} WHERE id = old.{key})"
    old = ", ".join(f"old.{quote(c)}" for c in table.search)
    take_out = f"INSERT INTO {fts} ({fts}, rowid, {columns}) VALUES ('delete', old.{key}, {old}); END"
    changed = " OR ".join(f"old.{quote(c)} IS DISTINCT FROM new.{quote(c)}" for c in table.search)
    yield (
        f"CREATE TRIGGER {quote(f'{table.name}_fts_changed')} BEFORE UPDATE OF {columns} ON {quote(table.name)} "
        f"WHEN ({changed}) AND {entered} BEGIN {take_out}"
    )
    yield (
        f"CREATE TRIGGER {quote(f'{table.name}_fts_erased')} BEFORE DELETE ON {quote(table.name)} "
        f"WHEN {entered} BEGIN {take_out}"
    )
