"""Lists of messages: from them, from us, or those that did not arrive; in a time, of a broadcast. Newest first."""

from dataclasses import dataclass
from typing import Final

from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import BOUND, LAST, Reader, Row, names_of, of_org, people
from promptsync.browse.queries.team import ANSWER

_COLUMNS: Final = (
    "m.id, m.created_timestamp, m.contact_id, m.content, m.is_outgoing, m.is_successful, m.error_code, "
    "m.error_message, m.broadcast_id, m.team_member_id, m.is_mms, m.is_whisper"
)
_WAYS: Final = {
    "in": "m.is_outgoing = 0",
    "out": "m.is_outgoing = 1 AND m.is_whisper IS NOT 1",
    "failed": "m.is_successful = 0 AND m.is_outgoing = 1 AND m.is_whisper IS NOT 1",
    "": "m.is_whisper IS NOT 1",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """``way``: in, out, failed, or "" for all but notes; from ``since`` to before ``until``; of a broadcast.

    ``member``: answers of that member of the team alone; 0: those of nobody of the staff.
    """

    way: str = ""
    since: str = ""
    until: str = LAST
    broadcast: int | None = None
    member: int | None = None
    org: int | None = None


def page_of(reader: Reader, wanted: Wanted, place: Position | None, size: int) -> list[Row]:
    """One more than ``size`` messages before a position, each with ``person``, ``sender`` and ``broadcast``."""
    at, key = place or (wanted.until, -1)
    plus = "+" if wanted.broadcast is not None else ""
    sql = (
        f"SELECT {_COLUMNS} FROM message m WHERE {_conditions(wanted)} "
        f"AND ({plus}m.created_timestamp, m.id) < (:at, :key) AND {plus}m.created_timestamp >= :since "
        f"ORDER BY {plus}m.created_timestamp DESC, m.id DESC LIMIT :size"
    )
    found = reader.rows(sql, **_values(wanted), at=at, key=key, size=size + 1)
    who = people(reader, [row["contact_id"] for row in found])
    team = names_of(reader, "team_member", [row["team_member_id"] for row in found])
    casts = names_of(reader, "broadcast", [row["broadcast_id"] for row in found])
    for row in found:
        row["person"] = who.get(row["contact_id"])
        row["sender"] = team.get(row["team_member_id"])
        row["broadcast"] = casts.get(row["broadcast_id"])
    return found


def count_of(reader: Reader, wanted: Wanted) -> int:
    """How many, to a bound."""
    sql = (
        f"SELECT count(*) FROM (SELECT 1 FROM message m WHERE {_conditions(wanted)} "
        f"AND m.created_timestamp >= :since AND m.created_timestamp < :until LIMIT {BOUND})"
    )
    found: int = reader.value(sql, **_values(wanted))
    return found


def _conditions(wanted: Wanted) -> str:
    if wanted.member is not None:
        return f"{ANSWER} AND m.team_member_id IS nullif(:member, 0){of_org(wanted.org, 'm.')}"
    of_broadcast = "" if wanted.broadcast is None else " AND m.broadcast_id = :broadcast"
    return f"{_WAYS[wanted.way]}{of_broadcast}{of_org(wanted.org, 'm.')}"


def _values(wanted: Wanted) -> dict[str, object]:
    return {
        "since": wanted.since,
        "until": wanted.until,
        "broadcast": wanted.broadcast,
        "member": wanted.member,
        "org": wanted.org,
    }
