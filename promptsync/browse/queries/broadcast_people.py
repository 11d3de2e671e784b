"""Who is behind the numbers of a broadcast: lists of people by key, and the replies and opt-outs that came of it.

Owns what counts as a reply (it carries the broadcast's id; or no export has stated it yet, it came within 72 hours,
and nothing else was sent to the person in between) and as an opt-out after it (within 72 hours, and it was the last
broadcast that the person had got). The planner has no statistics: lists go by ``contact_id`` along one index.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from promptsync.browse.queries.consent import last_cast, opted_out
from promptsync.browse.queries.reader import Reader, Row, people

WHICH: Final = ("reached", "failed", "replied", "silent", "opted-out", "clicked")

_SENT: Final = "SELECT DISTINCT m.contact_id FROM message m WHERE m.broadcast_id = :id AND m.is_outgoing = 1"
_AFTER: Final = "m.contact_id > :after ORDER BY m.contact_id LIMIT :n"
_ANSWERED: Final = (
    "SELECT 1 FROM message r WHERE r.broadcast_id = :id AND r.is_outgoing = 0 AND r.contact_id = m.contact_id"
)
_KNOWN: Final = "SELECT value FROM json_each(:known)"
_LISTS: Final = {
    "reached": f"{_SENT} AND m.is_successful = 1 AND {_AFTER}",
    "failed": f"{_SENT} AND m.is_successful = 0 AND {_AFTER}",
    "silent": f"{_SENT} AND m.is_successful = 1 AND NOT EXISTS ({_ANSWERED}) AND m.contact_id NOT IN ({_KNOWN}) "
    f"AND {_AFTER}",
    "replied": (
        "SELECT contact_id FROM (SELECT DISTINCT m.contact_id FROM message m "
        f"WHERE m.broadcast_id = :id AND m.is_outgoing = 0 AND {_AFTER}) UNION SELECT value FROM json_each(:known) "
        "WHERE value > :after ORDER BY 1 LIMIT :n"
    ),
    "opted-out": "SELECT value FROM json_each(:known) WHERE value > :after ORDER BY 1 LIMIT :n",
    "clicked": (
        "SELECT DISTINCT contact_id FROM smartlink_click m WHERE m.broadcast_id = :id AND "
        "+m.contact_id > :after ORDER BY +m.contact_id LIMIT :n"
    ),
}


def ids_of(reader: Reader, id_: int, which: str, known: list[int], after: int, size: int) -> list[int]:
    """One more than ``size`` people of a list. ``known``: live repliers, or of the list of opt-outs its people."""
    values = {"id": id_, "after": after, "n": size + 1}
    if ":known" in _LISTS[which]:
        values["known"] = json.dumps(known)  # type: ignore[assignment]
    return [next(iter(row.values())) for row in reader.rows(_LISTS[which], **values)]


def described(reader: Reader, id_: int, which: str, ids: list[int], outs: Mapping[int, str]) -> list[Row]:
    """Each of these people with ``person``, ``at``, ``content`` and, of what failed, the code and message."""
    who = people(reader, ids)
    return [{"contact_id": key, "person": who[key], **_what(reader, id_, which, key, outs)} for key in ids]


def _what(reader: Reader, id_: int, which: str, contact: int, outs: Mapping[int, str]) -> Row:
    """What a person's line of a list says."""
    nothing = {"at": outs.get(contact), "content": None, "error_code": None, "error_message": None}
    if which == "opted-out":
        return nothing
    if which == "clicked":
        sql = "SELECT min(at) AS at FROM smartlink_click WHERE broadcast_id = :id AND contact_id = :contact"
        return nothing | (reader.row(sql, id=id_, contact=contact) or {})
    outcome = {"replied": "is_outgoing = 0", "failed": "is_outgoing = 1 AND is_successful = 0"}
    found = reader.row(
        "SELECT created_timestamp AS at, content, error_code, error_message FROM message "
        f"WHERE broadcast_id = :id AND {outcome.get(which, 'is_outgoing = 1 AND is_successful = 1')} "
        "AND contact_id = :contact ORDER BY +created_timestamp LIMIT 1",
        id=id_,
        contact=contact,
    )
    return nothing | (found or {})


