"""What Prompt's models of things claim wherever they appear: messages, conversations, channels, instant apps.

Source: Event Endpoint specification, Common models. Every function takes the model's fields and the delivery's
claims, and adds to them; none fails on what a sender can send.
"""

from promptsync.clock import iso_millis
from promptsync.events.claims import Claims, RowClaim
from promptsync.events.fields import MISSING, Fields
from promptsync.merge.version import outcome_of, status_version


def message(model: Fields, claims: Claims, at: int) -> RowClaim | None:
    """MessageModel, observed at ``at``, uploads and instant app included. Returns the claim, to add to."""
    message_id = model.need("id")
    if message_id is None:
        return None
    row = claims.row("message", message_id, seen=at)
    row.told("born", at, model.time("createdTimestamp"))
    row.told("body", at, model.text("content"))
    kind, user_id = model.word("userType"), model.integer("userId")
    if isinstance(kind, str):
        row.told("author", at, int(kind != "CUSTOMER"), user_id if kind == "TEAM_MEMBER" else None)
        if kind == "CUSTOMER" and mention(claims, "contact", user_id) is not None:
            row.told("contact", at, user_id)
        elif kind == "TEAM_MEMBER":
            mention(claims, "team_member", user_id)
    row.told("live", at, model.text("externalMessageId"), kind, user_id, model.flag("hasInstantApp"))
    status = model.word("status")
    if isinstance(status, str):
        told = status_version(at, status)
        row.group("state", told, status, iso_millis(at))
        if (outcome := outcome_of(status)) is not None:
            row.group("outcome", told, outcome)
    for upload in model.objects("uploads"):
        if (upload_id := upload.need("uploadId")) is not None:
            facts = upload.text("name"), upload.integer("size"), upload.text("url")
            claims.row("upload", upload_id, seen=at).told("facts", at, message_id, *facts)
    app = model.object("instantApp")
    if app is not None and (sent := instant_app(app, claims, at)) is not None:
        sent.told("message", at, message_id)
    return row


_INSTANT_APP = frozenset({"id", "createdTimestamp", "customerUrl", "status", "schemaApiId", "parameters"})


def instant_app(model: Fields, claims: Claims, at: int) -> RowClaim | None:
    """InstantAppModel, observed at ``at``. Returns the claim, to add to."""
    app_id = model.need("id")
    if app_id is None:
        return None
    return claims.row("instant_app", app_id, seen=at).told(
        "facts",
        at,
        model.text("schemaApiId"),
        model.text("status"),
        model.time("createdTimestamp"),
        model.text("customerUrl"),
        model.json("parameters"),
        model.rest(_INSTANT_APP),
    )


_CONVERSATION = frozenset(
    {
        *("id", "orgChannelId", "customerId", "createdTimestamp", "lastUpdatedTimestamp", "conversationMembers"),
        *("conversationBots", "status", "firstCustomerMessage", "topic"),
    }
)


def observed(model: Fields, claims: Claims) -> int:
    """When what a ConversationModel says was so: when it was last updated, else with the delivery. Microseconds."""
    return claims.when(model, "lastUpdatedTimestamp") or claims.at


def conversation(
    model: Fields, claims: Claims, stated: frozenset[int] = frozenset()
) -> tuple[int, int | None, object] | None:
    """ConversationModel, observed when it was last updated. Returns its id, its contact's and its channel's.

    ``stated``: team members of whom the delivery itself says whether they are in it, as of its own time; the model
    speaks of them only if it is later.
    """
    conversation_id = model.need("id")
    if conversation_id is None:
        return None
    at = observed(model, claims)
    contact_id, channel_id = model.integer("customerId"), model.integer("orgChannelId")
    row = claims.row("conversation", conversation_id, seen=at)
    row.told(
        "facts",
        at,
        contact_id,
        channel_id,
        model.text("status"),
        model.text("topic"),
        model.time("createdTimestamp"),
        model.time("lastUpdatedTimestamp"),
        model.rest(_CONVERSATION),
    )
    for member in model.objects("conversationMembers"):
        member_id = member.need("teamMemberId")
        if member_id is not None and (at > claims.at or member_id not in stated):
            link = claims.row("conversation_member", conversation_id, member_id, seen=at)
            link.told("facts", at, member.flag("active"))
            claims.mention("team_member", member_id)
    for bot in model.objects("conversationBots"):
        if (bot_id := bot.need("botId")) is not None:
            claims.row("conversation_bot", conversation_id, bot_id, seen=at)
    if (first := model.object("firstCustomerMessage")) is not None:
        first_at = claims.when(first, "createdTimestamp") or at
        if (said := message(first, claims, first_at)) is not None:
            row.told("first", at, said.key[0])
            said.told("place", first_at, conversation_id, channel_id)
    mention(claims, "channel", channel_id)
    return conversation_id, mention(claims, "contact", contact_id), channel_id


