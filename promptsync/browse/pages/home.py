"""Home: how the last seven days went, who wrote, which broadcasts went out, who opted out."""

from datetime import date, timedelta

from promptsync.browse.dates import days_before, iso
from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.queries.consent import newest_opt_outs
from promptsync.browse.queries.home import newest_broadcasts, newest_message, newest_replies, week

_DAYS = 7
_OPT_OUTS = 6


def home(visit: Visit) -> Shown:
    """The page. Its days are the seven before the newest message, if that is no longer within the last seven."""
    dates, reader = visit.dates, visit.reader
    now = iso(dates.now)
    last = _last_day(visit, now)
    first = days_before(last, _DAYS)
    since, until = dates.begin(first), dates.begin(last + timedelta(days=1))
    broadcasts = newest_broadcasts(reader, now, visit.org)
    return Shown(
        "home.html",
        visit.say("home.title"),
        {
            "name": _name(visit),
            "counts": week(reader, (first.isoformat(), last.isoformat()), (since, until), visit.org),
            "span": {"from_": first, "to": last},
            "current": last == dates.today,
            "first": dates.day(first),
            "last": dates.day(last),
            "replies": newest_replies(reader, now, visit.org),
            "broadcasts": [
                one | {"replied": _sum(one["num_responded"], one["num_replied_to_reply"])} for one in broadcasts
            ],
            "opt_outs": newest_opt_outs(reader, since, until, visit.org, _OPT_OUTS),
        },
    )


def _last_day(visit: Visit, now: str) -> date:
    today = visit.dates.today
    newest = visit.dates.local(newest_message(visit.reader, now, visit.org))
    return newest.date() if newest and newest.date() < days_before(today, _DAYS) else today


def _name(visit: Visit) -> str:
    """The organisation's, if one is meant."""
    chosen = [one["name"] for one in visit.orgs if visit.org in (None, one["id"])]
    return str((chosen[0] if len(chosen) == 1 else None) or visit.say("home.heading"))


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


PAGES = (Page("/", home, section="home"),)
