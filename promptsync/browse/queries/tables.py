"""The statements that Datasette runs for its own pages, and that a start begins with.

Owns their text, and what there is beside the declared tables. Opens nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from datasette.utils import escape_sqlite  # type: ignore[import-untyped]

from promptsync.browse.queries.reader import Reader

TABLES: Final = (
    "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' "
    "ORDER BY 1, c.cid"
)
"""Every table with its columns, in their order."""


def other_tables(reader: Reader) -> list[str]:
    """Names of all tables and views but SQLite's and those of the search, which have rows of other tables."""
    rows = reader.rows(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT GLOB '*_fts*' "
        "AND name NOT GLOB 'sqlite_*' ORDER BY name"
    )
    return [row["name"] for row in rows]


def counts_of(sources: Iterable[tuple[str, Sequence[str]]]) -> str:
    """One row: of each table how many rows have, in these columns, the values bound to ``:k0``, ``:k1`` ..."""
    return "SELECT " + ", ".join(
        f"(SELECT count(*) FROM {escape_sqlite(table)} WHERE "
        + " AND ".join(f"{escape_sqlite(column)} = :k{place}" for place, column in enumerate(columns))
        + ")"
        for table, columns in sources
    )
