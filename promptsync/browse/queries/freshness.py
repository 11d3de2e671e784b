"""What the page about freshness asks: the newest of every table, and what waits."""

from collections.abc import Iterable
from typing import Final

from promptsync.browse.queries.reader import BOUND, Reader, Row
from promptsync.browse.queries.state import NIGHTLY

_SNAPSHOT: Final = (
    'SELECT s."table" AS name, s.org_id AS org, s.as_of, s.rows, f.seen_at, f.inserted, f.updated, f.absent '
    'FROM sync_snapshot s LEFT JOIN sync_file f ON f.id = s.file_id WHERE s."table" = :name AND s.org_id = :org '
    "ORDER BY s.at DESC LIMIT 1"
)


def nightly(reader: Reader, orgs: Iterable[int]) -> list[Row]:
    """The newest export of every table: ``as_of``, ``seen_at`` (taken over), ``rows``, and what of it was new."""
    wanted = [(name, org) for org in orgs for name in NIGHTLY]
    return [row for name, org in wanted if (row := reader.row(_SNAPSHOT, name=name, org=org))]


def other_files(reader: Reader) -> list[Row]:
    """The same of tables that other files fill: of each the newest among the newest files."""
    held = ", ".join(f"'{name}'" for name in (*NIGHTLY, "org"))
    return reader.rows(
        'SELECT "table" AS name, max(id) AS id, seen_at, rows, inserted, updated, absent FROM sync_file '
        "WHERE id > (SELECT max(id) - :n FROM sync_file) AND state IN ('merged', 'unchanged') "
        f'AND "table" NOT IN ({held}) GROUP BY "table" ORDER BY "table"',
        n=BOUND,
    )


def waiting(reader: Reader) -> int:
    """Deliveries that are stored and not rows yet, counted to a bound."""
    open_ = "state <> 'applied' AND state = 'pending' AND id > 0"
    found: int = reader.value(f"SELECT count(*) FROM (SELECT 1 FROM sync_event WHERE {open_} LIMIT :n)", n=BOUND)
    return found
