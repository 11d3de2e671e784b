"""Team: who of the staff answered and how soon, and who still waits for an answer."""

from datetime import timedelta
from statistics import median
from typing import Any, Final

from promptsync.browse.dates import days_before
from promptsync.browse.labels import member_label, message_text, person_label
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.paging import part, position
from promptsync.browse.queries import team as ask
from promptsync.browse.queries.reader import PAGE, Row

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
    reader, edge = visit.reader, position(visit.query.get("after"))
    members = reader.held(_HELD, ("members", span, visit.org), lambda: _members(visit, span))
    found = reader.held(
        _HELD, ("waiting", span, visit.org, edge), lambda: ask.waiting(reader, *span, visit.org, edge, PAGE)
    )
    waiting = part(found or [], PAGE, "at", "contact_id")
    values = {
        "days": days,
        "choices": _CHOICES,
        "first": visit.dates.day(first),
        "last": visit.dates.day(visit.dates.today),
        "span": {"from_": first.isoformat(), "to": visit.dates.today.isoformat()},
        "members": members,
        "timed": all(one["timed"] for one in members),
        "known": found is not None,
        "waiting": waiting.rows,
        "total": found[0]["total"] if found else 0,
        "next": waiting.next,
    }
    return Shown("team.html", visit.say("team.title"), values)


def _members(visit: Visit, span: tuple[str, str]) -> list[dict[str, Any]]:
    """Each with ``label``, ``usual``: how long people wait for a first answer, "" if that is not known, and ``timed``:
    whether answers could be timed at all."""
    answered = ask.first_answers(visit.reader, *span, visit.org)
    found = []
    for row in ask.members(visit.reader, *span, visit.org):
        theirs = (answered or {}).get(row["id"])
        usual = visit.dates.span(median(theirs)) if theirs else ""
        label = member_label(visit.words, row["name"], row["id"])
        found.append({**row, "label": label, "usual": usual, "timed": answered is not None})
    return found


def _sheet(visit: Visit, span: tuple[str, str]) -> Sheet:
    keys = ("people.name", "people.phone", "team.since_zone", "team.messages", "sheet.text")
    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]

    return sheet_of(
        "waiting-for-an-answer",
        headings,
        lambda reader, place, size: ask.all_waiting(reader, *span, visit.org, place, size),
        lambda row: _line(visit, row),
        ("at", "contact_id"),
    )


def _line(visit: Visit, row: Row) -> list[object]:
    person = row["person"]
    text = message_text(visit.words, row)
    named = [person_label(visit.words, person), person["phone"]]
    return [*named, visit.dates.cell(row["at"]), row["messages"], text]


PAGES = (Page(r"/-/team(\.(?P<format>csv|xlsx))?", team),)
