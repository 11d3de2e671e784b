"""Prompt's nested models, each described once: what a CustomerModel, MessageModel ... claims wherever it appears.

Source: Event Endpoint specification, Common models. Every function takes the model's fields and the delivery's
claims, and adds to them; none fails on what a sender can send.
"""

import json
from typing import Any

from promptsync.clock import iso_millis
from promptsync.ingest.claims import Claims
from promptsync.ingest.fields import MISSING, Fields, Missing, known
from promptsync.merge.version import outcome_of, status_version


def customer(model: Fields, claims: Claims, *, whole_lists: bool = False, consent: bool = True) -> int | None:
    """CustomerModel. ``whole_lists``: its lists are complete; ``consent``: its opt-out flag speaks for itself.

    Consent: opted out as of globalOptOutTimestamp; opted in only as of the customer's creation, so that a stale copy
    never undoes an opt-out. Its number, taken from the one SMS channel it lists, is as weak: any export outranks it.
    """
    contact_id = model.need("id")
    if contact_id is None:
        return None
    at = claims.at
    row = claims.row("contact", contact_id)
    row.told("name", at, model.text("displayName"))
    row.told("born", at, model.time("createdTimestamp"))
    born = model.instant("createdTimestamp") or 1
    if consent:
        opted_out = model.flag("globalOptOut")
        opted_out_at = model.instant("globalOptOutTimestamp")
        if opted_out == 1 and opted_out_at is not None:
            row.told("consent", opted_out_at, 1, model.time("globalOptOutTimestamp"))
        elif opted_out == 1:
            claims.problems.append("globalOptOut is true without a globalOptOutTimestamp")
        elif opted_out == 0:
            row.told("consent", born, 0, None)
    number = _only_number(model)
    if number is not None:
        row.told("number", born, number)
    _lists(model, claims, contact_id)
    if whole_lists:
        for name in ("channels", "tags", "identities", "contactLists"):
            if model.has_list(name):
                claims.full_list(contact_id, name)
    return contact_id


def user(model: Fields, claims: Claims) -> None:
    """UserModel: a customer is a contact, a team member a team member; bots and the system have no row."""
    kind = model.text("userType")
    if kind not in ("CUSTOMER", "TEAM_MEMBER"):
        return
    user_id = model.need("id")
    if user_id is None:
        return
    row = claims.row("contact" if kind == "CUSTOMER" else "team_member", user_id)
    row.told("name", claims.at, model.text("displayName"))
    row.told("born", claims.at, model.time("createdTimestamp"))
    if kind == "TEAM_MEMBER":
        for identity in model.objects("identities"):
            _keyed(claims, "team_member_identity", user_id, identity, "type")


def message(model: Fields, claims: Claims, at: int) -> int | None:
    """MessageModel, observed at ``at``. Uploads and instant app included."""
    message_id = model.need("id")
    if message_id is None:
        return None
    row = claims.row("message", message_id, seen=at)
    row.told("born", at, model.time("createdTimestamp"))
    row.told("body", at, model.text("content"))
    kind, user_id = model.text("userType"), model.integer("userId")
    if isinstance(kind, str):
        row.told("author", at, int(kind != "CUSTOMER"), user_id if kind == "TEAM_MEMBER" else None)
        if kind == "CUSTOMER" and isinstance(user_id, int) and user_id > 0:
            row.told("contact", at, user_id)
            claims.mention("contact", user_id)
        elif kind == "TEAM_MEMBER" and isinstance(user_id, int) and user_id > 0:
            claims.mention("team_member", user_id)
    row.told("live", at, model.text("externalMessageId"), kind, user_id, model.flag("hasInstantApp"))
    status = model.text("status")
    if isinstance(status, str):
        told = status_version(at, status)
        row.group("state", told, status, iso_millis(at))
        if (outcome := outcome_of(status)) is not None:
            row.group("outcome", told, outcome)
    for upload in model.objects("uploads"):
        if (upload_id := upload.need("uploadId")) is not None:
            facts = upload.text("name"), upload.integer("size"), upload.text("url")
            claims.row("upload", upload_id, seen=at).told("facts", at, message_id, *facts)
    if (app := model.object("instantApp")) is not None:
        instant_app(app, claims, at, message_id)
    return message_id


def instant_app(model: Fields, claims: Claims, at: int, message_id: int | None = None) -> int | None:
    """InstantAppModel, observed at ``at``."""
    app_id = model.need("id")
    if app_id is None:
        return None
    row = claims.row("instant_app", app_id, seen=at)
    parameters = model.raw("parameters")
    row.told(
        "facts",
        at,
        model.text("schemaApiId"),
        model.text("status"),
        model.time("createdTimestamp"),
        model.text("customerUrl"),
        as_json(parameters),
    )
    if message_id is not None:
        row.told("message", at, message_id)
    return app_id


