"""Campaigns of Customer.io: what each sent, what became of it, when, and whom each number is made of."""

from datetime import date
from typing import Any, Final

from datasette.utils.asgi import NotFound  # type: ignore[import-untyped]

from promptsync.browse.cells import clean
from promptsync.browse.page import Answer, Page, Sheet, Shown, Visit, sheet_of
from promptsync.browse.pages.person import customer_address
from promptsync.browse.paging import part, position, whole
from promptsync.browse.queries import campaigns as ask
from promptsync.browse.queries.reader import PAGE, Row

_PARTS: Final = ("delivered", "opened", "clicked", "unsubscribed", "bounced")
_MACHINES: Final = ("opened-by-machine", "clicked-by-machine")


def campaigns(visit: Visit) -> Shown:
    """The list."""
    rows = ask.page_of(visit.reader, whole(visit.query.get("after")), PAGE)
    shown = [row | {"name": _label(visit, row)} for row in rows[:PAGE]]
    following = str(shown[-1]["id"]) if len(rows) > PAGE else ""
    return Shown("campaigns.html", visit.say("campaigns.title"), {"rows": shown, "next": following})


def campaign(visit: Visit) -> Answer:
    """The report, one of its lists, or that list as a spreadsheet. Raises NotFound."""
    id_ = whole(visit.parts["id"])
    row = ask.campaign(visit.reader, id_) if id_ is not None else None
    if row is None:
        raise NotFound(visit.say("campaigns.nothing"))
    row["name"] = _label(visit, row)
    which = visit.parts["which"]
    if not which:
        return Shown("campaign.html", row["name"][:80], _report(visit, row))
    return _sheet(visit, row, which) if visit.parts["format"] else _list(visit, row, which)


def _label(visit: Visit, row: Row) -> str:
    return clean(row["name"]).strip() or visit.say("campaigns.numbered", id=str(row["id"]))


def _report(visit: Visit, row: Row) -> dict[str, Any]:
    counts = ask.counts(visit.reader, row["id"])
    days: dict[date | None, int] = {}
    for one in ask.sent_minutes(visit.reader, row["id"]) if counts else ():
        moment = visit.dates.local(f"{one['at']}Z")
        day = moment.date() if moment else None
        days[day] = days.get(day, 0) + one["n"]
    ordered = sorted(days.items(), key=lambda one: one[0] or date.min, reverse=True)
    shown = [(visit.dates.day(day) if day else visit.say("dates.unknown"), n) for day, n in ordered]
    return {"row": row, "counts": counts, "parts": _PARTS, "machines": _MACHINES, "days": shown}


def _list(visit: Visit, row: Row, which: str) -> Shown:
    rows = ask.deliveries(visit.reader, row["id"], which, position(visit.query.get("after")), PAGE)
    found = part(rows, PAGE, "delivery_id", "workspace_id")
    unnamed = str(visit.say("person.unnamed"))
    shown = [
        {**one, "path": customer_address(one), "person": clean(one["person"]).strip() or unnamed} for one in found.rows
    ]
    values = {"row": row, "rows": shown, "next": found.next}
    return Shown("campaign_people.html", visit.say(f"campaigns.lists.{which}"), values)


def _sheet(visit: Visit, row: Row, which: str) -> Sheet:
    keys = ("campaigns.person", "campaigns.email", "campaigns.recipient", "campaigns.type", "sheet.when")

    def line(one: Row) -> list[object]:
        return [one["person"], one["email"], one["recipient"], one["type"], visit.dates.cell(one["at"])]

    headings = [visit.say(key, zone=visit.dates.zone.key) for key in keys]
    return sheet_of(
        f"campaign-{row['id']}-{which}",
        headings,
        lambda reader, place, size: ask.deliveries(reader, row["id"], which, place, size),
        line,
        ("delivery_id", "workspace_id"),
    )


_ADDRESS: Final = r"/-/campaign/(?P<id>[0-9]{1,30})"
PAGES = (
    Page("/-/campaigns", campaigns, section="broadcasts"),
    Page(rf"{_ADDRESS}(?P<which>)(?P<format>)", campaign, section="broadcasts"),
    Page(rf"{_ADDRESS}/(?P<which>{'|'.join(ask.WHICH)})(\.(?P<format>csv|xlsx))?", campaign, section="broadcasts"),
)
