"""Who opted out, when, how and after which broadcast.

Owns what counts as opting out: a row of ``opt_out``, a contact's own state (which deliveries set within seconds), or
one channel's. Each person counts once in a time.
"""

from typing import Final

from promptsync.browse.queries.reader import Reader, Row, names_of, of_org, people

PROVIDER: Final = "PHONE_PROVIDER"
"""The ``type`` of an opt-out from one channel; else CONTACT, MANAGED, or None where only the state is known."""


def opted_out(org: int | None) -> str:
    """A query of ``contact_id``, ``at``, ``type`` from ``:since`` to before ``:until``, one person perhaps twice."""
    own = of_org(org)
    return (
        "SELECT contact_id, created_timestamp AS at, type FROM opt_out "
        f"WHERE created_timestamp >= :since AND created_timestamp < :until AND contact_id IS NOT NULL{own} UNION ALL "
        "SELECT id, opt_out_timestamp, NULL FROM contact "
        f"WHERE +is_opted_out = 1 AND opt_out_timestamp >= :since AND opt_out_timestamp < :until{own} UNION ALL "
        f"SELECT contact_id, at, '{PROVIDER}' FROM channel_opt_out "
        f"WHERE at >= :since AND at < :until AND +opted_out = 1{own}"
    )


def count_opted_out(reader: Reader, since: str, until: str, org: int | None) -> int:
    """How many people."""
    sql = f"SELECT count(DISTINCT contact_id) FROM ({opted_out(org)})"
    found: int = reader.value(sql, since=since, until=until, org=org)
    return found


def newest_opt_outs(reader: Reader, since: str, until: str, org: int | None, most: int) -> list[Row]:
    """``contact_id``, ``at``, ``type``, their ``person``, and ``after``: the broadcast that they got last before it."""
    sql = (
        f"SELECT contact_id, max(at) AS at, min(type) AS type FROM ({opted_out(org)}) "
        "GROUP BY contact_id ORDER BY 2 DESC, 1 LIMIT :n"
    )
    found = reader.rows(sql, since=since, until=until, org=org, n=most)
    who = people(reader, [row["contact_id"] for row in found])
    for row in found:
        row["person"] = who[row["contact_id"]]
        row["after"] = last_broadcast(reader, row["contact_id"], row["at"])
    names = names_of(reader, "broadcast", [row["after"]["broadcast_id"] for row in found if row["after"]])
    for row in found:
        if row["after"]:
            row["after"]["name"] = names.get(row["after"]["broadcast_id"])
    return found


def last_cast(contact: str, at: str) -> str:
    """An expression: the id of the broadcast that a person had got last at a time. Both are columns, qualified."""
    return (
        f"(SELECT m.broadcast_id FROM message m WHERE m.contact_id = {contact} AND m.created_timestamp <= {at} "
        "AND m.is_outgoing = 1 AND m.broadcast_id IS NOT NULL ORDER BY m.created_timestamp DESC LIMIT 1)"
    )


def last_broadcast(reader: Reader, contact: int, until: str) -> Row | None:
    """``broadcast_id`` and ``created_timestamp`` of the last broadcast's message to a person."""
    return reader.row(
        "SELECT broadcast_id, created_timestamp FROM message WHERE contact_id = :contact "
        "AND created_timestamp <= :until AND is_outgoing = 1 AND broadcast_id IS NOT NULL "
        "ORDER BY created_timestamp DESC LIMIT 1",
        contact=contact,
        until=until,
    )
