"""Search: one box for names, numbers and words."""

from promptsync.browse.cells import clean
from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.pages.person import customer_address, number_address
from promptsync.browse.paging import whole
from promptsync.browse.queries import identity
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
        "elsewhere": [] if before or not text else _elsewhere(visit, text),
        "hits": ask.messages_by(visit.reader, text, before, visit.org),
        "waiting": ask.not_searched_yet(visit.reader) if text else 0,
        "bound": BOUND,
    }
    return Shown("search.html", visit.say("search.for", text=text[:60]) if text else visit.say("search.title"), values)


def _elsewhere(visit: Visit, text: str) -> list[tuple[str, str, str]]:
    """Who is known at other vendors by exactly that address, ID or number: vendor, name, path."""
    customers, qlara = identity.elsewhere(visit.reader, text)
    found = [("customerio", row["email_addr"] or row["customer_id"], customer_address(row)) for row in customers]
    found += [("qlara", row["name"] or row["phone"], number_address(row["phone"])) for row in qlara]
    return [
        (vendor, clean(name).strip() or str(visit.say("person.unnamed")), path) for vendor, name, path in found if path
    ]


PAGES = (Page("/-/search", search, section="search"),)
