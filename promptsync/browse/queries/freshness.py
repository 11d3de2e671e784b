"""How current the copy is, for the line that every page ends with and for the page about it: the newest of every table,
and what waits. The line takes a handful of look-ups by index."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from promptsync.browse.queries.reader import BOUND, Reader, Row

NIGHTLY: Final = ("contact", "contact_data", "contact_tag", "opt_out", "opt_in", "message", "broadcast")
"""The exported tables that staff work with."""

SILENT: Final = timedelta(minutes=15)
"""How old the service's last look may be: three times as long as it takes from one to the next."""

_NEWEST: Final = 'SELECT as_of FROM sync_snapshot WHERE "table" = :name AND org_id = :org ORDER BY at DESC LIMIT 1'
_LIVE: Final = "SELECT received_at FROM sync_event ORDER BY received_at DESC LIMIT 1"
_FILE: Final = "SELECT seen_at FROM sync_file WHERE +state IN ('merged', 'unchanged') ORDER BY id DESC LIMIT 1"
_SNAPSHOT: Final = (
    'SELECT s."table" AS name, s.org_id AS org, s.as_of, s.rows, f.seen_at, f.inserted, f.updated, f.absent '
    'FROM sync_snapshot s LEFT JOIN sync_file f ON f.id = s.file_id WHERE s."table" = :name AND s.org_id = :org '
    "ORDER BY s.at DESC LIMIT 1"
)


def exported_until(reader: Reader, orgs: Iterable[int]) -> str | None:
    """The oldest of the newest snapshots: everything up to then is here. None without nightly exports."""
    found = (reader.value(_NEWEST, name=name, org=org) for org in orgs for name in NIGHTLY)
    return min((as_of for as_of in found if as_of), default=None)


def live_until(reader: Reader) -> str | None:
    """When the newest delivery was received."""
    found: str | None = reader.value(_LIVE)
    return found


def found_by_service(reader: Reader) -> dict[str, Any] | None:
    """What the running service put down when it last looked: ``at``, ``problems``, ``places``. None: never, or not
    readable."""
    text = reader.value("SELECT value FROM sync_state WHERE name = 'status'")
    try:
        found = json.loads(text or "")
        return {
            "at": str(found["at"]),
            "problems": [str(problem) for problem in found["problems"]],
            "places": [
                {name: str(place[name] or "") for name in ("name", "last_success")} for place in found["places"]
            ],
        }
    except (ValueError, TypeError, KeyError):
        return None


def taken_over(reader: Reader) -> str | None:
    """When a file was last taken over, whoever's it is."""
    found: str | None = reader.value(_FILE)
    return found


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
