"""People: by tag, list, name or number, and the spreadsheet of them, which leaves out whoever may not be texted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptsync.browse.dates import days_before
from promptsync.browse.labels import member_label
from promptsync.browse.page import SHEET_ROWS, Answer, Page, Sheet, Shown, Visit
from promptsync.browse.paging import Position, part, position, whole, written
from promptsync.browse.queries import people as ask
from promptsync.browse.queries.reader import BOUND, PAGE, Reader, Row, names_of

_SORTS: Final = ("name", "new", "active")
_DAYS: Final = ("30", "90", "365")
_USUAL_DAYS: Final = "90"
_OUT: Final = ("include", "only")
_KEPT: Final = ("tag", "list", "q", "sort", "days", "out", "wrote", "helped", "from", "to")


def people(visit: Visit) -> Answer:
    """The list, or the same people as a spreadsheet."""
    wanted = wanted_of(visit)
    if visit.parts["format"]:
        return _sheet(visit, wanted)
    rows = ask.page_of(visit.reader, wanted, position(visit.query.get("after")), PAGE)
    found = part(rows, PAGE, "place", "id")
    query = {name: visit.query[name] for name in _KEPT if visit.query.get(name)}
    values = {
        "wanted": wanted,
        "rows": _described(visit, found.rows),
        "next": found.next,
        "count": ask.count_of(visit.reader, wanted),
        "bound": BOUND,
        "kept": {f"{name}_": value for name, value in query.items()},
        "chips": _chips(visit, wanted),
        "days": _active_days(visit),
        "choices": {"sorts": _SORTS, "days": _DAYS},
        "period": _period(visit, wanted),
    }
    return Shown("people.html", visit.say("people.title"), values)


def wanted_of(visit: Visit) -> ask.Wanted:
    """What the address asks for; what cannot be meant is left out."""
    query, dates = visit.query, visit.dates
    since, until = visit.span
    sort = query.get("sort", "")
    return ask.Wanted(
        tag=query.get("tag", ""),
        list=query.get("list", ""),
        q=query.get("q", "").strip(),
        out=query["out"] if query.get("out") in _OUT else "",
        sort=sort if sort in _SORTS else "name",
        active_since=dates.begin(days_before(dates.today, int(_active_days(visit)))),
        wrote="wrote" in query,
        helped=whole(query.get("helped")),
        since=since,
        until=until,
        org=visit.org,
    )


def _active_days(visit: Visit) -> str:
    days = visit.query.get("days", "")
    return days if days in _DAYS else _USUAL_DAYS


def _chips(visit: Visit, wanted: ask.Wanted) -> Mapping[str, list[str]]:
    tags, lists = ask.tag_names(visit.reader), ask.list_names(visit.reader)
    return {
        "tag": sorted({*tags, *filter(None, [wanted.tag])}, key=str.casefold),
        "list": sorted({*lists, *filter(None, [wanted.list])}, key=str.casefold),
    }


def _period(visit: Visit, wanted: ask.Wanted) -> str:
    """In words, what people did when, where that is asked."""
    if not (wanted.wrote or wanted.helped is not None or (wanted.out == "only" and wanted.since)):
        return ""
    first, last = visit.days
    days = {
        "first": visit.dates.day(first) if first else visit.say("people.beginning"),
        "last": visit.dates.day(last or visit.dates.today),
    }
    if wanted.helped is not None:
        name = names_of(visit.reader, "team_member", [wanted.helped]).get(wanted.helped)
        return visit.say("people.helped", name=member_label(visit.words, name, wanted.helped or None), **days)
    return visit.say("people.wrote" if wanted.wrote else "people.opted_out_then", **days)


def _described(visit: Visit, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    ids = [row["id"] for row in rows]
    tags, last = ask.tags_of(visit.reader, ids), ask.last_message(visit.reader, ids)
    return [{**row, "tags": tags.get(row["id"], []), "last": last.get(row["id"])} for row in rows]


def _sheet(visit: Visit, wanted: ask.Wanted) -> Sheet:
    """Name, phone, consent, tags, lists, the organization's fields, last heard. Only people who are still exported."""
    fields = ask.field_names(visit.reader)
    plain = ("people.name", "people.phone", "people.out", "people.tags", "people.lists")
    heard = visit.say("people.last_heard", zone=visit.dates.zone.key)
    headings = [*map(visit.say, plain), *(name.replace("_", " ").capitalize() for name in fields), heard]

    def lines(reader: Reader, place: Position | None) -> tuple[list[list[object]], Position | None]:
        rows = ask.page_of(reader, wanted, place, SHEET_ROWS)
        more, rows = len(rows) > SHEET_ROWS, rows[:SHEET_ROWS]
        made = _lines(visit, reader, [row for row in rows if row["gone"] is None], fields)
        return made, position(written(rows[-1]["place"], rows[-1]["id"])) if more else None

    what = [visit.say("people.title"), wanted.tag, wanted.list, wanted.q]
    return Sheet("-".join(filter(None, what)), headings, lines)


def _lines(visit: Visit, reader: Reader, rows: list[Row], fields: list[str]) -> list[list[object]]:
    ids = [row["id"] for row in rows]
    tags, lists, values = ask.tags_of(reader, ids), ask.lists_of(reader, ids), ask.fields_of(reader, ids)
    heard = ask.last_message(reader, ids, inbound=True)
    made: list[list[object]] = []
    for row in rows:
        id_, own = row["id"], values.get(row["id"], {})
        several = [", ".join(tags.get(id_, ())), ", ".join(lists.get(id_, ()))]
        consent = visit.say(f"people.consent.{row['out']}")
        cells = [own.get(name) for name in fields]
        made.append([row["name"], row["phone"], consent, *several, *cells, visit.dates.cell(heard.get(id_))])
    return made


PAGES = (Page(r"/-/people(\.(?P<format>csv|xlsx))?", people, section="people"),)
