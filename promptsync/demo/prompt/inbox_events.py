"""Deliveries about desk work: team members, channels, scheduled messages, instant apps, integrations, consoles.

One builder for each shape, in exactly the specification's form; each also says what a receiver learns from it. Follows
Event Endpoint. When they happen is decided in desk.
"""

from collections.abc import Sequence
from typing import Any

from promptsync.clock import iso_millis
from promptsync.demo.prompt import models
from promptsync.demo.prompt.events import Event
from promptsync.demo.prompt.models import Body
from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.truth.knowledge import Told
from promptsync.demo.world.people import Channel, Contact, TeamMember
from promptsync.demo.world.traffic import Conversation


def agent(org: int, path: str, at: int, member: TeamMember, email: str = "") -> Event:
    """agent/added, agent/modified, agent/deleted: told without a time of their own."""
    email = email or member.email
    body = {"orgId": org, "agent": models.agent(member, email)}

    def says(told: Told, now: int) -> None:
        learn_agent(told, now, member, email)
        deleted = {"deleted_at": iso_millis(now) if path == "agent/deleted" else None}
        told.fact("team_member", (member.id,), "deletion", now, deleted)

    return Event(path, body, at, at, says)


def activity(org: int, path: str, at: int, member: TeamMember, talk: Conversation | None = None) -> Event:
    """agent/login and /logout, agentTools/*, monitor/*. ``talk``: where one is opened or inspected."""
    timed = path != "monitor/inspect"
    body: Body = {"orgId": org, "agent": models.agent(member, member.email)}
    if talk is not None:
        body["conversation" if path == "agentTools/booted" else "interaction"] = models.conversation(talk, at)
    if timed:
        body["timestamp"] = models.millis(at)

    def says(told: Told, now: int) -> None:
        when = at if timed else now
        learn_agent(told, when, member, member.email)
        if talk is not None:
            told.conversation(talk, talk.states.since(at))
        told.happen("agent_activity", member.id, path, talk.id if talk else None, iso_millis(when))

    return Event(path, body, at, at, says)


def learn_agent(told: Told, order: int, member: TeamMember, email: str) -> None:
    """What a TeamMemberModel says."""
    told.staff[member.id] = member
    model = models.agent(member, email)
    account: Row = {"email": email, "mfa_phone_number": model["mfaPhoneNumber"], "mfa_verified": model["mfaVerified"]}
    told.fact("team_member", (member.id,), "account", order, account)


def conversation_added(org: int, talk: Conversation) -> Event:
    """conversation/added, as it began."""
    at = talk.states.times[0]
    body = {"orgId": org, "interaction": models.conversation(talk, at)}

    def says(told: Told, _now: int) -> None:
        told.conversation(talk, at)
        status = talk.states.at(at).status
        told.happen("conversation_change", talk.id, "added", None, None, None, status, iso_millis(at))

    return Event("conversation/added", body, at, at, says)


def conversation_members(org: int, talk: Conversation, at: int, users: Sequence[TeamMember], joined: bool) -> Event:
    """conversation/joined and conversation/left."""
    change = "joined" if joined else "left"
    people = [models.user(user.id, user.name, user.created, "TEAM_MEMBER") for user in users]
    body = {"orgId": org, "interaction": models.conversation(talk, at), "users": people, "timestamp": models.millis(at)}

    def says(told: Told, _now: int) -> None:
        told.conversation(talk, at)
        status = talk.states.at(at).status
        for user in users:
            told.named[user.id] = user
            row = talk.id, change, "TEAM_MEMBER", user.id, user.id, status, iso_millis(at)
            told.happen("conversation_change", *row)

    return Event(f"conversation/{change}", body, at, at, says)


def conversation_status(org: int, at: int) -> Event:
    """conversation/status: deprecated, says nothing."""

    def says(told: Told, now: int) -> None:
        told.happen("conversation_change", None, "status", None, None, None, None, iso_millis(now))

    return Event("conversation/status", {"orgId": org}, at, at, says)


def conversation_config(org: int, at: int, contact: Contact, channel: Channel, opted_out: bool) -> Event:
    """conversation-config/modified, after an opt-out from one channel."""
    id_ = 70_000 + contact.id
    config = {"id": id_, "orgChannelId": channel.id, "customerId": contact.id, "phoneProviderOptOut": opted_out}

    def says(told: Told, now: int) -> None:
        row: Row = {"channel_id": channel.id, "contact_id": contact.id, "phone_provider_opt_out": opted_out}
        told.fact("conversation_config", (id_,), "facts", now, row)
        told.channels.setdefault(channel.id, False)
        told.mention_contact(contact)

    return Event("conversation-config/modified", {"orgId": org, "interactionConfig": config}, at, at, says)


def scheduled(org: int, path: str, at: int, model: Body) -> Event:
    """message/scheduled and its /modified and /deleted. ``model``: a ScheduledActionModel."""

    def says(told: Told, now: int) -> None:
        row: Row = {
            "user_id": model["userId"],
            "channel_id": model["orgChannel"]["id"],
            "identity_type": model["customerChannel"]["identityType"],
            "contact_key": model["customerChannel"]["key"],
            "created_timestamp": iso_millis(model["createdTimestamp"] * 1000),
            "status": model["status"],
            "deliver_on": iso_millis(model["deliverOn"] * 1000),
            "message": model["fulfillment"]["message"],
        }
        told.fact("scheduled_message", (model["id"],), "facts", now, row)
        told.channels[model["orgChannel"]["id"]] = True
        told.staff.setdefault(model["userId"])

    return Event(path, {"orgId": org, "scheduledAction": model}, at, at, says)


def channel(org: int, path: str, at: int, told_of: Channel) -> Event:
    """channels/added, channels/modified, channels/deleted."""
    model = models.org_channel(told_of)

    def says(told: Told, now: int) -> None:
        told.fact("channel", (told_of.id,), "facts", now, models.channel_row(model))
        deleted = {"deleted_at": iso_millis(now) if path == "channels/deleted" else None}
        told.fact("channel", (told_of.id,), "deletion", now, deleted)

    return Event(path, {"orgId": org, "channel": model}, at, at, says)


def instant_app(org: int, event: str, at: int, app: Body, contact: Contact | None, **more: Any) -> Event:
    """instantApp/*. ``more``: value, newValues and oldValues, or errorMessage and errorCode."""
    timed = event not in ("added", "error")
    changed: Body = {name: more[name] for name in ("newValues", "oldValues") if name in more}
    body: Body = {"orgId": org, **{name: more[name] for name in more if name not in changed}, "instantApp": app}
    if contact is not None:
        body["customer"] = models.customer(contact, at, full=False)
    body |= changed
    if timed:
        body["timestamp"] = models.millis(at)
    kept = [models.packed(more[name]) if name in more else None for name in ("value", "newValues", "oldValues")]

    def says(told: Told, now: int) -> None:
        when, key = at if timed else now, (app["id"],)
        row: Row = {
            "schema_api_id": app["schemaApiId"],
            "status": app["status"],
            "created_timestamp": iso_millis(app["createdTimestamp"] * 1000),
            "customer_url": app["customerUrl"],
            "parameters": models.packed(app["parameters"]),
        }
        told.fact("instant_app", key, "facts", when, row)
        if contact is not None:
            told.fact("instant_app", key, "contact", when, {"contact_id": contact.id})
            told.customer(contact, when, at)
        errors = more.get("errorCode"), more.get("errorMessage")
        who = contact.id if contact else None
        told.happen("instant_app_event", app["id"], event, who, app["status"], *kept, *errors, iso_millis(when))

    return Event(f"instantApp/{event}", body, at, at, says)
