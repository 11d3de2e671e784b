"""What the start page asks: a week in numbers, the newest replies, broadcasts and opt-outs."""

from typing import Any, Final

from promptsync.browse.queries.consent import count_opted_out
from promptsync.browse.queries.reader import Reader, Row, names_of, of_org, people

REPLIES: Final = 8
BROADCASTS: Final = 5
_LOOKED_AT: Final = 60


def newest_message(reader: Reader, until: str, org: int | None) -> str | None:
    """The time of the newest message that is not later than ``until``."""
    sql = f"SELECT created_timestamp FROM message WHERE created_timestamp <= :until{of_org(org)} "
    found: str | None = reader.value(sql + "ORDER BY created_timestamp DESC LIMIT 1", until=until, org=org)
    return found


def week(reader: Reader, since: str, until: str, org: int | None) -> dict[str, int]:
    """``people`` who wrote, ``received``: their messages, ``sent``: ours without notes, ``failed``, ``opted_out``."""
    span: dict[str, Any] = {"since": since, "until": until, "org": org}
    when = f"created_timestamp >= :since AND created_timestamp < :until{of_org(org)}"
    received = reader.row(
        f"SELECT count(*) AS n, count(DISTINCT contact_id) AS people FROM message WHERE is_outgoing = 0 AND {when}",
        **span,
    )
    sent = f"SELECT count(*) FROM message WHERE is_outgoing = 1 AND is_whisper IS NOT 1 AND {when}"
    failed = f"SELECT count(*) FROM message WHERE is_successful = 0 AND {when}"
    return {
        "people": received["people"] if received else 0,
        "received": received["n"] if received else 0,
        "sent": reader.value(sent, **span),
        "failed": reader.value(failed, **span),
        "opted_out": count_opted_out(reader, since, until, org),
    }


def newest_replies(reader: Reader, until: str, org: int | None) -> list[Row]:
    """The newest message of each of the people who wrote last, with its ``person``, ``broadcast`` and ``answer``."""
    sql = (
        "SELECT id, created_timestamp, contact_id, content, broadcast_id, is_mms FROM message "
        f"WHERE is_outgoing = 0 AND created_timestamp <= :until{of_org(org)} ORDER BY created_timestamp DESC LIMIT :n"
    )
    newest: dict[Any, Row] = {}
    for row in reader.rows(sql, until=until, org=org, n=_LOOKED_AT):
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
        "SELECT created_timestamp, team_member_id, is_successful FROM message WHERE contact_id = :contact "
        "AND created_timestamp > :at AND is_outgoing = 1 AND broadcast_id IS NULL AND is_whisper IS NOT 1 "
        "ORDER BY created_timestamp LIMIT 1",
        contact=row["contact_id"],
        at=row["created_timestamp"],
    )


def newest_broadcasts(reader: Reader, until: str, org: int | None) -> list[Row]:
    """The broadcasts that started last."""
    sql = f"SELECT * FROM broadcast WHERE start_timestamp <= :until{of_org(org)} ORDER BY start_timestamp DESC LIMIT :n"
    return reader.rows(sql, until=until, org=org, n=BROADCASTS)