_CONFIG = frozenset({"id", "orgChannelId", "customerId", "phoneProviderOptOut"})


def conversation_config(model: Fields, claims: Claims) -> None:
    """InteractionConfigModel."""
    config_id = model.need("id")
    if config_id is None:
        return
    channel_id, contact_id = model.integer("orgChannelId"), model.integer("customerId")
    facts = channel_id, contact_id, model.flag("phoneProviderOptOut"), model.rest(_CONFIG)
    claims.row("conversation_config", config_id).told("facts", claims.at, *facts)
    mention(claims, "channel", channel_id)
    mention(claims, "contact", contact_id)


_SCHEDULED = frozenset(
    {"id", "userId", "orgChannel", "customerChannel", "createdTimestamp", "fulfillment", "status", "deliverOn"}
)


def scheduled_message(model: Fields, claims: Claims) -> None:
    """ScheduledActionModel, with its ScheduledActionFulfillmentModel."""
    action_id = model.need("id")
    if action_id is None:
        return
    sender, reached = model.object("orgChannel"), model.object("customerChannel")
    fulfillment = model.object("fulfillment")
    user_id = model.integer("userId")
    claims.row("scheduled_message", action_id).told(
        "facts",
        claims.at,
        user_id,
        channel(sender, claims) if sender is not None else MISSING,
        reached.text("identityType") if reached is not None else MISSING,
        reached.text("key") if reached is not None else MISSING,
        model.time("createdTimestamp"),
        model.text("status"),
        model.time("deliverOn"),
        *(_fulfillment(fulfillment) if fulfillment is not None else [MISSING] * 6),
        model.rest(_SCHEDULED),
    )
    mention(claims, "team_member", user_id)


def _fulfillment(model: Fields) -> tuple[object, ...]:
    return (
        model.text("message"),
        model.text("whisper"),
        model.json("instantAppSchema"),
        model.text("instantAppMessage"),
        model.text("instantAppParameters"),
        model.integer("uploadId"),
    )


_CHANNEL = frozenset(
    {
        *("id", "name", "apiId", "channelType", "registrationStatus", "active", "channelKey", "firstMessage"),
        *("firstMessageEnabled", "apiOptOutMessage", "apiOptOutMessageEnabled", "optOutFinalMessage"),
        *("optOutFinalMessageEnabled", "incomingCallResponseType", "incomingCallAudioUploadId"),
        *("incomingCallForwardNumber", "unsupportedMediaMessage", "prePurchased", "channelApps"),
    }
)


def channel(model: Fields, claims: Claims) -> int | None:
    """OrgChannelModel. Provider-specific sub-models, and fields not in the specification, are kept as JSON."""
    channel_id = model.need("id")
    if channel_id is None:
        return None
    claims.row("channel", channel_id).told(
        "facts",
        claims.at,
        model.text("name"),
        model.text("apiId"),
        model.text("channelType"),
        model.text("registrationStatus"),
        model.flag("active"),
        model.text("channelKey"),
        model.text("firstMessage"),
        model.flag("firstMessageEnabled"),
        model.text("apiOptOutMessage"),
        model.flag("apiOptOutMessageEnabled"),
        model.text("optOutFinalMessage"),
        model.flag("optOutFinalMessageEnabled"),
        model.text("incomingCallResponseType"),
        model.integer("incomingCallAudioUploadId"),
        model.text("incomingCallForwardNumber"),
        model.text("unsupportedMediaMessage"),
        model.flag("prePurchased"),
        model.json("channelApps"),
        model.rest(_CHANNEL),
    )
    return channel_id


def mention(claims: Claims, table: str, value: object) -> int | None:
    """An id that is only named, if it is one. Returns it."""
    if isinstance(value, int) and value > 0:
        claims.mention(table, value)
        return value
    return None
