"""Messages: what a number of messages is made of, newest first, and the same as a spreadsheet."""

from typing import Final

from promptsync.browse.failures import failure_of
from promptsync.browse.labels import member_label, message_text, person_label
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.paging import part, position, whole
from promptsync.browse.queries import messages as ask
from promptsync.browse.queries.reader import BOUND, PAGE, Row, names_of

_WAYS: Final = ("in", "out", "failed")
_KEPT: Final = ("way", "from", "to", "broadcast", "member")


def messages(visit: Visit) -> Answer:
    """The list, or the same messages as a spreadsheet."""
    wanted = _wanted(visit)
    if visit.parts["format"]:
        return _sheet(visit, wanted)
    rows = ask.page_of(visit.reader, wanted, position(visit.query.get("after")), PAGE)
    found = part(rows, PAGE, "created_timestamp", "id")
    cast = names_of(visit.reader, "broadcast", [wanted.broadcast]).get(wanted.broadcast or 0)
    values = {
        "wanted": wanted,
        "rows": [row | {"why": failure_of(visit.words, row)} for row in map(dict, found.rows)],
        "next": found.next,
        "count": ask.count_of(visit.reader, wanted),
        "bound": BOUND,
        "kept": {f"{name}_": visit.query[name] for name in _KEPT if visit.query.get(name)},
        "ways": ("", *_WAYS),
        **{name: visit.dates.day(day) if day else "" for name, day in zip(("first", "last"), visit.days, strict=True)},
        "cast": cast,
        "member": _member(visit, wanted.member),
    }
    return Shown("messages.html", visit.say("messages.title"), values)


def _wanted(visit: Visit) -> ask.Wanted:
    query, (since, until) = visit.query, visit.span
    member = whole(query.get("member"))
    return ask.Wanted(
        way="out" if member is not None else query["way"] if query.get("way") in _WAYS else "",
        since=since,
        until=until,
        broadcast=whole(query.get("broadcast")) if member is None else None,
        member=member,
        org=visit.org,
    )


def _member(visit: Visit, id_: int | None) -> str:
    """What to call whose messages alone are meant; "" if all are."""
    named = names_of(visit.reader, "team_member", [id_]).get(id_ or 0)
    return "" if id_ is None else member_label(visit.words, named, id_ or None)


def _sheet(visit: Visit, wanted: ask.Wanted) -> Sheet:
    keys = ("sheet.when", "sheet.way", "people.name", "people.phone", "sheet.text", "sheet.broadcast", "sheet.outcome")

    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]
    return sheet_of(
        f"messages-{wanted.way}",
        headings,
        lambda reader, place, size: ask.page_of(reader, wanted, place, size),
        lambda row: _line(visit, row),
        ("created_timestamp", "id"),
    )


def _line(visit: Visit, row: Row) -> list[object]:
    way = visit.say("sheet.ways.out" if row["is_outgoing"] else "sheet.ways.in")
    text = message_text(visit.words, row)
    who = [person_label(visit.words, row["person"]), row["person"]["phone"] if row["person"] else ""]
    cells = [visit.dates.cell(row["created_timestamp"]), way, *who, text, row["broadcast"] or row["broadcast_id"]]
    return [*cells, str(failure_of(visit.words, row) or "")]


PAGES = (Page(r"/-/messages(\.(?P<format>csv|xlsx))?", messages),)
