"""Broadcast: did it arrive, what came of it, when, and why not; and the people behind each number.

What is counted in this copy is shown where the copy has the broadcast's messages, so that a number and its list are
one; else what the vendor's export says. Where the two differ, both are said.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final

from datasette.utils.asgi import NotFound  # type: ignore[import-untyped]

from promptsync.browse import charts
from promptsync.browse.dates import iso
from promptsync.browse.failures import failure
from promptsync.browse.labels import broadcast_label, person_label
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit
from promptsync.browse.pages.broadcasts import usual
from promptsync.browse.paging import whole
from promptsync.browse.queries import broadcast_people as ask_people
from promptsync.browse.queries import broadcasts as ask
from promptsync.browse.queries.freshness import exported_until
from promptsync.browse.queries.reader import PAGE, Reader, Row

_REPLY_HOURS: Final = 72
_SHORT, _LONG = 24, 72
_CHUNK: Final = 500
_HELD: Final = 60


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of it: who replied since the last export and who opted out, each with the time."""

    live: dict[int, str]
    outs: dict[int, str]


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of all who were meant. ``which``: its list, "" if there is none."""

    name: str
    n: int
    which: str
    look: str


def broadcast(visit: Visit) -> Answer:
    """The report, one of its lists, or that list as a spreadsheet. Raises NotFound."""
    id_ = whole(visit.parts["id"])
    row = ask.broadcast(visit.reader, id_) if id_ is not None else None
    if row is None:
        raise NotFound(visit.say("broadcast.nothing"))
    row["name"] = broadcast_label(visit.words, row["description"], row["id"])
    which = visit.parts["which"]
    if not which:
        return Shown("broadcast.html", row["name"][:80], _report(visit, row))
    return _sheet(visit, row, which) if visit.parts["format"] else _list(visit, row, which)


def _start(row: Row) -> str | None:
    found: str | None = row["start_timestamp"] or row["created_timestamp"]
    return found


def _came(visit: Visit, row: Row) -> _Came:
    start = visit.dates.local(_start(row))
    if start is None:
        return _Came({}, {})
    end = iso(min(start, visit.dates.now) + timedelta(hours=_REPLY_HOURS))
    reader, begin = visit.reader, iso(start)
    exported = exported_until(reader, [row["org_id"]]) or ""
    live = ask_people.live_replies(reader, row["id"], max(begin, exported), end) if end > exported else {}
    return _Came(live, ask_people.opted_out_after(reader, row["id"], begin, end))


def _report(visit: Visit, row: Row) -> dict[str, Any]:
    reader, came = visit.reader, _came(visit, row)
    counted, told = ask.arrived(reader, row["id"]), ask.counts_of(row)
    here = counted["total"] > 0
    parts = _parts(visit, row, counted)
    targeted = (row["num_contacts"] if row["num_contacts"] is not None else row["total"]) or counted["total"]
    rest = targeted - sum(part.n for part in parts)
    if rest > 0:
        parts.append(
            _Part(visit.say("broadcast.on_its_way" if row["num_sent"] is None else "broadcast.rest"), rest, "", "off")
        )
    reached = next((part.n for part in parts if part.which == "reached"), 0)
    replied = ask_people.repliers(reader, row["id"]) + len(came.live) if here else told["replied"] or 0
    answered = ask_people.repliers_reached(reader, row["id"], list(came.live)) if here else replied
    return {
        "row": row,
        "start": _start(row),
        "targeted": targeted,
        "parts": parts,
        "sound": rest >= 0,
        "reached": reached,
        "replied": replied,
        "silent": reached - answered,
        "outs": len(came.outs) if here else row["num_opt_outs"] or 0,
        "here": here,
        "differs": here
        and row["num_sent"] is not None
        and (row["num_sent"], row["num_errors"]) != (counted["ok"], counted["bad"]),
        "official": row["num_sent"] is not None,
        "usual": usual(ask.before(reader, _start(row) or "", row["org_id"] if visit.several else None)),
        "clicks": ask.clicks(reader, row["id"]),
        "why": _reasons(visit, row["id"]) if counted["bad"] else [],
        "example": ask.example(reader, row["id"]),
        "lists": ask.targeted_lists(reader, row),
        "bar": charts.bar,
        **ask.neighbours(reader, row),
        **_hours(visit, row, came),
    }


def _parts(visit: Visit, row: Row, counted: dict[str, int]) -> list[_Part]:
    """The parts with anybody in them. From the messages where they are here, else as the export says."""
    here, say = counted["total"] > 0, visit.say
    got, bad = (counted["ok"], counted["bad"]) if here else (row["num_sent"] or 0, row["num_errors"] or 0)
    if here and (row["num_sent"], row["num_errors"]) != (got, bad):
        got = ask.people_reached(visit.reader, row["id"])
    found = [
        _Part(say("broadcast.arrived"), got, "reached" if here else "", "good"),
        _Part(say("broadcast.failed"), bad, "failed" if here else "", "bad"),
        _Part(say("broadcast.skipped"), row["num_skipped"] or 0, "", "off"),
        _Part(say("broadcast.cancelled"), row["num_canceled"] or 0, "", "off"),
    ]
    return [part for part in found if part.n]


def _reasons(visit: Visit, id_: int) -> list[dict[str, Any]]:
    """Why messages did not arrive, in words: codes that mean the same stand together, the most frequent first."""
    rows = [
        (failure(visit.words, one["error_code"], one["error_message"]), one["n"])
        for one in ask.reasons(visit.reader, id_)
    ]
    rows.sort(key=lambda one: one[0].words)
    found = []
    for words, group in groupby(rows, lambda one: one[0].words):
        same = list(group)
        found.append({"words": words, "todo": same[0][0].todo, "n": sum(n for _, n in same)})
    return sorted(found, key=lambda one: -one["n"])


def _hours(visit: Visit, row: Row, came: _Came) -> dict[str, Any]:
    """The chart of replies and opt-outs by hour since the start, and the same as rows."""
    start = visit.dates.local(_start(row))
    if start is None:
        return {"chart": None, "hours": [], "later": 0}
    replies = dict(_reply_hours(visit, row["id"], iso(start)))
    outs: dict[int, int] = {}
    for times, into in ((came.live.values(), replies), (came.outs.values(), outs)):
        for at in times:
            moment = visit.dates.local(at)
            hour = int((moment - start).total_seconds() // 3600) if moment else 0
            into[hour] = into.get(hour, 0) + 1
    span = _SHORT if max((*replies, *outs), default=0) < _SHORT else _LONG
    hours = [(hour, replies.get(hour, 0), outs.get(hour, 0)) for hour in range(span)]
    labels = [visit.say("broadcast.hour", n=hour) if hour else visit.say("broadcast.start") for hour in range(span)]
    series = [
        charts.Series("first", visit.say("broadcast.replies"), [one[1] for one in hours]),
        charts.Series("second", visit.say("broadcast.opt_outs"), [one[2] for one in hours]),
    ]
    within = sum(one[1] for one in hours)
    about = visit.say("broadcast.chart_about", first=hours[0][1], six=sum(one[1] for one in hours[:6]), n=within)
    chart = charts.columns("by-hour", visit.say("broadcast.when"), about, labels, series, span // 8)
    anything = within + len(came.outs)
    return {
        "chart": chart if anything else None,
        "hours": [(label, *one[1:]) for label, one in zip(labels, hours, strict=True) if one[1] or one[2]],
        "later": sum(n for hour, n in replies.items() if hour >= span),
    }


def _reply_hours(visit: Visit, id_: int, start: str) -> dict[int, int]:
    """Of a large broadcast what was counted within the last minute: each reply is looked up by itself."""
    count = partial(ask_people.reply_hours, visit.reader, id_, start)
    hours: dict[int, int] = visit.reader.held(_HELD, ("reply hours", id_, start), count)
    return hours


def _known(came: _Came, which: str) -> list[int]:
    return list(came.outs) if which == "opted-out" else list(came.live)


def _list(visit: Visit, row: Row, which: str) -> Shown:
    came = _came(visit, row)
    after = whole(visit.query.get("after")) or 0
    ids = ask_people.ids_of(visit.reader, row["id"], which, _known(came, which), after, PAGE)
    found = ask_people.described(visit.reader, row["id"], which, ids[:PAGE], came.outs)
    values = {
        "row": row,
        "which": which,
        "rows": [one | {"why": _why(visit, which, one)} for one in found],
        "next": str(ids[PAGE - 1]) if len(ids) > PAGE else "",
    }
    return Shown("broadcast_people.html", visit.say(f"broadcast.lists.{which}"), values)


def _why(visit: Visit, which: str, row: Row) -> Any:
    return failure(visit.words, row["error_code"], row["error_message"]) if which == "failed" else None


def _sheet(visit: Visit, row: Row, which: str) -> Sheet:
    """Exactly the people of the number, opted-out ones marked."""
    came = _came(visit, row)

    def lines(reader: Reader, after: int | None) -> tuple[list[list[object]], int | None]:
        ids = ask_people.ids_of(reader, row["id"], which, _known(came, which), after or 0, _CHUNK)
        more, ids = len(ids) > _CHUNK, ids[:_CHUNK]
        found = ask_people.described(reader, row["id"], which, ids, came.outs)
        return [_line(visit, which, one) for one in found], ids[-1] if more else None

    keys = ("people.name", "people.phone", "people.out", "sheet.when", "sheet.what")
    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]
    return Sheet(f"broadcast-{row['id']}-{which}", headings, lines)


def _line(visit: Visit, which: str, one: Row) -> list[object]:
    person, why = one["person"], _why(visit, which, one)
    what = why.words if why else one["content"] if which == "replied" else ""
    consent = visit.say(f"people.consent.{person['out']}")
    return [person_label(visit.words, person), person["phone"], consent, visit.dates.cell(one["at"]), what]


_ADDRESS = r"/-/broadcast/(?P<id>[0-9]{1,30})"
_WHICH = "|".join(ask_people.WHICH)
PAGES = (
    Page(rf"{_ADDRESS}(?P<which>)(?P<format>)", broadcast, section="broadcasts"),
    Page(rf"{_ADDRESS}/(?P<which>{_WHICH})(\.(?P<format>csv|xlsx))?", broadcast, section="broadcasts"),
)