def repliers(reader: Reader, id_: int) -> int:
    """How many people's replies carry its id."""
    sql = "SELECT count(DISTINCT contact_id) FROM message WHERE broadcast_id = :id AND is_outgoing = 0"
    found: int = reader.value(sql, id=id_)
    return found


def repliers_reached(reader: Reader, id_: int, known: list[int]) -> int:
    """How many of those who replied had got it: some reply to what did not arrive, by another way. ``known``: live
    repliers, whose replies do not carry its id."""
    carried = "SELECT DISTINCT contact_id FROM message WHERE broadcast_id = :id AND is_outgoing = 0"
    parts = (carried, "SELECT value AS contact_id FROM json_each(:known)")
    counts = (
        f"(SELECT count(*) FROM ({part}) r WHERE EXISTS (SELECT 1 FROM message m WHERE m.broadcast_id = :id "
        "AND m.is_outgoing = 1 AND m.is_successful = 1 AND m.contact_id = r.contact_id))"
        for part in parts
    )
    found: int = reader.value(f"SELECT {' + '.join(counts)}", id=id_, known=json.dumps(known))
    return found


def live_replies(reader: Reader, id_: int, since: str, until: str) -> dict[int, str]:
    """Who replied since the last export, and when first: ``until`` is 72 hours after it was sent."""
    sql = (
        "SELECT m.contact_id, min(m.created_timestamp) AS at FROM message m WHERE m.is_outgoing = 0 "
        "AND m.created_timestamp >= :since AND m.created_timestamp < :until "
        "AND m.broadcast_id IS NULL AND m.segments IS NULL AND :id = (SELECT o.broadcast_id FROM message o "
        "WHERE o.contact_id = m.contact_id AND o.created_timestamp <= m.created_timestamp AND o.is_outgoing = 1 "
        "AND o.is_whisper IS NOT 1 ORDER BY o.created_timestamp DESC LIMIT 1) GROUP BY m.contact_id"
    )
    rows = reader.rows(sql, id=id_, since=since, until=until)
    known = {row["contact_id"]: row["at"] for row in rows if row["contact_id"] is not None}
    carried = (
        "SELECT DISTINCT contact_id FROM message WHERE broadcast_id = :id AND is_outgoing = 0 AND contact_id IN ({ids})"
    )
    already = {row["contact_id"] for row in reader.among(carried, known, id=id_)}
    return {key: at for key, at in known.items() if key not in already}


def reply_hours(reader: Reader, id_: int, start: str) -> dict[int, int]:
    """How many people replied first in each hour since it started, of those whose replies carry its id."""
    theirs = "FROM message WHERE broadcast_id = :id AND is_outgoing = 0 GROUP BY contact_id"
    first = f"SELECT min(created_timestamp) AS at {theirs}"
    sql = (
        f"SELECT (strftime('%s', at) - strftime('%s', :start)) / 3600 AS hour, count(*) AS n FROM ({first}) GROUP BY 1"
    )
    rows: list[dict[str, Any]] = reader.rows(sql, id=id_, start=start)
    return {row["hour"]: row["n"] for row in rows if row["hour"] is not None}


def opted_out_after(reader: Reader, id_: int, since: str, until: str) -> dict[int, str]:
    """Who opted out after it, and when first."""
    each = f"SELECT contact_id, min(at) AS at FROM ({opted_out(None)}) GROUP BY contact_id"
    rows = reader.rows(
        f"SELECT f.contact_id, f.at FROM ({each}) f WHERE {last_cast('f.contact_id', 'f.at')} = :id",
        id=id_,
        since=since,
        until=until,
    )
    return {row["contact_id"]: row["at"] for row in rows}
