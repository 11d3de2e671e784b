"""The truth about Prompt's tables: contacts and what is listed with them, the team, and what was said.

Owns which rows a night or a webhook reported, and which of the two had the last word on each column. Values come from
the simulated world at the instants that ``Knowledge`` names.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator

from promptsync.clock import iso_millis
from promptsync.demo.prompt import models, snapshot
from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.truth.knowledge import Knowledge, KnownContact, KnownMessage, status_of, successful
from promptsync.demo.truth.rows import Rows
from promptsync.demo.world.people import Contact, ContactList, S, Tag, TeamMember, holding
from promptsync.demo.world.time import RUN_DELAY
from promptsync.demo.world.traffic import Message
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


def messages(world: World, knowledge: Knowledge) -> Iterator[Row]:
    """Every message that a night or a webhook reported."""
    as_of = knowledge.nights.get("message", -1)
    for message in world.log.messages:
        exported = message.at <= as_of
        row: Row = {"id": message.id}
        if exported:
            row = snapshot.message_row(message, as_of)
        known = knowledge.messages.get(message.id)
        if known is not None:
            row |= _known(message, known, as_of if exported else -1)
        if exported or known is not None:
            yield row


def _known(message: Message, known: KnownMessage, night: int) -> Row:
    """The columns on which webhooks had the last word. ``night``: the newest that held the message, or -1."""
    conversation = message.conversation
    row: Row = {
        "created_timestamp": iso_millis(message.at), "content": message.content, "is_outgoing": message.outgoing,
        "team_member_id": message.team_member_id, "user_type": message.user_type, "user_id": message.user_id,
        "has_instant_app": False,
    }  # fmt: skip
    if known.live is not None:
        row["external_message_id"] = message.external(known.live[1])
    if known.placed:
        row |= {
            "contact_id": conversation.contact.id,
            "conversation_id": conversation.id,
            "channel_id": conversation.channel.id,
        }
    if known.added:
        row |= {"contact_phone": conversation.contact.phone, "org_phone": conversation.channel.phone}
        if message.at >= night:  # later nights put a reply down to a broadcast
            broadcast = message.broadcast
            row |= {"broadcast_id": broadcast.id if broadcast else None, "is_broadcast": broadcast is not None}
    return row | _delivery(message, known, night)


def _delivery(message: Message, known: KnownMessage, night: int) -> Row:
    row: Row = {}
    if known.state is not None:
        row |= {"status": status_of(known.state), "status_timestamp": iso_millis(known.state[1])}
    if known.outcome is not None:
        final, at, _ = known.outcome
        if final or at >= night:
            row["is_successful"] = successful(known.outcome)
    if known.error is not None and known.error >= night:
        row["error_message"] = message.ending.text if message.ending else None
    return row


def broadcasts(world: World, knowledge: Knowledge) -> Iterator[Row]:
    """Every broadcast that a night or a webhook reported or a webhook mentioned."""
    as_of = knowledge.nights.get("broadcast", -1)
    for broadcast in world.log.broadcasts:
        exported = broadcast.created <= as_of
        if not exported and broadcast.id not in knowledge.broadcasts:
            continue
        row: Row = {"id": broadcast.id}
        if exported:
            row = snapshot.broadcast_row(broadcast, as_of)
        if word := knowledge.broadcasts.get(broadcast.id):
            status, status_message = broadcast.states.at(word[1])
            row |= {"status": status, "status_message": status_message}
        yield row


def conversations(knowledge: Knowledge) -> dict[str, Rows]:
    """Conversations as of the newest update received, and the team members ever said to be in them."""
    found: list[Row] = []
    members: list[Row] = []
    for talk, noted in knowledge.conversations.values():
        state = talk.states.at(noted)
        first = talk.states.values[-1].first if talk.id in knowledge.firsts else None
        found.append(
            {
                "id": talk.id,
                "contact_id": talk.contact.id,
                "channel_id": talk.channel.id,
                "status": state.status,
                "topic": state.topic,
                "created_timestamp": iso_millis(talk.created),
                "last_updated_timestamp": iso_millis(noted),
                "first_message_id": first.id if first else None,
            }
        )
    for (id_, member), noted in knowledge.members.items():
        active = dict(knowledge.conversations[id_][0].states.at(noted).members)[member]
        members.append({"conversation_id": id_, "team_member_id": member, "active": active})
    return {"conversation": found, "conversation_member": members}
