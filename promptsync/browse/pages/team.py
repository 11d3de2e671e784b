"""Team: who of the staff answered and how soon, and who still waits for an answer."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any, Final

from promptsync.browse.dates import days_before
from promptsync.browse.labels import member_label, message_text, person_label
from promptsync.browse.page import SHEET_ROWS, Answer, Page, Sheet, Shown, Visit
from promptsync.browse.paging import part, position
from promptsync.browse.queries import team as ask
from promptsync.browse.queries.reader import PAGE, Reader, Row

_CHOICES: Final = ("7", "30", "90")
_USUAL: Final = "30"
_HELD: Final = 60  # seconds that these may be old, where there are many messages


def team(visit: Visit) -> Answer:
    """The page, or who waits as a spreadsheet."""
    days = visit.query.get("days", "")
    days = days if days in _CHOICES else _USUAL
    first, after = days_before(visit.dates.today, int(days)), visit.dates.today + timedelta(days=1)
    span = visit.dates.begin(first), visit.dates.begin(after)
    if visit.parts["format"]:
        return _sheet(visit, span)
    found = visit.reader.held(_HELD, ("team", span, visit.org), lambda: _found(visit, span))
    edge = position(visit.query.get("after"))
    begin = bisect_right(found.waiting, edge, key=lambda one: one[:2]) if edge else 0
    rows = ask.described(visit.reader, found.waiting[begin : begin + PAGE + 1], *span)
    waiting = part(rows, PAGE, "at", "contact_id")
    values = {
        "days": days,
        "choices": _CHOICES,
        "first": visit.dates.day(first),
        "last": visit.dates.day(visit.dates.today),
        "span": {"from_": first.isoformat(), "to": visit.dates.today.isoformat()},
        "members": found.members,
        "timed": found.complete,
        "known": found.complete,
        "waiting": waiting.rows,
        "total": len(found.waiting),
        "next": waiting.next,
    }
    return Shown("team.html", visit.say("team.title"), values)


@dataclass(frozen=True, slots=True)
class _Found:
    """``members``, each with ``label`` and ``usual``: how long people wait for a first answer, "" if that is not known.
    ``waiting``: since when who waits. ``complete``: whether there were not too many messages to tell."""

    members: list[dict[str, Any]]
    waiting: list[tuple[str, int, int]]
    complete: bool


def _found(visit: Visit, span: tuple[str, str]) -> _Found:
    said = ask.activity(visit.reader, *span, visit.org)
    waits = ask.first_answers(said) if said else {}
    members = []
    for row in ask.members(visit.reader, *span, visit.org):
        usual = visit.dates.span(median(waits[row["id"]])) if row["id"] in waits else ""
        members.append({**row, "label": member_label(visit.words, row["name"], row["id"]), "usual": usual})
    return _Found(members, ask.waiting(visit.reader, said) if said else [], said is not None)


def _sheet(visit: Visit, span: tuple[str, str]) -> Sheet:
    """Everyone who waits. A sheet cannot say what it lacks, so it takes the time of the whole page."""
    keys = ("people.name", "people.phone", "team.since_zone", "team.messages", "sheet.text")
    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]
    said = ask.activity(visit.reader, *span, visit.org, seconds=0)
    waiting = ask.waiting(visit.reader, said) if said else []

    def lines(reader: Reader, begin: int | None) -> tuple[list[list[object]], int | None]:
        first = begin or 0
        rows = ask.described(reader, waiting[first : first + SHEET_ROWS], *span)
        after = first + SHEET_ROWS if len(waiting) > first + SHEET_ROWS else None
        return [_line(visit, row) for row in rows], after

    return Sheet("waiting-for-an-answer", headings, lines)


def _line(visit: Visit, row: Row) -> list[object]:
    person = row["person"]
    text = message_text(visit.words, row)
    named = [person_label(visit.words, person), person["phone"]]
    return [*named, visit.dates.cell(row["at"]), row["messages"], text]


PAGES = (Page(r"/-/team(\.(?P<format>csv|xlsx))?", team),)
