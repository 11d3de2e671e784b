"""Everyone who has opted out, once, by their newest opt-out: week by week, and as a list.

Owns which of a person's opt-outs counts. A contact's own state, which deliveries set within seconds, is the same event
as a row of ``opt_out`` within a day of it; alone it says nothing of how. Every part is read along an index by time, so
that a page of the list reads no more than it shows.
"""

from typing import Final

from promptsync.browse.paging import Position
from promptsync.browse.queries.consent import PROVIDER, last_broadcast
from promptsync.browse.queries.reader import LAST, Reader, Row, names_of, of_org, people

WAYS: Final = {"stop": "CONTACT", "staff": "MANAGED", "automatic": PROVIDER}
"""How, as addresses say it, and as rows do."""

_A_DAY_AFTER: Final = "strftime('%Y-%m-%dT%H:%M:%fZ', o.created_timestamp, '+1 day')"
_A_DAY_BEFORE: Final = "strftime('%Y-%m-%dT%H:%M:%fZ', o.opt_out_timestamp, '-1 day')"
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
        "+o.is_opted_out = 1 AND NOT EXISTS (SELECT 1 FROM opt_out n WHERE n.contact_id = o.id "
        f"AND n.created_timestamp >= {_A_DAY_BEFORE}) AND NOT EXISTS (SELECT 1 FROM channel_opt_out c "
        "WHERE c.contact_id = o.id AND c.opted_out = 1 AND c.at > o.opt_out_timestamp)",
    ),
    "channel": (
        "channel_opt_out",
        ("o.contact_id", "o.at", f"'{PROVIDER}'"),
        "+o.opted_out = 1 AND NOT EXISTS (SELECT 1 FROM opt_out n WHERE n.contact_id = o.contact_id "
        "AND n.created_timestamp >= o.at) AND NOT EXISTS (SELECT 1 FROM contact p WHERE p.id = o.contact_id "
        "AND p.is_opted_out = 1 AND p.opt_out_timestamp >= o.at) AND NOT EXISTS (SELECT 1 FROM channel_opt_out n "
        "WHERE n.contact_id = o.contact_id AND n.opted_out = 1 AND (n.at, n.channel_id) > (o.at, o.channel_id))",
    ),
}
_BY: Final = {"": tuple(_PARTS), "stop": ("rows",), "staff": ("rows",), "automatic": ("channel",)}


def minutes(reader: Reader, since: str, org: int | None) -> list[Row]:
    """``at`` (to the minute), ``type`` and ``n``: people by their newest opt-out since then."""
    return reader.rows(
        f"SELECT substr(at, 1, 16) AS at, type, count(*) AS n FROM ({_outs(org)}) GROUP BY 1, 2",
        since=since,
        until=LAST,
        key=0,
        org=org,
    )


def page_of(reader: Reader, by: str, cast: int | None, org: int | None, edge: Position | None, size: int) -> list[Row]:
    """One more than ``size`` people, the newest first: ``contact_id``, ``at``, ``type``, ``person`` and ``after``, the
    broadcast that they got last before it. ``by``: of WAYS, or "". ``cast``: only those whom that one came last to."""
    until, key = edge or (LAST, 0)
    found = reader.rows(
        f"{_outs(org, by, cast)} ORDER BY 2 DESC, 1 DESC LIMIT :n",
        since="",
        until=until,
        key=key,
        org=org,
        type=WAYS.get(by),
        cast=cast,
        n=size + 1,
    )
    who = people(reader, [row["contact_id"] for row in found])
    last = {row["contact_id"]: last_broadcast(reader, row["contact_id"], row["at"]) for row in found}
    names = names_of(reader, "broadcast", [one["broadcast_id"] for one in last.values() if one])
    for row in found:
        after = last[row["contact_id"]]
        row["person"] = who[row["contact_id"]]
        row["after"] = after and after | {"name": names.get(after["broadcast_id"])}
    return found


def _outs(org: int | None, by: str = "", cast: int | None = None) -> str:
    """A query of ``contact_id``, ``at`` and ``type``, from ``:since`` to before the position ``:until``, ``:key``."""
    found = []
    for name in _BY[by]:
        table, (contact, at, type_), newest = _PARTS[name]
        where = [f"{at} >= :since", f"({at}, {contact}) < (:until, :key)", f"{contact} IS NOT NULL", newest]
        if name == "rows" and by:
            where.append("+o.type = :type")
        if cast is not None:
            where.append(
                "(SELECT m.broadcast_id FROM message m WHERE m.contact_id = "
                f"{contact} AND m.created_timestamp <= {at} AND m.is_outgoing = 1 AND m.broadcast_id IS NOT NULL "
                "ORDER BY m.created_timestamp DESC LIMIT 1) = :cast"
            )
        condition = " AND ".join(where) + of_org(org, "+o.")
        found.append(f"SELECT {contact} AS contact_id, {at} AS at, {type_} AS type FROM {table} o WHERE {condition}")
    return " UNION ALL ".join(found)
