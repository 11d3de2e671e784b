"""Opt-outs: how many people left in each week and how, and who, with the broadcast that they got last."""

from datetime import date, timedelta
from typing import Any, Final

from promptsync.browse import charts
from promptsync.browse.labels import person_label
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.paging import part, position, whole
from promptsync.browse.queries import opt_outs as ask
from promptsync.browse.queries.reader import PAGE, Row, names_of

_WEEKS: Final = 26
_COLUMNS: Final = (*ask.WAYS, "unknown")
_HELD: Final = 60  # seconds that the weeks may be old, where there are many people
_LABELLED: Final = 4  # every fourth week


def opt_outs(visit: Visit) -> Answer:
    """The page, or the people as a spreadsheet."""
    by = visit.query.get("by", "")
    by = by if by in ask.WAYS else ""
    cast = whole(visit.query.get("after"))
    if visit.parts["format"]:
        return _sheet(visit, by, cast)
    found = part(
        ask.page_of(visit.reader, by, cast, visit.org, position(visit.query.get("next")), PAGE),
        PAGE,
        "at",
        "contact_id",
    )
    weeks = _weeks(visit)
    total = sum(sum(counts.values()) for counts in weeks.values())
    values = {
        "weeks": [(visit.dates.day(week), counts) for week, counts in sorted(weeks.items(), reverse=True)],
        "columns": [name for name in _COLUMNS if name != "unknown" or any(c["unknown"] for c in weeks.values())],
        "total": total,
        "chart": _chart(visit, weeks, total) if total else "",
        "people": found.rows,
        "next": found.next,
        "by": by,
        "ways": tuple(ask.WAYS),
        "cast": cast,
        "cast_name": _name(visit, cast) if cast else "",
        "kept": {"by": by, "after": cast},
    }
    return Shown("opt_outs.html", visit.say("opt_outs.title"), values)


def _weeks(visit: Visit) -> dict[date, dict[str, int]]:
    """People by the Monday of their week, and by how."""
    monday = visit.dates.today - timedelta(days=visit.dates.today.weekday())
    mondays = [monday - timedelta(weeks=n) for n in reversed(range(-1, _WEEKS))]
    weeks = {day: dict.fromkeys(_COLUMNS, 0) for day in mondays[:-1]}
    ways = {row: way for way, row in ask.WAYS.items()}
    begins = [visit.dates.begin(day) for day in mondays]
    counted = visit.reader.held(
        _HELD, ("weeks", begins[0], visit.org), lambda: ask.by_week(visit.reader, begins, visit.org)
    )
    for type_, numbers in counted.items():
        for week, n in zip(weeks.values(), numbers, strict=True):
            week[ways.get(type_ or "", "unknown")] += n
    return weeks


def _chart(visit: Visit, weeks: dict[date, dict[str, int]], total: int) -> Any:
    ordered = sorted(weeks.items())
    stop = [counts["stop"] for _, counts in ordered]
    other = [sum(counts.values()) - counts["stop"] for _, counts in ordered]
    series = [
        charts.Series("first", visit.say("opt_outs.by.stop"), stop),
        charts.Series("second", visit.say("opt_outs.otherwise"), other),
    ]
    labels = [visit.dates.day(week) for week, _ in ordered]
    about = visit.say("opt_outs.chart_about", n=total)
    return charts.columns("weeks", visit.say("opt_outs.chart"), about, labels, series, _LABELLED)


def _name(visit: Visit, cast: int) -> str:
    named = names_of(visit.reader, "broadcast", [cast]).get(cast)
    return named or visit.say("broadcast.numbered", id=str(cast))


def _sheet(visit: Visit, by: str, cast: int | None) -> Sheet:
    keys = ("people.name", "people.phone", "sheet.when", "opt_outs.how", "opt_outs.last_got", "opt_outs.how_long")
    headings = [visit.say(key, zone=visit.dates.zone.key) for key in (*keys, "people.out")]

    return sheet_of(
        "opt-outs",
        headings,
        lambda reader, place, size: ask.page_of(reader, by, cast, visit.org, place, size),
        lambda row: _line(visit, row),
        ("at", "contact_id"),
    )


def _line(visit: Visit, row: Row) -> list[object]:
    person, after = row["person"], row["after"]
    how = {row_: way for way, row_ in ask.WAYS.items()}.get(row["type"], "unknown")
    named = (after["name"] or after["broadcast_id"]) if after else ""
    span = visit.dates.between(after["created_timestamp"], row["at"]) if after else ""
    cells = [person_label(visit.words, person), person["phone"], visit.dates.cell(row["at"])]
    return [*cells, visit.say(f"opt_outs.by.{how}"), named, span, visit.say(f"people.consent.{person['out']}")]


PAGES = (Page(r"/-/opt-outs(\.(?P<format>csv|xlsx))?", opt_outs, section="opt_outs"),)
