"""Person: whether they may be texted, their messages at every vendor on one time line, what is known about them.

A person has one page. Whoever is known to one vendor alone has one too; if they turn out to be somebody who has a page
at Prompt, their address leads there.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from datasette.utils import tilde_decode, tilde_encode  # type: ignore[import-untyped]
from datasette.utils.asgi import NotFound  # type: ignore[import-untyped]

from promptsync.browse import phones
from promptsync.browse.cells import clean
from promptsync.browse.dates import date_of
from promptsync.browse.failures import failure_of
from promptsync.browse.labels import message_text, person_label
from promptsync.browse.outcomes import said
from promptsync.browse.page import Answer, Moved, Page, Sheet, Shown, Visit
from promptsync.browse.paging import whole
from promptsync.browse.queries import identity
from promptsync.browse.queries import person as ask
from promptsync.browse.queries import timeline as line
from promptsync.browse.queries.identity import Who
from promptsync.browse.queries.reader import BOUND, LAST, PAGE, Reader, Row

_CHUNK = 1_000
_FIND_LENGTH = 200
_LONGEST: Final = 900  # of an ID in an address


def person(visit: Visit) -> Answer:
    """The page, or the messages as a spreadsheet. Raises NotFound if there is nobody of that number."""
    id_ = whole(visit.parts["id"])
    contact = ask.contact(visit.reader, id_) if id_ is not None else None
    if contact is None:
        raise NotFound(visit.say("person.nobody"))
    facts = ask.facts(visit.reader, contact["id"])
    who = identity.of_contact(visit.reader, contact | {"fields": facts["fields"]})
    values = {"contact": contact, **facts, "org_name": _org(visit, contact)}
    return _answer(visit, who, person_label(visit.words, contact), f"{contact['id']}", values)


def customer(visit: Visit) -> Answer:
    """The same of somebody whom only Customer.io knows. Raises NotFound."""
    workspace, name = whole(visit.parts["workspace"]), tilde_decode(visit.parts["id"])
    who = None if workspace is None else identity.of_customer(visit.reader, workspace, name)
    return _known_elsewhere(visit, who, name, "customerio")


def number(visit: Visit) -> Answer:
    """The same of a number that only Qlara knows. Raises NotFound."""
    name = tilde_decode(visit.parts["id"])
    who = identity.of_number(visit.reader, name)
    if who is not None and who.contact is None and who.customer is not None:
        return Moved(customer_address(who.customer))
    return _known_elsewhere(visit, who, name, "qlara", name)


def _known_elsewhere(visit: Visit, who: Who | None, name: str, vendor: str, phone: str | None = None) -> Answer:
    """``name``: what the address calls them. ``phone``: their number, where that is known from the address."""
    if who is None:
        raise NotFound(visit.say("person.nobody"))
    if who.contact is not None:
        return Moved(f"/-/contact/{who.contact}")
    known = who.customer or {}
    phone = phone or known.get("phone")
    title = clean(known.get("email_addr") or known.get("customer_id") or _named_there(visit, who)).strip()
    title = title or phones.shown(clean(phone).strip()) or visit.say("person.numbered", id=clean(name)[:60])
    contact = {"id": None, "name": title, "phone": phone, "out": None, "unknown": True}
    nothing: dict[str, Any] = {"tags": [], "lists": [], "fields": [], "org_name": "", "last_out": None, "total": 0}
    return _answer(visit, who, str(title), vendor, {"contact": contact, **nothing})


def _named_there(visit: Visit, who: Who) -> str:
    names = [clean(row["name"]).strip() for row in identity.qlara_contacts(visit.reader, who.numbers)]
    return next(filter(None, names), "")


def customer_address(row: Mapping[str, Any]) -> str:
    """The page of a person of Customer.io's; "" of one whose ID is none."""
    name = tilde_encode(row["internal_customer_id"] or "")
    return f"/-/person/customerio/{row['workspace_id']}/{name}" if 0 < len(name) <= _LONGEST else ""


def number_address(number: str) -> str:
    """The page of a number that Qlara sent to; "" of what is none."""
    name = tilde_encode(number)
    return f"/-/person/qlara/{name}" if 0 < len(name) <= _LONGEST else ""


def conversation(visit: Visit) -> Moved:
    """The page of the person whom a conversation is with."""
    id_ = whole(visit.parts["id"])
    found = ask.conversation_with(visit.reader, id_) if id_ is not None else None
    if found is None:
        raise NotFound(visit.say("person.nobody"))
    return Moved(f"/-/contact/{found}")


