"""Freshness: whether this copy can be relied on, what needs somebody, how current each table is. For monitors too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptsync.browse.access import Need
from promptsync.browse.dates import iso
from promptsync.browse.page import Answer, Document, Page, Shown, Visit
from promptsync.browse.queries import freshness as ask
from promptsync.browse.queries.reader import BOUND
from promptsync.browse.queries.state import SILENT, exported_until, found_by_service, live_until, taken_over

"""Three times as long as the service takes from one look to the next."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """``answer``: yes, mostly or no; ``why``: empty, stale, silent, problems or good."""

    answer: str
    why: str
    exported: str | None
    live: str | None
    found: Mapping[str, Any] | None
    silent: bool


def look(visit: Visit) -> Freshness:
    """How current the copy is, by what it holds and by what the service found."""
    reader, now = visit.reader, visit.dates.now
    orgs = [visit.org] if visit.org is not None else [one["id"] for one in visit.orgs]
    exported, live = exported_until(reader, orgs), live_until(reader)
    found = found_by_service(reader)
    silent = found is None or found["at"] < iso(now - SILENT)
    if exported is None and live is None and taken_over(reader) is None:
        answer, why = "no", "empty"
    elif exported is not None and exported < iso(now - visit.stale_after):
        answer, why = "no", "stale"
    elif silent:
        answer, why = "mostly", "silent"
    else:
        answer, why = ("mostly", "problems") if found and found["problems"] else ("yes", "good")
    return Freshness(answer, why, exported, live, found, silent)


def freshness(visit: Visit) -> Answer:
    """The page, or the same as JSON: with status 503 if the copy is out of date."""
    seen = look(visit)
    if "format" in visit.parts:
        return _document(visit, seen)
    orgs = {one["id"]: one["name"] for one in visit.orgs if visit.org in (None, one["id"])}
    values = {
        "seen": seen,
        "tables": ask.nightly(visit.reader, list(orgs)[:20]),
        "others": ask.other_files(visit.reader),
        "waiting": ask.waiting(visit.reader),
        "bound": BOUND,
        "orgs": orgs if len(orgs) > 1 else {},
    }
    return Shown("freshness.html", visit.say("freshness.title"), values)


def _document(visit: Visit, seen: Freshness) -> Document:
    found = seen.found or {}
    content = {
        "fresh": seen.answer != "no",
        "answer": seen.answer,
        "sentence": str(visit.say(f"freshness.answers.{seen.why}")),
        "exported_until": seen.exported,
        "live_until": seen.live,
        "checked_at": found.get("at"),
        "problems": found.get("problems", []),
        "places": found.get("places", []),
    }
    return Document(content, 200 if content["fresh"] else 503)


PAGES = (
    Page(r"/-/freshness", freshness, section="freshness"),
    Page(r"/-/freshness\.(?P<format>json)", freshness, need=Need.MONITOR),
)
