"""Person: whether they may be texted, their conversation, what is known about them."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from datasette.utils.asgi import NotFound  # type: ignore[import-untyped]

from promptsync.browse.dates import date_of
from promptsync.browse.failures import failure_of
from promptsync.browse.labels import message_text, person_label
from promptsync.browse.page import Answer, Moved, Page, Sheet, Shown, Visit
from promptsync.browse.paging import position, whole, written
from promptsync.browse.queries import person as ask
from promptsync.browse.queries.reader import BOUND, LAST, PAGE, Reader, Row

_CHUNK = 1_000
_FIND_LENGTH = 200


def person(visit: Visit) -> Answer:
    """The page, or the conversation as a spreadsheet. Raises NotFound if there is nobody of that number."""
    id_ = whole(visit.parts["id"])
    contact = ask.contact(visit.reader, id_) if id_ is not None else None
    if contact is None:
        raise NotFound(visit.say("person.nobody"))
    title = person_label(visit.words, contact)
    if visit.parts["format"]:
        return _sheet(visit, contact, title)
    find = visit.query.get("find", "").strip()[:_FIND_LENGTH]
    shown = _found(visit, contact["id"], find) if find else _page(visit, contact["id"])
    facts = ask.facts(visit.reader, contact["id"])
    values = {"contact": contact, "find": find, "on": visit.query.get("on", ""), "bound": BOUND, **facts, **shown}
    return Shown("person.html", title, values | {"org_name": _org(visit, contact)})


def conversation(visit: Visit) -> Moved:
    """The page of the person whom a conversation is with."""
    id_ = whole(visit.parts["id"])
    found = ask.conversation_with(visit.reader, id_) if id_ is not None else None
    if found is None:
        raise NotFound(visit.say("person.nobody"))
    return Moved(f"/-/contact/{found}")


def _found(visit: Visit, id_: int, find: str) -> dict[str, Any]:
    rows = ask.containing(visit.reader, id_, find)
    page = list(reversed(rows[:PAGE]))
    days = _days(visit, _messages(visit, page))
    return {"days": days, "count": len(page), "more": len(rows) > PAGE, "earlier": "", "later": "", "ends": False}


def _page(visit: Visit, id_: int) -> dict[str, Any]:
    """A page of the conversation in order of time: ``earlier`` and ``later`` are the queries of its neighbours."""
    page, earlier, later = _messages_of(visit, id_)
    since = page[0]["created_timestamp"] if page and earlier else ""
    until = page[-1]["created_timestamp"] if page and later else LAST
    happened = ask.happened(visit.reader, id_, since, until)
    items = sorted([*_messages(visit, page), *happened], key=lambda item: item["at"] or "")
    if not earlier:
        items = [*_messages(visit, ask.undated(visit.reader, id_)), *items]
    return {
        "days": _days(visit, items),
        "count": len(page),
        "more": False,
        "earlier": _edge(page[0]) if page and earlier else "",
        "later": _edge(page[-1]) if page and later else "",
        "ends": not later,
    }


def _messages_of(visit: Visit, id_: int) -> tuple[list[Row], bool, bool]:
    """The page's messages, and whether there are earlier and later ones."""
    reader, query = visit.reader, visit.query
    day = date_of(query.get("on"))
    start = (visit.dates.begin(day), -1) if day else position(query.get("after"))
    at = ask.place_of(reader, id_, whole(query.get("at")) or 0) if query.get("at") else None
    if at:
        old, new = ask.before(reader, id_, at, PAGE // 2), ask.after(reader, id_, (at[0], at[1] - 1), PAGE // 2)
        page = [*reversed(old[: PAGE // 2]), *new[: PAGE // 2]]
        return page, len(old) > PAGE // 2, len(new) > PAGE // 2
    if start:
        rows = ask.after(reader, id_, start)
        edge = (rows[0]["created_timestamp"], rows[0]["id"]) if rows else start
        return rows[:PAGE], bool(ask.before(reader, id_, edge, 0)), len(rows) > PAGE
    edge_given = position(query.get("before"))
    rows = ask.before(reader, id_, edge_given)
    page = list(reversed(rows[:PAGE]))
    return page, len(rows) > PAGE, edge_given is not None and bool(page)


def _messages(visit: Visit, rows: list[Row]) -> list[Row]:
    """Messages as the page shows them: with ``at``, ``kind`` (in, out, note) and, where it failed, ``why``."""
    named = ask.with_names(visit.reader, rows)
    return [
        row | {"at": row["created_timestamp"], "kind": _kind(row), "why": failure_of(visit.words, row)} for row in named
    ]


def _kind(row: Row) -> str:
    return "note" if row["is_whisper"] else "out" if row["is_outgoing"] else "in"


def _days(visit: Visit, items: Iterable[Row]) -> list[tuple[str, str, list[Row]]]:
    """Heading, identifier and items of each day."""

    def day(item: Row) -> str:
        moment = visit.dates.local(item["at"])
        return moment.date().isoformat() if moment else ""

    return [(_heading(visit, key), key or "none", list(group)) for key, group in groupby(items, day)]


def _heading(visit: Visit, key: str) -> str:
    day = date_of(key)
    return visit.dates.day(day) if day else visit.say("person.no_date")


def _edge(row: Row) -> str:
    return written(row["created_timestamp"], row["id"])


def _org(visit: Visit, contact: Row) -> str:
    names = [one["name"] for one in visit.orgs if one["id"] == contact.get("org_id")]
    return names[0] if names and visit.several else ""


def _sheet(visit: Visit, contact: Row, title: str) -> Sheet:
    """The whole conversation, oldest first."""
    say = visit.say
    headings = ("sheet.when", "sheet.way", "sheet.who", "sheet.text", "sheet.broadcast", "sheet.outcome")

    def lines(reader: Reader, place: Any) -> tuple[Sequence[Sequence[object]], Any]:
        rows = ask.after(reader, contact["id"], place or ("", -1), _CHUNK)
        named = ask.with_names(reader, rows[:_CHUNK])
        without = ask.with_names(reader, ask.undated(reader, contact["id"])) if place is None else []
        made = [_line(visit, row, title) for row in [*without, *named]]
        last = named[-1] if len(rows) > _CHUNK else None
        return made, last and (last["created_timestamp"], last["id"])

    return Sheet(f"conversation-{contact['id']}", [say(key, zone=visit.dates.zone.key) for key in headings], lines)


def _line(visit: Visit, row: Row, title: str) -> list[object]:
    kind = _kind(row)
    who = title if kind == "in" else row["sender"] or ""
    text = message_text(visit.words, row)
    cells = [visit.dates.cell(row["created_timestamp"]), visit.say(f"sheet.ways.{kind}"), who, text]
    return [*cells, row["broadcast"] or row["broadcast_id"] or "", str(failure_of(visit.words, row) or "")]


PAGES = (
    Page(r"/-/contact/(?P<id>[0-9]{1,30})(\.(?P<format>csv|xlsx))?", person, section="people"),
    Page(r"/-/conversation/(?P<id>[0-9]{1,30})", conversation, section="people"),
)