def _answer(visit: Visit, who: Who, title: str, name: str, values: dict[str, Any]) -> Answer:
    vendors = line.vendors_of(visit.reader, who)
    chosen = visit.query.get("vendor", "")
    chosen = chosen if chosen in vendors and len(vendors) > 1 else ""
    if visit.parts["format"]:
        return _sheet(visit, who, title, name, chosen)
    find = visit.query.get("find", "").strip()[:_FIND_LENGTH]
    shown = _found(visit, who, find, chosen) if find else _page(visit, who, chosen)
    about = {"find": find, "on": visit.query.get("on", ""), "bound": BOUND, "searched": line.SEARCHED}
    there = {"vendors": vendors, "vendor": chosen, "elsewhere": _elsewhere(visit, who), "perhaps": _perhaps(visit, who)}
    return Shown("person.html", title, {**values, **about, **there, **shown})


def _elsewhere(visit: Visit, who: Who) -> list[dict[str, Any]]:
    """What the other vendors say of the person: ``vendor``, ``rows`` of label and value, ``path`` to every field."""
    found = []
    if who.customer is not None:
        row = who.customer
        rows = [("customer_id", row["customer_id"]), ("email", row["email_addr"])]
        state = "deleted" if row["deleted"] else "suppressed" if row["suppressed"] else ""
        rows.append(("state", visit.say(f"person.elsewhere.{state}") if state else None))
        path = f"/mirror/cio_people/{row['workspace_id']},{tilde_encode(row['internal_customer_id'])}"
        found.append({"vendor": "customerio", "rows": rows, "path": path})
    for row in identity.qlara_contacts(visit.reader, who.numbers):
        rows = [("name", row["name"]), ("email", row["email"]), ("lists", row["lists"]), ("state", row["status"])]
        found.append({"vendor": "qlara", "rows": rows, "path": f"/mirror/qlara_contact/{tilde_encode(row['id'])}"})
    for one in found:
        one["rows"] = [(visit.say(f"person.elsewhere.{key}"), value) for key, value in one["rows"] if value]
    return found


def _perhaps(visit: Visit, who: Who) -> list[tuple[str, str, str]]:
    """Who may be the same: vendor, name, path."""
    found = [("prompt", person_label(visit.words, row), f"/-/contact/{row['id']}") for row in who.contacts]
    for row in who.customers:
        name = clean(row["email_addr"] or row["customer_id"]).strip() or visit.say("person.unnamed")
        found.append(("customerio", str(name), customer_address(row)))
    return [one for one in found if one[2]]


def _found(visit: Visit, who: Who, find: str, vendor: str) -> dict[str, Any]:
    rows = line.containing(visit.reader, who, find, vendor)
    page = list(reversed(rows[:PAGE]))
    days = _days(visit, _messages(visit, page))
    return {"days": days, "count": len(page), "more": len(rows) > PAGE, "earlier": "", "later": "", "ends": False}


def _page(visit: Visit, who: Who, vendor: str) -> dict[str, Any]:
    """A page of the messages in order of time: ``earlier`` and ``later`` are the queries of its neighbours."""
    page, earlier, later = _messages_of(visit, who, vendor)
    since = page[0]["at"] if page and earlier else ""
    until = page[-1]["at"] if page and later else LAST
    happened = []
    if who.contact is not None and vendor in ("", "prompt"):
        happened = ask.happened(visit.reader, who.contact, since, until)
    items = sorted([*_messages(visit, page), *happened], key=lambda item: item["at"] or "")
    if not earlier:
        items = [*_messages(visit, line.undated(visit.reader, who, vendor)), *items]
    return {
        "days": _days(visit, items),
        "count": len(page),
        "more": False,
        "earlier": line.edge_of(page[0]).written() if page and earlier else "",
        "later": line.edge_of(page[-1]).written() if page and later else "",
        "ends": not later,
    }


