"""Delivery: how much arrived, why the rest did not and what to do about it, and which numbers never work."""

from datetime import timedelta
from typing import Final

from promptsync.browse.dates import days_before
from promptsync.browse.failures import OPTED_OUT, failure
from promptsync.browse.labels import person_label
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.paging import part, position
from promptsync.browse.queries import delivery as ask
from promptsync.browse.queries import sending
from promptsync.browse.queries.reader import PAGE, Row

_CHOICES: Final = ("7", "30", "90")
_USUAL: Final = "30"
_NEVER_DAYS: Final = 90


def delivery(visit: Visit) -> Answer:
    """The page, or the numbers that never work as a spreadsheet."""
    if visit.parts["format"]:
        return _sheet(visit)
    dates, reader = visit.dates, visit.reader
    days = visit.query.get("days", "")
    days = days if days in _CHOICES else _USUAL
    first, after = days_before(dates.today, int(days)), dates.today + timedelta(days=1)
    since, until = dates.begin(first), dates.begin(after)
    found = ask.never_working(reader, _never_since(visit), visit.org, position(visit.query.get("after")), PAGE)
    never = part(found, PAGE, "last", "contact_id")
    reasons = ask.reasons(reader, since, until, visit.org)
    values = {
        "days": days,
        "choices": _CHOICES,
        "first": dates.day(first),
        "last": dates.day(dates.today),
        "span": {"from_": first.isoformat(), "to": dates.today.isoformat()},
        "counts": sending.outcomes(reader, first.isoformat(), after.isoformat(), visit.org),
        "reasons": [row | {"why": _why(visit, row)} for row in reasons],
        "refused": ask.refused(reader, reasons, OPTED_OUT, since, until, visit.org),
        "never": [row | {"why": _why(visit, row)} for row in map(dict, never.rows)],
        "next": never.next,
    }
    return Shown("delivery.html", visit.say("delivery.title"), values)


def _never_since(visit: Visit) -> str:
    return visit.dates.begin(days_before(visit.dates.today, _NEVER_DAYS))


def _why(visit: Visit, row: Row) -> object:
    return failure(visit.words, row["code"], row.get("text"))


def _sheet(visit: Visit) -> Sheet:
    """Whoever's number never works. Those who have opted out are among them, and said to be."""
    since = _never_since(visit)
    keys = ("people.name", "people.phone", "people.out", "delivery.tries", "delivery.reason", "delivery.last_in")

    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]
    return sheet_of(
        "numbers-that-never-work",
        headings,
        lambda reader, place, size: ask.never_working(reader, since, visit.org, place, size),
        lambda row: _line(visit, row),
        ("last", "contact_id"),
    )


def _line(visit: Visit, row: Row) -> list[object]:
    person, why = row["person"], failure(visit.words, row["code"], None)
    consent = visit.say(f"people.consent.{person['out']}")
    named = [person_label(visit.words, person), person["phone"], consent]
    return [*named, row["tries"], str(why), visit.dates.cell(row["last"])]


PAGES = (Page(r"/-/delivery(\.(?P<format>csv|xlsx))?", delivery, section="delivery"),)
