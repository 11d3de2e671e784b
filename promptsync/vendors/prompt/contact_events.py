"""What events about contacts, messages, conversations and broadcasts claim.

Source: Event Endpoint specification, Customer, Message, Conversation and Broadcast events, smartlink/clicked. One
function for each shape; pure, from a delivery's fields to its claims.
"""

from promptsync.clock import iso_millis
from promptsync.events.claims import Claims
from promptsync.events.fields import Fields
from promptsync.vendors.prompt.people import customer, user
from promptsync.vendors.prompt.records import (
    channel,
    conversation,
    conversation_config,
    mention,
    message,
    observed,
    scheduled_message,
)


def customer_added(body: Fields, claims: Claims) -> None:
    """customer/added."""
    if (model := body.required("customer")) is not None:
        customer(model, claims, whole_lists=True)


def customer_modified(body: Fields, claims: Claims) -> None:
    """customer/modified: up to 100 customers."""
    for model in _objects(body, "customers"):
        customer(model, claims, whole_lists=True)


def customer_opt_out(body: Fields, claims: Claims) -> None:
    """customer/optOut, GLOBAL (up to 100 customers) or PHONE_PROVIDER (one customer, one channel)."""
    scope = body.word("optOutType")
    if scope == "PHONE_PROVIDER" or (scope != "GLOBAL" and not body.has_list("customers")):
        _channel_opt_out(body, claims)
        return
    opted_out = body.flag("optOut")
    for item, model in enumerate(_objects(body, "customers")):
        contact_id = customer(model, claims, consent=False)
        if contact_id is None or not isinstance(opted_out, int):
            continue
        since = model.time("globalOptOutTimestamp") or iso_millis(claims.at)
        claims.row("contact", contact_id).told("consent", claims.at, opted_out, since if opted_out else None)
        claims.event("opt_out_change", item, contact_id, "GLOBAL", opted_out, iso_millis(claims.at), None)


def _channel_opt_out(body: Fields, claims: Claims) -> None:
    model, org_channel = body.required("customer"), body.required("orgChannel")
    contact_id = customer(model, claims) if model is not None else None
    channel_id = channel(org_channel, claims) if org_channel is not None else None
    reached = body.object("customerChannel")
    key = reached.word("key") if reached is not None else None
    opted_out, at = body.flag("optOut"), iso_millis(claims.at)
    if contact_id is None or not isinstance(opted_out, int):
        return
    if channel_id is not None:
        claims.row("channel_opt_out", contact_id, channel_id).told("facts", claims.at, opted_out, at, key)
    claims.event("opt_out_change", 0, contact_id, "PHONE_PROVIDER", opted_out, at, channel_id)


def message_added(body: Fields, claims: Claims) -> None:
    """message/added: the message, its conversation, and who wrote it."""
    model, interaction = body.required("message"), body.object("interaction")
    place = conversation(interaction, claims) if interaction is not None else None
    if (poster := body.object("postingUser")) is not None:
        user(poster, claims)
    told_id = body.integer("bulkActionId")
    broadcast_id = mention(claims, "broadcast", told_id)
    if model is None:
        return
    at = claims.when(model, "createdTimestamp") or claims.at
    row = message(model, claims, at)
    if row is None:
        return
    row.told("phones", at, body.text("customerChannel"), body.text("orgChannel"))
    row.told("bot", at, body.json("botResponse"))
    if told_id is None or isinstance(told_id, int):
        inbound = model.word("userType") == "CUSTOMER"
        row.told("broadcast", at, broadcast_id, int(broadcast_id is not None and not inbound))
    if place is not None:
        row.told("place", at, place[0], place[2])
        if place[1] is not None:
            row.told("contact", at, place[1])


def message_status(body: Fields, claims: Claims) -> None:
    """message/status, one message or a batch."""
    single = body.object("message")
    models = [single] if single is not None else _objects(body, "messages")
    for item, model in enumerate(models):
        row = message(model, claims, claims.at)
        if row is not None:
            claims.event("message_status", item, row.key[0], model.word("status"), iso_millis(claims.at))


def message_error(body: Fields, claims: Claims) -> None:
    """message/error."""
    model = body.required("message")
    row = message(model, claims, claims.at) if model is not None else None
    if row is None:
        return
    why = body.text("errorMessage")
    row.told("reason", claims.at, why)
    claims.event("message_error", 0, row.key[0], why, iso_millis(claims.at))