def _messages_of(visit: Visit, who: Who, vendor: str) -> tuple[list[Row], bool, bool]:
    """The page's messages, and whether there are earlier and later ones."""
    reader, query = visit.reader, visit.query
    day = date_of(query.get("on"))
    start = line.at_time(visit.dates.begin(day)) if day else line.edge(query.get("after"))
    at = line.at_message(reader, who.contact, whole(query.get("at"))) if query.get("at") else None
    if at:
        half = PAGE // 2
        old = line.before(reader, who, at, half, vendor)
        new = line.after(reader, who, at._replace(key=int(at.key) - 1), half, vendor)
        return [*reversed(old[:half]), *new[:half]], len(old) > half, len(new) > half
    if start:
        rows = line.after(reader, who, start, PAGE, vendor)
        first = line.edge_of(rows[0]) if rows else start
        return rows[:PAGE], bool(line.before(reader, who, first, 0, vendor)), len(rows) > PAGE
    given = line.edge(query.get("before"))
    rows = line.before(reader, who, given or line.END, PAGE, vendor)
    page = list(reversed(rows[:PAGE]))
    return page, len(rows) > PAGE, given is not None and bool(page)


def _messages(visit: Visit, rows: list[Row]) -> list[Row]:
    """Messages as the page shows them: with ``kind`` (in, out, note), where one failed ``why``, and ``removed``, after
    how long its text was."""
    named, removed = line.with_names(visit.reader, rows), ask.removed(visit.reader)
    return [_at_prompt(visit, row, removed) if row["source"] == "prompt" else said(visit.words, row) for row in named]


def _at_prompt(visit: Visit, row: Row, removed: tuple[str, str]) -> Row:
    gone = removed[1] if _is_removed(row, removed[0]) else ""
    return row | {"kind": _kind(row), "why": failure_of(visit.words, row), "removed": gone}


def _is_removed(row: Row, before: str) -> bool:
    return not row["content"] and (row["at"] or before) < before


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


def _org(visit: Visit, contact: Row) -> str:
    names = [one["name"] for one in visit.orgs if one["id"] == contact.get("org_id")]
    return names[0] if names and visit.several else ""


def _sheet(visit: Visit, who: Who, title: str, name: str, vendor: str) -> Sheet:
    """All messages, oldest first."""
    say = visit.say
    headings = (
        "sheet.when",
        "sheet.vendor",
        "sheet.way",
        "sheet.who",
        "sheet.text",
        "sheet.broadcast",
        "sheet.outcome",
    )

    def lines(reader: Reader, place: Any) -> tuple[Sequence[Sequence[object]], Any]:
        rows = line.after(reader, who, place or line.BEGINNING, _CHUNK, vendor)
        named = line.with_names(reader, rows[:_CHUNK])
        without = line.with_names(reader, line.undated(reader, who, vendor)) if place is None else []
        removed = ask.removed(reader)
        made = [_line(visit, row, title, removed) for row in [*without, *named]]
        return made, line.edge_of(named[-1]) if len(rows) > _CHUNK else None

    return Sheet(f"conversation-{name}", [say(key, zone=visit.dates.zone.key) for key in headings], lines)


def _line(visit: Visit, row: Row, title: str, removed: tuple[str, str]) -> list[object]:
    vendor = visit.say(f"vendors.{row['vendor']}")
    if row["source"] != "prompt":
        found = said(visit.words, row)
        text = "\n".join(filter(None, (found["subject"], found["content"])))
        outcome = " ".join(filter(None, (str(found["went_wrong"]), found["reason"])))
        way = visit.say(f"sheet.ways.{found['kind']}")
        who = title if found["kind"] == "in" else ""
        return [visit.dates.cell(row["at"]), vendor, way, who, text, found["campaign"], outcome]
    kind = _kind(row)
    who = title if kind == "in" else row["sender"] or ""
    gone = _is_removed(row, removed[0])
    text = visit.say("person.removed", period=removed[1]) if gone else message_text(visit.words, row)
    cells = [visit.dates.cell(row["at"]), vendor, visit.say(f"sheet.ways.{kind}"), who, text]
    return [*cells, row["broadcast"] or row["broadcast_id"] or "", str(failure_of(visit.words, row) or "")]


_SHEET: Final = r"(\.(?P<format>csv|xlsx))?"
_NAME: Final = rf"(?P<id>[-+\w~]{{1,{_LONGEST}}})"
PAGES = (
    Page(rf"/-/contact/(?P<id>[0-9]{{1,30}}){_SHEET}", person, section="people"),
    Page(r"/-/conversation/(?P<id>[0-9]{1,30})", conversation, section="people"),
    Page(rf"/-/person/customerio/(?P<workspace>[0-9]{{1,30}})/{_NAME}{_SHEET}", customer, section="people"),
    Page(rf"/-/person/qlara/{_NAME}{_SHEET}", number, section="people"),
)
