"""Broadcasts: newest first, with what came of each beside what is usual."""

from typing import Any

from promptsync.browse.dates import iso
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.paging import part, position
from promptsync.browse.queries import broadcasts as ask
from promptsync.browse.queries.campaigns import mirrored
from promptsync.browse.queries.reader import PAGE, Row


def broadcasts(visit: Visit) -> Answer:
    """The list, or the same as a spreadsheet."""
    if visit.parts["format"]:
        return _sheet(visit)
    place = position(visit.query.get("after"))
    found = part(ask.page_of(visit.reader, place, PAGE, visit.org), PAGE, "start_timestamp", "id")
    values = {
        "rows": [ask.counts_of(dict(row)) for row in found.rows],
        "waiting": [] if place else ask.not_started(visit.reader, visit.org),
        "next": found.next,
        "usual": usual(ask.before(visit.reader, iso(visit.dates.now), visit.org)),
        "campaigns": mirrored(visit.reader),
        "now": iso(visit.dates.now),
    }
    return Shown("broadcasts.html", visit.say("broadcasts.title"), values)


def usual(rows: list[Row]) -> dict[str, Any]:
    """Of several broadcasts together: ``sent`` and ``all`` people, who ``replied``, ``failed``, ``outs``."""
    names = {"sent": "num_sent", "all": "num_contacts", "failed": "num_errors", "outs": "num_opt_outs"}
    found = {name: sum(row[column] or 0 for row in rows) for name, column in names.items()}
    return found | {"n": len(rows), "replied": sum(ask.counts_of(row)["replied"] or 0 for row in rows)}


def _sheet(visit: Visit) -> Sheet:
    names = ("name", "started", "people", "arrived", "failed", "replied", "opted_out", "skipped", "cancelled")
    columns = ("num_contacts", "num_sent", "num_errors", "replied", "num_opt_outs", "num_skipped", "num_canceled")

    def line(row: Row) -> list[object]:
        counts = ask.counts_of(row)
        return [row["description"], visit.dates.cell(row["start_timestamp"]), *(counts[name] for name in columns)]

    headings = [visit.say(f"broadcasts.{name}", zone=visit.dates.zone.key) for name in names]
    return sheet_of(
        "broadcasts",
        headings,
        lambda reader, place, size: ask.page_of(reader, place, size, visit.org),
        line,
        ("start_timestamp", "id"),
    )


PAGES = (Page(r"/-/broadcasts(\.(?P<format>csv|xlsx))?", broadcasts, section="broadcasts"),)
