"""Costs: what was sent and what of it is charged, month by month or day by day of one month."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Any, Final

from promptsync.browse.dates import date_of
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit
from promptsync.browse.queries import sending as ask
from promptsync.browse.queries.reader import Reader, Row

_MONTHS: Final = 12
_COLUMNS: Final = ("sent", "broadcasts", "pictures", "segments", "charged", "charged_broadcasts", "received", "unknown")


def costs(visit: Visit) -> Answer:
    """The page, or the same numbers as a spreadsheet."""
    month = date_of(f"{visit.query.get('month', '')}-01")
    rows = _days(visit, visit.reader, month) if month else _months(visit, visit.reader)
    if visit.parts["format"]:
        return _sheet(visit, rows, month)
    values = {
        "rows": rows,
        "columns": [name for name in _COLUMNS if name != "unknown" or any(row["unknown"] for row in rows)],
        "total": {name: sum(row[name] for row in rows) for name in _COLUMNS},
        "month": visit.query["month"] if month else "",
        "heading": _named(visit, month) if month else "",
        "so_far": bool(rows) and rows[0]["last"] >= visit.dates.today.isoformat(),
    }
    return Shown("costs.html", visit.say("costs.title"), values)


def _months(visit: Visit, reader: Reader) -> list[Row]:
    """The last twelve months, this one so far."""
    first = visit.dates.today.replace(day=1)
    for _ in range(_MONTHS - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    until = (visit.dates.today + timedelta(days=1)).isoformat()
    made = []
    for row in ask.by_month(reader, first.isoformat(), until, visit.org):
        begin = date.fromisoformat(f"{row['span']}-01")
        made.append(row | {"name": _named(visit, begin), "first": begin.isoformat(), "last": _last(begin).isoformat()})
    return made


def _days(visit: Visit, reader: Reader, month: date) -> list[Row]:
    """The days of one month on which there were messages."""
    until = _last(month) + timedelta(days=1) if month.year < date.max.year else date.max
    rows = ask.by_day(reader, month.isoformat(), until.isoformat(), visit.org)
    days = [row | {"first": row["span"], "last": row["span"]} for row in rows]
    return [day | {"name": visit.dates.day(date.fromisoformat(day["span"]))} for day in days]


def _last(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


def _named(visit: Visit, month: date) -> str:
    name = visit.words.lists["dates.months"][month.month - 1]
    return str(visit.say("costs.month", month=name, year=str(month.year)))


def _sheet(visit: Visit, rows: list[Row], month: date | None) -> Sheet:
    zone = visit.dates.zone.key
    headings = [visit.say("costs.day" if month else "costs.months", zone=zone)]
    headings += [visit.say(f"costs.columns.{name}") for name in _COLUMNS]

    def lines(_reader: Reader, _place: Any) -> tuple[list[list[object]], None]:
        return [[row["span"], *(row[name] for name in _COLUMNS)] for row in rows], None

    return Sheet(f"costs-{month:%Y-%m}" if month else "costs", headings, lines)


PAGES = (Page(r"/-/sending(\.(?P<format>csv|xlsx))?", costs, section="costs"),)
