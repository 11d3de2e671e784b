"""Which messages did not arrive, why, and which numbers never work. Messages by us, notes apart."""

from collections.abc import Collection, Sequence
from typing import Final

from promptsync.browse.failures import LASTING
from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import LAST, Reader, Row, of_org, people

REASONS: Final = 100
LEAST: Final = 2
"""Failures for a lasting reason from which on a number counts as one that never works."""

_FAILED: Final = "is_successful = 0 AND is_outgoing = 1 AND is_whisper IS NOT 1"


def reasons(reader: Reader, since: str, until: str, org: int | None) -> list[Row]:
    """``code``, ``messages`` and ``people`` of each, the most frequent first; ``text``: the vendor's newest on it."""
    rows = reader.rows(
        "SELECT error_code AS code, count(*) AS messages, count(DISTINCT contact_id) AS people FROM message "
        f"WHERE {_FAILED} AND created_timestamp >= :since AND created_timestamp < :until{of_org(org)} "
        "GROUP BY error_code ORDER BY 2 DESC, 1 LIMIT :n",
        since=since,
        until=until,
        org=org,
        n=REASONS,
    )
    text = (
        f"SELECT error_message FROM message WHERE {_FAILED} AND created_timestamp >= :since "
        "AND created_timestamp < :until AND error_code IS :code ORDER BY created_timestamp DESC LIMIT 1"
    )
    return [row | {"text": reader.value(text, since=since, until=until, code=row["code"])} for row in rows]


def refused(reader: Reader, found: Sequence[Row], code: str, since: str, until: str, org: int | None) -> int:
    """To how many people messages failed with a code. ``found``: the reasons of the same time."""
    if len(found) < REASONS:
        return sum(row["people"] for row in found if row["code"] == code)
    return _count_refused(reader, code, since, until, org)


def _count_refused(reader: Reader, code: str, since: str, until: str, org: int | None) -> int:
    found: int = reader.value(
        f"SELECT count(DISTINCT contact_id) FROM message WHERE {_FAILED} AND error_code = :code "
        f"AND created_timestamp >= :since AND created_timestamp < :until{of_org(org)}",
        code=code,
        since=since,
        until=until,
        org=org,
    )
    return found


def never_working(reader: Reader, since: str, org: int | None, edge: Position | None, size: int) -> list[Row]:
    """``contact_id``, ``tries``, ``last`` and ``code`` of people whose number never works, the newest try first, each
    with its ``person``; one more than ``size``. Anything that has arrived there since, or came from there, is proof of
    the contrary."""
    codes = ", ".join(f"'{code}'" for code in LASTING)
    at, key = edge or (LAST, 0)
    rows = reader.rows(
        "WITH failed AS MATERIALIZED (SELECT contact_id, count(*) AS tries, max(created_timestamp) AS last, "
        f"error_code AS code FROM message WHERE {_FAILED} AND created_timestamp >= :since "
        f"AND error_code IN ({codes}) AND contact_id IS NOT NULL{of_org(org)} "
        f"GROUP BY +contact_id HAVING count(*) >= {LEAST}) "
        "SELECT * FROM failed f WHERE (f.last, f.contact_id) < (:at, :key) AND NOT EXISTS (SELECT 1 FROM message m "
        "WHERE m.contact_id = f.contact_id AND m.created_timestamp >= :since "
        "AND (m.is_successful = 1 OR m.is_outgoing = 0)) ORDER BY f.last DESC, f.contact_id DESC LIMIT :n",
        since=since,
        org=org,
        at=at,
        key=key,
        n=size + 1,
    )
    return with_people(reader, rows)


def with_people(reader: Reader, rows: Collection[Row]) -> list[Row]:
    """The rows, each with the ``person`` of its ``contact_id``."""
    who = people(reader, [row["contact_id"] for row in rows])
    return [row | {"person": who.get(row["contact_id"])} for row in rows]
