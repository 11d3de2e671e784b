"""Freshness: whether this copy can be relied on, what needs somebody, how current each table is. For monitors too."""

from promptsync.browse.access import Need
from promptsync.browse.freshness import Freshness
from promptsync.browse.page import Answer, Document, Page, Shown, Visit
from promptsync.browse.queries import freshness as ask
from promptsync.browse.queries.reader import BOUND


def freshness(visit: Visit) -> Answer:
    """The page, or the same as JSON: with status 503 if the copy is out of date."""
    seen = visit.copy
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
