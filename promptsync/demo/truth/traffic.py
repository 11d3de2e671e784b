"""The truth about what was said: messages, conversations, broadcasts. Part of truth."""

from collections.abc import Iterator

from promptsync.clock import iso_millis
from promptsync.demo.prompt import snapshot
from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.truth.knowledge import Knowledge, KnownMessage, status_of, successful
from promptsync.demo.truth.rows import Rows
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.world import World


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
