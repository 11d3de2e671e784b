"""What was sent and what of it was charged, by month or day: summed from the numbers kept by day.

Notes are never counted: nobody but staff gets them.
"""

from typing import Final

from promptsync.browse.queries.reader import Reader, Row, of_org

_SENT: Final = "is_outgoing = 1"
_COLUMNS: Final = {
    "sent": ("messages", _SENT),
    "broadcasts": ("messages", f"{_SENT} AND is_broadcast = 1"),
    "pictures": ("messages", f"{_SENT} AND is_mms = 1"),
    "received": ("messages", "is_outgoing = 0"),
    "segments": ("segments", _SENT),
    "charged": ("segments", "is_billable = 1"),
    "charged_broadcasts": ("segments", "is_billable = 1 AND is_broadcast = 1"),
    "unknown": ("without_segments", _SENT),
}
_SUMS: Final = ", ".join(
    f"coalesce(sum({what}) FILTER (WHERE {where}), 0) AS {name}" for name, (what, where) in _COLUMNS.items()
)


def by_month(reader: Reader, since: str, until: str, org: int | None) -> list[Row]:
    """``span`` (2026-11) and the sums of each month with messages, newest first. Days: from ``since``, before
    ``until``."""
    return _by(reader, "substr(day, 1, 7)", since, until, org)


def by_day(reader: Reader, since: str, until: str, org: int | None) -> list[Row]:
    """The same of each day (2026-11-27)."""
    return _by(reader, "day", since, until, org)


def outcomes(reader: Reader, since: str, until: str, org: int | None) -> Row:
    """``sent``, ``arrived``, ``failed`` and ``open`` (not known yet): messages sent on these days."""
    states = {"arrived": "1", "failed": "0", "open": "-1"}
    sums = ", ".join(
        f"coalesce(sum(messages) FILTER (WHERE is_successful = {is_}), 0) AS {name}" for name, is_ in states.items()
    )
    found = reader.row(
        f"SELECT coalesce(sum(messages), 0) AS sent, {sums} FROM day_count WHERE day >= :since AND day < :until "
        f"AND {_SENT} AND is_whisper <> 1{of_org(org)}",
        since=since,
        until=until,
        org=org,
    )
    return found or dict.fromkeys(("sent", *states), 0)


def _by(reader: Reader, span: str, since: str, until: str, org: int | None) -> list[Row]:
    return reader.rows(
        f"SELECT {span} AS span, {_SUMS} FROM day_count WHERE day >= :since AND day < :until AND is_whisper <> 1"
        f"{of_org(org)} GROUP BY 1 ORDER BY 1 DESC",
        since=since,
        until=until,
        org=org,
    )