def conversation(model: Fields, claims: Claims) -> tuple[int, int | None] | None:
    """ConversationModel, observed when it was last updated. Returns its id and its customer's."""
    conversation_id = model.need("id")
    if conversation_id is None:
        return None
    at = model.instant("lastUpdatedTimestamp") or claims.at
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
    )
    contact = _mention(claims, "contact", contact_id)
    _mention(claims, "channel", channel_id)
    for member in model.objects("conversationMembers"):
        if (member_id := member.need("teamMemberId")) is not None:
            claims.row("conversation_member", conversation_id, member_id, seen=at).told("facts", at, member.flag("active"))
            claims.mention("team_member", member_id)
    for bot in model.objects("conversationBots"):
        if (bot_id := bot.need("botId")) is not None:
            claims.row("conversation_bot", conversation_id, bot_id, seen=at)
    if (first := model.object("firstCustomerMessage")) is not None:
        first_id = message(first, claims, first.instant("createdTimestamp") or at)
        if first_id is not None:
            row.told("first", at, first_id)
            placed(claims, first_id, first.instant("createdTimestamp") or at, conversation_id, channel_id)
    return conversation_id, contact


def placed(claims: Claims, message_id: int, at: int, conversation_id: int, channel_id: object) -> None:
    """A message stands in a conversation on a channel."""
    claims.row("message", message_id, seen=at).told("place", at, conversation_id, channel_id)


_CHANNEL_TEXTS = ("name", "apiId", "channelType", "registrationStatus")
_CHANNEL_FIELDS = {
    "id", "active", "channelKey", "firstMessage", "firstMessageEnabled", "apiOptOutMessage", "apiOptOutMessageEnabled",
    "optOutFinalMessage", "optOutFinalMessageEnabled", "incomingCallResponseType", "incomingCallAudioUploadId",
    "incomingCallForwardNumber", "unsupportedMediaMessage", "prePurchased", "channelApps", *_CHANNEL_TEXTS,
}  # fmt: skip


def channel(model: Fields, claims: Claims) -> int | None:
    """OrgChannelModel. Provider-specific sub-models, and fields not in the specification, are kept as JSON."""
    channel_id = model.need("id")
    if channel_id is None:
        return None
    provider = {name: model.raw(name) for name in model.names() if name not in _CHANNEL_FIELDS}
    claims.row("channel", channel_id).told(
        "facts",
        claims.at,
        *(model.text(name) for name in _CHANNEL_TEXTS),
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
        as_json(model.raw("channelApps")),
        as_json(provider or None),
    )
    return channel_id


def as_json(value: Any) -> str | None | Missing:
    """A JSON document as text, compact, in the sender's order; null stays empty."""
    if value is MISSING or value is None:
        return value  # type: ignore[no-any-return]
    return json.dumps(value, separators=(",", ":"))


def _lists(model: Fields, claims: Claims, contact_id: int) -> None:
    for item in model.objects("channels"):
        _keyed(claims, "contact_channel", contact_id, item, "identityType")
    for item in model.objects("identities"):
        _keyed(claims, "contact_identity", contact_id, item, "type")
    for item in model.objects("tags"):
        if (tag_id := item.need("id")) is not None:
            claims.row("tag", tag_id).told("facts", claims.at, item.text("name"), item.text("colorCode"))
            link = claims.row("contact_current_tag", contact_id, tag_id)
            link.told("facts", claims.at, item.text("note"), item.time("addedTimestamp"))
    for item in model.objects("contactLists"):
        if (list_id := item.need("id")) is not None:
            texts = ("name", "apiId", "icon", "description", "externalUrl", "type")
            claims.row("contact_list", list_id).told("facts", claims.at, *(item.text(name) for name in texts))
            link = claims.row("contact_list_member", contact_id, list_id)
            link.told("facts", claims.at, item.time("addedTimestamp"))


def _keyed(claims: Claims, table: str, owner_id: int, item: Fields, kind_field: str) -> None:
    kind, key = item.text(kind_field), item.text("key")
    if isinstance(kind, str) and isinstance(key, str):
        claims.row(table, owner_id, kind, key)


def _only_number(model: Fields) -> str | None:
    quiet: list[str] = []
    channels = model.raw("channels")
    if not isinstance(channels, list):
        return None
    items = [Fields(item, quiet) for item in channels if isinstance(item, dict)]
    numbers = {key for item in items if item.text("identityType") == "SMS" and isinstance(key := item.text("key"), str)}
    return numbers.pop() if len(numbers) == 1 else None


def _mention(claims: Claims, table: str, value: object) -> int | None:
    if known(value) and isinstance(value, int) and value > 0:
        claims.mention(table, value)
        return value
    return None

