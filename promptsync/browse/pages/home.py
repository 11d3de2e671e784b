"""Home: how the last seven days went, who wrote, which broadcasts went out; a section for each organisation."""

from datetime import date, timedelta
from typing import Any, Final

from promptsync.browse.dates import date_of, days_before, iso
from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.queries import home as ask
from promptsync.browse.queries.consent import newest_opt_outs
from promptsync.browse.queries.reader import Row

_DAYS: Final = 7
_LOOKED_BACK: Final = 60  # days in which replies are looked for
_OPT_OUTS: Final = 6
_SECTIONS: Final = 8  # organisations that are shown at once
_FEW: Final = 3  # replies and broadcasts of each of several


def home(visit: Visit) -> Shown:
    """The page; where there are several organisations and none is chosen, a section of each."""
    if visit.several and visit.org is None:
        sections = [_section(visit, one) for one in visit.orgs[:_SECTIONS]]
        others = [{"id": one["id"], "name": _name(one)} for one in visit.orgs[_SECTIONS:]]
        return Shown("home_several.html", visit.say("home.title"), {"sections": sections, "others": others})
    return Shown("home.html", visit.say("home.title"), _account(visit, visit.org))


def _account(visit: Visit, org: int | None) -> dict[str, Any]:
    """What the page says of an organisation, or of all."""
    dates, reader = visit.dates, visit.reader
    span = _span(visit, org)
    since, until = dates.begin(span[0]), dates.begin(span[1] + timedelta(days=1))
    chosen = [one for one in visit.orgs if org in (None, one["id"])]
    return {
        **_week(visit, org),
        "name": (len(chosen) == 1 and chosen[0]["name"]) or visit.say("home.heading"),
        "replies": _replies(visit, org),
        "broadcasts": _broadcasts(visit, org),
        "opt_outs": newest_opt_outs(reader, since, until, org, _OPT_OUTS),
    }


def _section(visit: Visit, one: Row) -> dict[str, Any]:
    """What the page says of one of several organisations."""
    org = one["id"]
    shown = {"replies": _replies(visit, org)[:_FEW], "broadcasts": _broadcasts(visit, org)[:_FEW]}
    return {"id": org, "name": _name(one), **_week(visit, org), **shown}


def _name(one: Row) -> str:
    return str(one["name"] or one["id"])


def _week(visit: Visit, org: int | None) -> dict[str, Any]:
    first, last = _span(visit, org)
    instants = visit.dates.begin(first), visit.dates.begin(last + timedelta(days=1))
    return {
        "counts": ask.week(visit.reader, (first.isoformat(), last.isoformat()), instants, org),
        "span": {"from_": first, "to": last},
        "current": last == visit.dates.today,
        "first": visit.dates.day(first),
        "last": visit.dates.day(last),
    }


def _span(visit: Visit, org: int | None) -> tuple[date, date]:
    """The seven days until today, or until the newest message if that is older."""
    today = visit.dates.today
    newest = date_of(ask.newest_day(visit.reader, today.isoformat(), org))
    last = newest if newest and newest < days_before(today, _DAYS) else today
    return days_before(last, _DAYS), last


def _replies(visit: Visit, org: int | None) -> list[Row]:
    since = visit.dates.begin(days_before(_span(visit, org)[1], _LOOKED_BACK))
    return ask.newest_replies(visit.reader, since, iso(visit.dates.now), org)


def _broadcasts(visit: Visit, org: int | None) -> list[Row]:
    found = ask.newest_broadcasts(visit.reader, iso(visit.dates.now), org)
    return [one | {"replied": _sum(one["num_responded"], one["num_replied_to_reply"])} for one in found]


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


PAGES = (Page("/", home, section="home"),)
