"""What the start page asks: a week in numbers, the newest replies, broadcasts and opt-outs."""

from typing import Any, Final

from promptsync.browse.queries.consent import count_opted_out
from promptsync.browse.queries.reader import Reader, Row, names_of, of_org, people
from promptsync.browse.queries.team import ANSWER

REPLIES: Final = 8
BROADCASTS: Final = 5
_LOOKED_AT: Final = 60


def newest_day(reader: Reader, until: str, org: int | None) -> str | None:
    """The last day on which there were messages, not later than ``until``."""
    sql = f"SELECT day FROM day_count WHERE day <= :until AND day <> ''{of_org(org)} ORDER BY day DESC LIMIT 1"
    found: str | None = reader.value(sql, until=until, org=org)
    return found


def week(reader: Reader, days: tuple[str, str], span: tuple[str, str], org: int | None) -> dict[str, int]:
    """``people`` who wrote, ``received``: their messages, ``sent``: ours without notes, ``failed``, ``opted_out``.

    ``days``: the first and the last, as dates; ``span``: the same, from an instant to before another.
    """
    counts = reader.row(
        "SELECT coalesce(sum(CASE WHEN is_outgoing = 0 THEN messages END), 0) AS received, "
        "coalesce(sum(CASE WHEN is_outgoing = 1 AND is_whisper <> 1 THEN messages END), 0) AS sent, "
        "coalesce(sum(CASE WHEN is_outgoing = 1 AND is_whisper <> 1 AND is_successful = 0 THEN messages END), 0) "
        f"AS failed FROM day_count WHERE day >= :first AND day <= :last{of_org(org)}",
        first=days[0],
        last=days[1],
        org=org,
    )
    (wrote,) = reader.columns(
        ("contact_id",),
        "FROM message WHERE is_outgoing = 0 AND created_timestamp >= :since AND created_timestamp < :until"
        f"{of_org(org)}",
        since=span[0],
        until=span[1],
        org=org,
    )
    return {"people": len({*wrote} - {None}), "opted_out": count_opted_out(reader, *span, org), **(counts or {})}


def newest_replies(reader: Reader, since: str, until: str, org: int | None) -> list[Row]:
    """The newest message since then of each of the people who wrote last, with its ``person``, ``broadcast`` and
    ``answer``."""
    sql = (
        "SELECT id, created_timestamp, contact_id, content, broadcast_id, is_mms FROM message "
        f"WHERE is_outgoing = 0 AND created_timestamp >= :since AND created_timestamp <= :until{of_org(org)} "
        "ORDER BY created_timestamp DESC LIMIT :n"
    )
    newest: dict[Any, Row] = {}
    for row in reader.rows(sql, since=since, until=until, org=org, n=_LOOKED_AT):
        newest.setdefault(row["contact_id"], row)
    found = list(newest.values())[:REPLIES]
    who = people(reader, [row["contact_id"] for row in found])
    broadcasts = names_of(reader, "broadcast", [row["broadcast_id"] for row in found])
    for row in found:
        row["person"] = who.get(row["contact_id"])
        row["broadcast"] = broadcasts.get(row["broadcast_id"])
        row["answer"] = _answer(reader, row)
    team = names_of(reader, "team_member", [row["answer"]["team_member_id"] for row in found if row["answer"]])
    for row in found:
        row["by"] = team.get(row["answer"]["team_member_id"]) if row["answer"] else None
    return found


def _answer(reader: Reader, row: Row) -> Row | None:
    """The first message to the person after it that somebody wrote to them alone."""
    return reader.row(
        "SELECT m.created_timestamp, m.team_member_id, m.is_successful FROM message m WHERE m.contact_id = :contact "
        f"AND m.created_timestamp > :at AND {ANSWER} ORDER BY m.created_timestamp LIMIT 1",
        contact=row["contact_id"],
        at=row["created_timestamp"],
    )


def newest_broadcasts(reader: Reader, until: str, org: int | None) -> list[Row]:
    """The broadcasts that started last."""
    sql = f"SELECT * FROM broadcast WHERE start_timestamp <= :until{of_org(org)} ORDER BY start_timestamp DESC LIMIT :n"
    return reader.rows(sql, until=until, org=org, n=BROADCASTS)