def message_scheduled(body: Fields, claims: Claims) -> None:
    """message/scheduled, and its /modified and /deleted, which says ABORTED itself."""
    if (model := body.required("scheduledAction")) is not None:
        scheduled_message(model, claims)


def conversation_told(body: Fields, claims: Claims) -> None:
    """conversation/added; and conversation/status, deprecated: it happened, whatever it still carries."""
    change = claims.type.rpartition("/")[2]
    model = body.object("interaction") or body.object("conversation")
    if model is None and change == "added":
        body.required("interaction")
    place = conversation(model, claims) if model is not None else None
    if place is None and change == "added":
        return
    status = model.text("status") if model is not None else None
    at = observed(model, claims) if model is not None else claims.at
    claims.event("conversation_change", 0, place and place[0], change, None, None, None, status, iso_millis(at))


def conversation_members(body: Fields, claims: Claims) -> None:
    """conversation/joined and conversation/left: as of the body's own time its users are in it, or no longer."""
    change = claims.type.rpartition("/")[2]
    active = int(change == "joined")
    told = [(model, model.word("userType"), model.identifier("id")) for model in _objects(body, "users")]
    members = frozenset(id_ for _, kind, id_ in told if kind == "TEAM_MEMBER" and id_ is not None)
    model = body.required("interaction")
    place = conversation(model, claims, members) if model is not None else None
    conversation_id = None if place is None else place[0]
    status = model.text("status") if model is not None else None
    for item, (who, kind, user_id) in enumerate(told):
        user(who, claims)
        member_id = user_id if kind == "TEAM_MEMBER" else None
        if conversation_id is not None and member_id is not None:
            claims.row("conversation_member", conversation_id, member_id).told("facts", claims.at, active)
        elif conversation_id is not None and kind == "BOT" and user_id is not None:
            claims.row("conversation_bot", conversation_id, user_id)
        cells = conversation_id, change, kind, user_id, member_id, status
        claims.event("conversation_change", item, *cells, iso_millis(claims.at))
    if not told and conversation_id is not None:
        claims.event("conversation_change", 0, conversation_id, change, None, None, None, status, iso_millis(claims.at))


def conversation_config_modified(body: Fields, claims: Claims) -> None:
    """conversation-config/modified."""
    if (model := body.required("interactionConfig")) is not None:
        conversation_config(model, claims)


def contact_action(body: Fields, claims: Claims) -> None:
    """contactAction: a contact was processed by a bulk action, which the path's suffix may name."""
    model = body.required("customer")
    contact_id = customer(model, claims) if model is not None else None
    progress, total = _progress(body, claims)
    suffix = claims.path.partition("/")[2] or None
    claims.event("broadcast_contact", 0, contact_id, progress, total, suffix, iso_millis(claims.at))


def carrier_rejection(body: Fields, claims: Claims) -> None:
    """contactAction/carrierRejectionRate."""
    broadcast_id = body.need("bulkActionId")
    progress, total = _progress(body, claims)
    counts = body.number("rateLimit"), body.integer("rejectionCount"), body.integer("messageCount")
    claims.event("carrier_rejection", 0, broadcast_id, *counts, progress, total, iso_millis(claims.at))


def _progress(body: Fields, claims: Claims) -> tuple[object, object]:
    progress, total = body.integer("progress"), body.integer("total")
    if (broadcast_id := body.identifier("bulkActionId")) is not None:
        claims.row("broadcast", broadcast_id).told("progress", claims.at, progress, total)
    return progress, total


def broadcast_state(body: Fields, claims: Claims) -> None:
    """broadcast/state."""
    broadcast_id = body.need("bulkActionId")
    if broadcast_id is None:
        return
    status, words = body.text("status"), body.text("statusMessage")
    claims.row("broadcast", broadcast_id).told("state", claims.at, status, words)
    claims.event("broadcast_change", 0, broadcast_id, status, words, iso_millis(claims.at))


def smartlink_clicked(body: Fields, claims: Claims) -> None:
    """smartlink/clicked."""
    contact_id = mention(claims, "contact", body.integer("customerId"))
    broadcast_id = mention(claims, "broadcast", body.integer("bulkActionId"))
    key, link = body.text("customerChannel"), body.integer("smartlinkId")
    claims.event("smartlink_click", 0, contact_id, key, link, broadcast_id, iso_millis(claims.at))


def _objects(body: Fields, name: str) -> list[Fields]:
    if not body.present(name):
        body.note(name, "is missing or not a list")
    return list(body.objects(name))
