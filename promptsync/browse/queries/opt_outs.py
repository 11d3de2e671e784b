"""Everyone who has opted out, once, by their newest opt-out: week by week, and as a list.

Owns which of a person's opt-outs counts. A contact's own state, which deliveries set within seconds, is the same event
as a row of ``opt_out`` within a day of it; alone it says nothing of how. Every part is read along an index by time, so
that a page of the list reads little more than it shows: nearly every state is some row's event, so states are read only
as far back as the page goes.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from promptsync.browse.dates import iso
from promptsync.browse.paging import Position
from promptsync.browse.queries.consent import PROVIDER, last_broadcast, last_cast
from promptsync.browse.queries.reader import LAST, Reader, Row, names_of, of_org, people

WAYS: Final = {"stop": "CONTACT", "staff": "MANAGED", "automatic": PROVIDER}
"""How, as addresses say it, and as rows do."""

ISO: Final = "%Y-%m-%dT%H:%M:%fZ"
_A_DAY_AFTER: Final = f"strftime('{ISO}', o.created_timestamp, '+1 day')"
_ALONE: Final = (
    "NOT EXISTS (SELECT 1 FROM opt_out n WHERE n.contact_id = {0}.id "
    f"AND n.created_timestamp >= strftime('{ISO}', {{0}}.opt_out_timestamp, '-1 day'))"
)
_PARTS: Final = {
    "rows": (
        "opt_out",
        ("o.contact_id", "o.created_timestamp", "o.type"),
        "NOT EXISTS (SELECT 1 FROM opt_out n WHERE n.contact_id = o.contact_id AND (n.created_timestamp, n.id) > "
        "(o.created_timestamp, o.id)) AND NOT EXISTS (SELECT 1 FROM contact p WHERE p.id = o.contact_id "
        f"AND p.is_opted_out = 1 AND p.opt_out_timestamp > {_A_DAY_AFTER}) AND NOT EXISTS (SELECT 1 FROM "
        "channel_opt_out c WHERE c.contact_id = o.contact_id AND c.opted_out = 1 AND c.at > o.created_timestamp)",
    ),
    "state": (
        "contact",
        ("o.id", "o.opt_out_timestamp", "NULL"),
        f"+o.is_opted_out = 1 AND {_ALONE.format('o')} AND NOT EXISTS (SELECT 1 FROM channel_opt_out c "
        "WHERE c.contact_id = o.id AND c.opted_out = 1 AND c.at > o.opt_out_timestamp)",
    ),
    "channel": (
        "channel_opt_out",
        ("o.contact_id", "o.at", f"'{PROVIDER}'"),
        "+o.opted_out = 1 AND NOT EXISTS (SELECT 1 FROM opt_out n WHERE n.contact_id = o.contact_id "
        "AND n.created_timestamp >= o.at) AND NOT EXISTS (SELECT 1 FROM contact p WHERE p.id = o.contact_id "
        f"AND p.is_opted_out = 1 AND p.opt_out_timestamp >= o.at AND {_ALONE.format('p')}) AND NOT EXISTS (SELECT 1 "
        "FROM channel_opt_out n "
        "WHERE n.contact_id = o.contact_id AND n.opted_out = 1 AND (n.at, n.channel_id) > (o.at, o.channel_id))",
    ),
}
_BY: Final = {"": ("rows", "channel"), "stop": ("rows",), "staff": ("rows",), "automatic": ("channel",)}


def by_week(reader: Reader, weeks: Sequence[str], org: int | None) -> dict[str | None, list[int]]:
    """By the ``type`` of their newest opt-out: how many people in each week.

    ``weeks``: when each begins, in order, and when the last one ends.
    """
    times: dict[str | None, list[str]] = {}
    for at, type_ in _newest(reader, weeks[0], org):
        times.setdefault(type_, []).append(at)
    found = {}
    for type_, own in times.items():
        own.sort()
        ends = [bisect_left(own, week) for week in weeks]
        found[type_] = [end - begin for begin, end in pairwise(ends)]
    return found


def _newest(reader: Reader, since: str, org: int | None) -> Iterable[tuple[str, str | None]]:
    """When and how everyone opted out last, of those who have since then. Times are compared here: a look-up of what
    else each of them did takes five times as long."""
    own, values = of_org(org), {"since": since, "last": LAST, "org": org}
    rows = (
        "FROM (SELECT contact_id, created_timestamp AS at, type FROM opt_out WHERE contact_id IS NOT NULL "
        f"AND created_timestamp >= strftime('{ISO}', :since, '-1 day') AND created_timestamp < :last{own} "
        "ORDER BY created_timestamp)"
    )
    contacts, times, types = reader.columns(("contact_id", "at", "type"), rows, **values)
    found: dict[int, tuple[str, str | None]] = dict(zip(contacts, zip(times, types, strict=True), strict=True))
    states = f"FROM contact WHERE +is_opted_out = 1 AND opt_out_timestamp >= :since AND opt_out_timestamp < :last{own}"
    for contact, at in zip(*reader.columns(("id", "opt_out_timestamp"), states, **values), strict=True):
        row = found.get(contact)
        if row is None or (at > row[0] and at[:10] != row[0][:10] and at > _a_day_after(row[0])):
            found[contact] = (at, None)
    channels = f"FROM channel_opt_out WHERE +opted_out = 1 AND at >= :since AND at < :last{own}"
    for contact, at in zip(*reader.columns(("contact_id", "at"), channels, **values), strict=True):
        if contact not in found or at > found[contact][0]:
            found[contact] = (at, PROVIDER)
    return (one for one in found.values() if one[0] >= since)


def _a_day_after(at: str) -> str:
    try:
        return iso(datetime.fromisoformat(at) + timedelta(days=1))
    except (OverflowError, ValueError):
        return at


def page_of(reader: Reader, by: str, cast: int | None, org: int | None, edge: Position | None, size: int) -> list[Row]:
    """One more than ``size`` people, the newest first: ``contact_id``, ``at``, ``type``, ``person`` and ``after``, the
    broadcast that they got last before it. ``by``: of WAYS, or "". ``cast``: only those whom that one came last to."""
    until, key = edge or (LAST, 0)
    values = {"until": until, "key": key, "org": org, "type": WAYS.get(by), "cast": cast, "n": size + 1}
    newest_first = "ORDER BY 2 DESC, 1 DESC LIMIT :n"
    found = reader.rows(f"{_outs(org, by, cast)} {newest_first}", since="", **values)
    if not by:
        since = found[-1]["at"] if len(found) > size else ""
        states = reader.rows(f"{_part('state', org, by, cast)} {newest_first}", since=since, **values)
        found = sorted([*found, *states], key=lambda row: (row["at"], row["contact_id"]), reverse=True)[: size + 1]
    who = people(reader, [row["contact_id"] for row in found])
    last = {row["contact_id"]: last_broadcast(reader, row["contact_id"], row["at"]) for row in found}
    names = names_of(reader, "broadcast", [one["broadcast_id"] for one in last.values() if one])
    for row in found:
        after = last[row["contact_id"]]
        row["person"] = who[row["contact_id"]]
        row["after"] = after and after | {"name": names.get(after["broadcast_id"])}
    return found


def _outs(org: int | None, by: str, cast: int | None) -> str:
    """A query of ``contact_id``, ``at`` and ``type``, from ``:since`` to before the position ``:until``, ``:key``."""
    return " UNION ALL ".join(_part(name, org, by, cast) for name in _BY[by])


def _part(name: str, org: int | None, by: str, cast: int | None) -> str:
    table, (contact, at, type_), newest = _PARTS[name]
    where = [f"{at} >= :since", f"({at}, {contact}) < (:until, :key)", f"{contact} IS NOT NULL", newest]
    if name == "rows" and by:
        where.append("+o.type = :type")
    if cast is not None:
        where.append(f"{last_cast(contact, at)} = :cast")
    condition = " AND ".join(where) + of_org(org, "+o.")
    return f"SELECT {contact} AS contact_id, {at} AS at, {type_} AS type FROM {table} o WHERE {condition}"
