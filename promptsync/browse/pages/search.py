"""Search: one box for names, numbers and words."""

from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.paging import whole
from promptsync.browse.queries import search as ask
from promptsync.browse.queries.reader import BOUND

_LONGEST = 200


def search(visit: Visit) -> Shown:
    """People first, then messages, newest first. Older messages only, from ``before`` on."""
    text = visit.query.get("q", "").strip()[:_LONGEST]
    before = whole(visit.query.get("before"))
    found = [] if before or not text else ask.people_by(visit.reader, text, visit.org)
    values = {
        "text": text,
        "before": before,
        "people": found[: ask.PEOPLE],
        "more_people": len(found) > ask.PEOPLE,
        "hits": ask.messages_by(visit.reader, text, before, visit.org),
        "waiting": ask.not_searched_yet(visit.reader) if text else 0,
        "bound": BOUND,
    }
    return Shown("search.html", visit.say("search.for", text=text[:60]) if text else visit.say("search.title"), values)


PAGES = (Page("/-/search", search, section="search"),)
