"""Who of the staff answered, how soon, and who still waits.

Owns what an answer is: a message to one person alone, neither of a broadcast nor a note. What somebody writes waits for
the first answer after it; everything is counted within the time that is asked for. ``message_answered`` holds the
answers by member and time. Its members are read one look-up each, and the last of them is None: answers by nobody of
the staff, such as a bot's.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from promptsync.browse.queries.reader import Reader, Row, names_of, of_org, people

ANSWER: Final = "m.is_outgoing = 1 AND m.broadcast_id IS NULL AND m.is_whisper IS NOT 1"
"""Of a row ``m`` of ``message``; the condition of its index, word for word."""

_SECONDS: Final = 1.2  # of the page's two
_MEMBER: Final = f"SELECT min(m.team_member_id) FROM message m WHERE {ANSWER}"
_WHO: Final = (
    f"who(id) AS ({_MEMBER} UNION ALL "
    f"SELECT ({_MEMBER} AND m.team_member_id > who.id) FROM who WHERE who.id IS NOT NULL)"
)
_ANSWERS: Final = (
    f"who CROSS JOIN message m ON m.team_member_id IS who.id AND {ANSWER} "
    "AND m.created_timestamp >= :since AND m.created_timestamp < :until"
)
_WROTE: Final = (
    "message i WHERE i.is_outgoing = 0 AND i.created_timestamp >= :since AND i.created_timestamp < :until "
    "AND i.contact_id IS NOT NULL"
)
_NEWEST: Final = (
    "SELECT content, is_mms FROM message WHERE contact_id = :id AND is_outgoing = 0 "
    "AND created_timestamp >= :since AND created_timestamp < :until ORDER BY created_timestamp DESC LIMIT 1"
)


def members(reader: Reader, since: str, until: str, org: int | None) -> list[Row]:
    """``id`` (None: nobody of the staff), ``name``, ``sent`` and ``people``, who sent most first."""
    rows = reader.rows(
        f"WITH RECURSIVE {_WHO} SELECT who.id, count(*) AS sent, count(DISTINCT m.contact_id) AS people "
        f"FROM {_ANSWERS}{of_org(org, 'm.')} GROUP BY who.id ORDER BY 2 DESC, 1",
        since=since,
        until=until,
        org=org,
    )
    names = names_of(reader, "team_member", [row["id"] for row in rows])
    return [row | {"name": names.get(row["id"])} for row in rows]


@dataclass(frozen=True, slots=True)
class Activity:
    """What was said in a time. ``wrote``: by person, when they wrote, in order; ``answers``: when, to whom and by whom
    of the staff, in order."""

    wrote: dict[int, list[str]]
    answers: list[tuple[str, int | None, int | None]]


def activity(reader: Reader, since: str, until: str, org: int | None, seconds: float = _SECONDS) -> Activity | None:
    """What was said; None if it takes longer to read than this many seconds, 0: than the page may take."""
    values = {"since": since, "until": until, "org": org}
    answers = f"SELECT who.id AS id, m.contact_id AS contact, m.created_timestamp AS at FROM {_ANSWERS}"
    by_member = f"FROM (WITH RECURSIVE {_WHO} {answers}{of_org(org, 'm.')})"

    def lists() -> tuple[list[list[Any]], list[list[Any]]]:
        wrote = f"FROM {_WROTE}{of_org(org, 'i.')}"
        return (
            reader.columns(("i.contact_id", "i.created_timestamp"), wrote, **values),
            reader.columns(("at", "contact", "id"), by_member, **values),
        )

    read = reader.within(seconds, lists) if seconds else lists()
    if read is None:
        return None
    wrote: dict[int, list[str]] = {}
    for contact, at in zip(*read[0], strict=True):  # along the index, so in order of time
        wrote.setdefault(contact, []).append(at)
    return Activity(wrote, sorted(zip(*read[1], strict=True), key=itemgetter(0)))


def first_answers(said: Activity) -> dict[int | None, list[float]]:
    """By member: how many seconds each of their first answers took."""
    found: dict[int | None, list[float]] = {}
    last: dict[int | None, str] = {}
    for at, contact, id_ in said.answers:
        theirs = said.wrote.get(contact, ()) if contact is not None else ()
        first = bisect_left(theirs, last.get(contact, ""))
        if first < len(theirs) and theirs[first] < at and (seconds := _between(theirs[first], at)) is not None:
            found.setdefault(id_, []).append(seconds)
        last[contact] = at
    return found


def _between(begin: str, end: str) -> float | None:
    """Seconds; None if one of the two is no time."""
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    except (TypeError, ValueError):
        return None


def waiting(reader: Reader, said: Activity) -> list[tuple[str, int, int]]:
    """Since when who waits, with how many messages, the oldest first. Whoever has opted out waits for nothing."""
    last = {contact: at for at, contact, _ in said.answers}
    (out,) = reader.columns(
        ("id",),
        "FROM (SELECT id FROM contact WHERE is_opted_out = 1 "
        "UNION ALL SELECT contact_id FROM channel_opt_out WHERE opted_out = 1)",
    )
    left = {*out}
    found = []
    for contact, times in said.wrote.items():
        first = bisect_left(times, last.get(contact, ""))
        if first < len(times) and contact not in left:
            found.append((times[first], contact, len(times) - first))
    return sorted(found)


def described(reader: Reader, rows: Sequence[tuple[str, int, int]], since: str, until: str) -> list[Row]:
    """``at``, ``contact_id``, ``messages``, ``content``, ``is_mms`` and ``person`` of some who wait."""
    who = people(reader, [contact for _, contact, _ in rows])
    found: list[Row] = []
    for at, contact, messages in rows:
        newest = reader.row(_NEWEST, id=contact, since=since, until=until) or {"content": None, "is_mms": None}
        found.append({"at": at, "contact_id": contact, "messages": messages, "person": who[contact], **newest})
    return found
