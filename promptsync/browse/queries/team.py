"""Who of the staff answered, how soon, and who still waits.

Owns what an answer is: a message to one person alone, neither of a broadcast nor a note. What somebody writes waits for
the first answer after it; everything is counted within the time that is asked for. ``message_answered`` holds the
answers by member and time. Its members are read one look-up each, and the last of them is None: answers by nobody of
the staff, such as a bot's.
"""

from bisect import bisect_left
from datetime import datetime
from operator import itemgetter
from typing import Final

from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import Reader, Row, names_of, of_org, people

ANSWER: Final = "m.is_outgoing = 1 AND m.broadcast_id IS NULL AND m.is_whisper IS NOT 1"
"""Of a row ``m`` of ``message``; the condition of its index, word for word."""

_SECONDS: Final = 0.8  # of the page's two, for each of the two statements that read a whole time
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


def first_answers(reader: Reader, since: str, until: str, org: int | None) -> dict[int | None, list[float]] | None:
    """By member: how many seconds each of their first answers took; None if it takes too long to tell."""
    values = {"since": since, "until": until, "org": org}
    answers = f"SELECT who.id AS id, m.contact_id AS contact, m.created_timestamp AS at FROM {_ANSWERS}"
    ordered = f"FROM (WITH RECURSIVE {_WHO} {answers}{of_org(org, 'm.')})"
    read = reader.within(
        _SECONDS,
        lambda: (
            reader.columns(("i.contact_id", "i.created_timestamp"), f"FROM {_WROTE}{of_org(org, 'i.')}", **values),
            reader.columns(("contact", "at", "id"), ordered, **values),
        ),
    )
    if read is None:
        return None
    wrote: dict[int, list[str]] = {}
    for contact, at in zip(*read[0], strict=True):  # along the index, so in order of time
        wrote.setdefault(contact, []).append(at)
    found: dict[int | None, list[float]] = {}
    last: dict[int, str] = {}
    for contact, at, id_ in sorted(zip(*read[1], strict=True), key=itemgetter(1)):
        theirs = wrote.get(contact, ())
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


def waiting(
    reader: Reader, since: str, until: str, org: int | None, edge: Position | None, size: int
) -> list[Row] | None:
    """``contact_id``, ``at`` (since when), ``messages``, ``total`` (of people), ``content``, ``is_mms`` and ``person``
    of one more than ``size`` who wait, the oldest first; None if it takes too long to tell. Whoever has opted out
    waits for nothing."""
    rows = reader.rows_within(_SECONDS, _waiting(org), **_values(since, until, org, edge, size))
    return None if rows is None else _described(reader, rows, since, until)


def all_waiting(reader: Reader, since: str, until: str, org: int | None, edge: Position | None, size: int) -> list[Row]:
    """The same for a spreadsheet, which cannot say what it lacks: it takes the time of the whole page, and raises
    sqlite3.OperationalError beyond that."""
    rows = reader.rows(_waiting(org), **_values(since, until, org, edge, size))
    return _described(reader, rows, since, until)


def _waiting(org: int | None) -> str:
    return (
        f"WITH RECURSIVE {_WHO}, answered AS MATERIALIZED (SELECT m.contact_id, max(m.created_timestamp) AS at "
        f"FROM {_ANSWERS}{of_org(org, 'm.')} GROUP BY m.contact_id), "
        "waiting AS MATERIALIZED (SELECT i.contact_id, min(i.created_timestamp) AS at, count(*) AS messages "
        f"FROM {_WROTE.replace(' WHERE', ' LEFT JOIN answered a ON a.contact_id = i.contact_id WHERE', 1)}"
        f"{of_org(org, 'i.')} AND i.created_timestamp >= ifnull(a.at, '') AND NOT EXISTS (SELECT 1 FROM contact p "
        "WHERE p.id = i.contact_id AND p.is_opted_out = 1) AND NOT EXISTS (SELECT 1 FROM channel_opt_out c "
        "WHERE c.contact_id = i.contact_id AND c.opted_out = 1) GROUP BY +i.contact_id) "
        "SELECT w.*, (SELECT count(*) FROM waiting) AS total FROM waiting w "
        "WHERE (w.at, w.contact_id) > (:at, :key) ORDER BY w.at, w.contact_id LIMIT :n"
    )


def _values(since: str, until: str, org: int | None, edge: Position | None, size: int) -> dict[str, object]:
    at, key = edge or ("", -1)
    return {"since": since, "until": until, "org": org, "at": at, "key": key, "n": size + 1}


def _described(reader: Reader, rows: list[Row], since: str, until: str) -> list[Row]:
    who = people(reader, [row["contact_id"] for row in rows])
    for row in rows:
        row.update(reader.row(_NEWEST, id=row["contact_id"], since=since, until=until) or {})
        row["person"] = who[row["contact_id"]]
    return rows
