"""Who of the staff answered, how soon, and who still waits.

Owns what an answer is: a message to one person alone, neither of a broadcast nor a note. What somebody writes waits for
the first answer after it; everything is counted within the time that is asked for. ``message_answered`` holds the
answers by member and time. Its members are read one look-up each, and the last of them is None: answers by nobody of
the staff, such as a bot's.
"""

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


def first_answers(reader: Reader, since: str, until: str, org: int | None) -> list[Row] | None:
    """``id`` of the member and ``seconds`` of every first answer; None if it takes too long to tell."""
    own = "(PARTITION BY contact_id ORDER BY at, answer DESC"
    return reader.rows_within(
        _SECONDS,
        f"WITH RECURSIVE {_WHO}, said AS (SELECT i.contact_id, i.created_timestamp AS at, 0 AS answer, NULL AS id "
        f"FROM {_WROTE}{of_org(org, 'i.')} UNION ALL SELECT m.contact_id, m.created_timestamp, 1, who.id "
        f"FROM {_ANSWERS}{of_org(org, 'm.')}), "
        f"turns AS (SELECT *, lag(answer, 1, 1) OVER {own}) AS quiet FROM said), "
        f"changes AS (SELECT *, lag(at) OVER {own}) AS begin FROM turns WHERE answer <> quiet) "
        "SELECT id, (julianday(at) - julianday(begin)) * 86400 AS seconds FROM changes "
        "WHERE answer AND julianday(at) IS NOT NULL AND julianday(begin) IS NOT NULL",
        since=since,
        until=until,
        org=org,
    )


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
