"""What the list of broadcasts and a broadcast's report ask. Who is behind its numbers: ``broadcast_people``."""

from typing import Any, Final

from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import LAST, Reader, Row, names_of, of_org

USUAL: Final = 10
"""How many broadcasts before it say what is usual."""

_OPEN: Final = 20
_REASONS: Final = 40
_SENT: Final = "FROM message WHERE broadcast_id = :id AND is_outgoing = 1"
_COUNTS: Final = "num_contacts, num_sent, num_errors, num_opt_outs, num_responded, num_replied_to_reply"


def page_of(reader: Reader, place: Position | None, size: int, org: int | None) -> list[Row]:
    """One more than ``size`` broadcasts that have started, before a position; newest first."""
    at, key = place or (LAST, 0)
    sql = (
        f"SELECT * FROM broadcast WHERE (start_timestamp, id) < (:at, :key){of_org(org)} "
        "ORDER BY start_timestamp DESC, id DESC LIMIT :size"
    )
    return reader.rows(sql, at=at, key=key, size=size + 1, org=org)


def not_started(reader: Reader, org: int | None) -> list[Row]:
    """Broadcasts without a time at which they started, the newest few."""
    sql = f"SELECT * FROM broadcast WHERE start_timestamp IS NULL{of_org(org)} ORDER BY id DESC LIMIT :n"
    return reader.rows(sql, n=_OPEN, org=org)


def before(reader: Reader, start: str, org: int | None) -> list[Row]:
    """The counts of the broadcasts before a time, as far as the exports say any."""
    sql = (
        f"SELECT {_COUNTS} FROM broadcast WHERE start_timestamp < :start AND num_sent > 0{of_org(org)} "
        "ORDER BY start_timestamp DESC LIMIT :n"
    )
    return reader.rows(sql, start=start, n=USUAL, org=org)


def broadcast(reader: Reader, id_: int) -> Row | None:
    """The broadcast itself."""
    return reader.row("SELECT * FROM broadcast WHERE id = :id", id=id_)


def neighbours(reader: Reader, row: Row) -> dict[str, Row | None]:
    """``previous`` and ``next`` (id, description) by start, of the same organization."""
    if row["start_timestamp"] is None:
        return {"previous": None, "next": None}
    values = {"start": row["start_timestamp"], "org": row["org_id"]}
    select = "SELECT id, description FROM broadcast WHERE start_timestamp"
    return {
        "previous": reader.row(
            f"{select} < :start AND +org_id IS :org ORDER BY start_timestamp DESC LIMIT 1", **values
        ),
        "next": reader.row(f"{select} > :start AND +org_id IS :org ORDER BY start_timestamp LIMIT 1", **values),
    }


def arrived(reader: Reader, id_: int) -> dict[str, int]:
    """Its messages in this copy: ``total``, ``ok``, ``bad``. Counted along one index, of each kind the fewest rows."""
    found = reader.row(
        f"SELECT (SELECT count(*) {_SENT}) AS total, (SELECT count(*) {_SENT} AND is_successful = 0) AS bad, "
        f"(SELECT count(*) {_SENT} AND is_successful IS NULL) AS unknown",
        id=id_,
    )
    known = found or {"total": 0, "bad": 0, "unknown": 0}
    return {"total": known["total"], "ok": known["total"] - known["bad"] - known["unknown"], "bad": known["bad"]}


def people_reached(reader: Reader, id_: int) -> int:
    """How many people have got it, each once."""
    found: int = reader.value(f"SELECT count(DISTINCT contact_id) {_SENT} AND is_successful = 1", id=id_)
    return found


def reasons(reader: Reader, id_: int) -> list[Row]:
    """``error_code``, one ``error_message`` of it, and ``n`` messages that did not arrive."""
    by_code = (
        f"SELECT error_code, count(*) AS n {_SENT} AND is_successful = 0 GROUP BY error_code ORDER BY 2 DESC LIMIT :n"
    )
    text = f"SELECT error_message {_SENT} AND is_successful = 0 AND error_code IS :code LIMIT 1"
    return [
        row | {"error_message": reader.value(text, id=id_, code=row["error_code"])}
        for row in reader.rows(by_code, id=id_, n=_REASONS)
    ]


def example(reader: Reader, id_: int) -> str | None:
    """The text as one of its people got it."""
    found: str | None = reader.value(f"SELECT content {_SENT} AND content <> '' LIMIT 1", id=id_)
    return found


def clicks(reader: Reader, id_: int) -> dict[str, int]:
    """``clicks``, and the ``people`` who clicked."""
    sql = (
        "SELECT count(*) AS clicks, count(DISTINCT contact_id) AS people FROM smartlink_click WHERE broadcast_id = :id"
    )
    return reader.row(sql, id=id_) or {}


def targeted_lists(reader: Reader, row: Row) -> list[str]:
    """The names of the contact lists that it went to."""
    ids = [int(one) for one in (row["contact_list_ids"] or "").split(",") if one.strip().isdecimal()][:50]
    return list(names_of(reader, "contact_list", [id_ for id_ in ids if id_ < 1 << 63]).values())


def counts_of(row: Row) -> dict[str, Any]:
    """The vendor's counts of a broadcast with ``replied``, all who did."""
    told = [row["num_responded"], row["num_replied_to_reply"]]
    known = [count for count in told if count is not None]
    return row | {"replied": sum(known) if known else None}
