"""The truth about people: contacts with their lists and fields, team members, channels, tags. Part of truth."""

from collections.abc import Callable, Hashable, Iterable, Iterator

from promptsync.clock import iso_millis
from promptsync.demo.prompt import models, snapshot
from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.truth.knowledge import Knowledge, KnownContact
from promptsync.demo.truth.rows import Rows
from promptsync.demo.world.people import Contact, ContactList, S, Tag, TeamMember, holding
from promptsync.demo.world.time import RUN_DELAY
from promptsync.demo.world.world import World


def exported(world: World, knowledge: Knowledge) -> dict[str, Rows]:
    """Tables that nothing but the newest night tells."""
    tables: dict[str, Rows] = {}
    for table in ("org", "contact_data", "contact_tag", "opt_out", "opt_in"):
        as_of = knowledge.nights.get(table)
        tables[table] = [] if as_of is None else snapshot.TABLES[table](world, as_of)
    tables["contact_data"] = [{**row, "deleted": row["value"] is None} for row in tables["contact_data"]]
    return tables


def contacts(world: World, knowledge: Knowledge) -> dict[str, Rows]:
    """Contacts and the tables of what is listed with them."""
    tables: dict[str, list[Row]] = {
        name: []
        for name in ("contact", "contact_channel", "contact_identity", "contact_current_tag", "contact_list_member")
    }
    tables |= {"channel_opt_out": [], "tag": [], "contact_list": []}
    tags: dict[Tag, None] = {}
    lists: dict[ContactList, None] = {}
    for contact in world.log.contacts:
        known = knowledge.contacts.get(contact.id)
        if row := _contact(contact, known, knowledge.nights.get("contact")):
            tables["contact"].append(row)
        if known is not None:
            _listed(tables, contact, known)
            for _, made in known.lists:
                tags |= {tagging.tag: None for tagging in holding(contact.taggings, made)}
                lists |= {member.list: None for member in holding(contact.memberships, made)}
    tables["tag"] = [{"id": tag.id, "name": tag.name, "color_code": tag.color} for tag in tags]
    tables["contact_list"] = [_list_row(chosen) for chosen in lists]
    return {**tables}


def _contact(contact: Contact, known: KnownContact | None, as_of: int | None) -> Row | None:
    """The newest night's row, with those facts on which a webhook had the last word."""
    row: Row = {"id": contact.id}
    night = -1
    if as_of is not None and contact.created <= as_of + RUN_DELAY:
        row = snapshot.contact_row(contact, as_of + RUN_DELAY)
        night = max(as_of, contact.updated(as_of + RUN_DELAY))
    elif known is None:
        return None
    if known is None:
        return row
    if known.name is not None and known.name[0] >= night:
        row["display_name"] = contact.name.at(known.name[1])
    if known.born:
        row["created_timestamp"] = iso_millis(contact.created)
    if night < 0 and known.reachable and sum(reach.kind == "SMS" for reach in contact.reaches) == 1:
        row["phone"] = contact.phone
    if known.consent is not None and known.consent[0] >= night:
        since, out = known.consent
        row |= {"is_opted_out": out, "opt_out_timestamp": iso_millis(since) if out else None}
    return row


def _listed(tables: dict[str, list[Row]], contact: Contact, known: KnownContact) -> None:
    """Adds the rows of a contact's lists, and its opt-outs from channels."""
    who = {"contact_id": contact.id}

    def lines(spells: Iterable[S], key: Callable[[S], Hashable], facts: Callable[[S], Row]) -> list[Row]:
        return [{**who, **row} for row in _restated(known, spells, key, facts)]

    tables["contact_channel"] += lines(
        contact.reaches, lambda r: (r.kind, r.key), lambda r: {"identity_type": r.kind, "key": r.key}
    )
    tables["contact_identity"] += lines(
        contact.reaches, lambda r: (r.kind, r.key), lambda r: {"type": r.kind, "key": r.key}
    )
    tables["contact_current_tag"] += lines(
        contact.taggings,
        lambda t: t.tag.id,
        lambda t: {"tag_id": t.tag.id, "note": t.note, "added_at": iso_millis(t.added)},
    )
    tables["contact_list_member"] += lines(
        contact.memberships,
        lambda m: m.list.id,
        lambda m: {"contact_list_id": m.list.id, "added_at": iso_millis(m.added)},
    )
    tables["channel_opt_out"] += [
        {
            **who,
            "channel_id": stop.channel.id,
            "opted_out": stop.opted_out,
            "at": iso_millis(stop.at),
            "contact_key": contact.phone,
        }
        for stop in known.stops.values()
    ]


def _restated(
    known: KnownContact, spells: Iterable[S], key: Callable[[S], Hashable], facts: Callable[[S], Row]
) -> Iterator[Row]:
    """Rows of one list after each time it was stated whole: what a later statement lacked first is removed then."""
    spells = list(spells)
    rows: dict[Hashable, Row] = {}
    for received, made in sorted(known.lists):
        on = {key(spell): facts(spell) for spell in holding(spells, made)}
        for gone in rows.keys() - on.keys():
            rows[gone]["removed_at"] = rows[gone]["removed_at"] or iso_millis(received)
        for name, row in on.items():
            rows[name] = {**row, "removed_at": None}
    yield from rows.values()


def _list_row(chosen: ContactList) -> Row:
    return {
        "id": chosen.id, "name": chosen.name, "api_id": chosen.api_id, "description": chosen.description,
        "type": "PROMPT",
    }  # fmt: skip


def staff(world: World, knowledge: Knowledge) -> dict[str, Rows]:
    """Team members, their identities, channels."""
    return {
        "team_member": [
            _member_row(id_, member or knowledge.named.get(id_)) for id_, member in knowledge.staff.items()
        ],
        "team_member_identity": [
            {"team_member_id": member.id, "type": type_, "key": key}
            for member in knowledge.staff.values()
            if member is not None
            for type_, key in models.identities(member)
        ],
        "channel": [
            {
                "id": channel.id,
                **(models.channel_row(models.org_channel(channel)) if knowledge.channels[channel.id] else {}),
            }
            for channel in world.log.staff.channels
            if channel.id in knowledge.channels
        ],
    }


def _member_row(id_: int, member: TeamMember | None) -> Row:
    if member is None:
        return {"id": id_}
    return {"id": id_, "display_name": member.name, "created_timestamp": iso_millis(member.created)}
