"""What Prompt's models of people claim wherever they appear: customers, users, team members.

Source: Event Endpoint specification, Common models. Every function takes the model's fields and the delivery's
claims, and adds to them; none fails on what a sender can send.
"""

from typing import Any

from promptsync.events.claims import Claims
from promptsync.events.fields import Fields
from promptsync.events.scalars import as_text, as_whole

_TEAM_MEMBER = frozenset({"id", "email", "user", "otpLoginPhoneNumber", "mfaPhoneNumber", "mfaVerified"})
_LISTS: dict[str, tuple[Any, ...]] = {
    "channels": (as_text, "identityType", "key"),
    "tags": (as_whole, "id"),
    "identities": (as_text, "type", "key"),
    "contactLists": (as_whole, "id"),
}
"""A customer's lists: how the keys of their items are read, and their names."""


def customer(model: Fields, claims: Claims, *, whole_lists: bool = False, consent: bool = True) -> int | None:
    """CustomerModel. ``whole_lists``: its lists are complete; ``consent``: its opt-out flag speaks for itself.

    Consent: opted out as of globalOptOutTimestamp; opted in only as of the customer's creation, so that a stale copy
    never undoes an opt-out. Its number, taken from the one SMS channel it lists, is as weak: any export outranks it.
    """
    contact_id = model.need("id")
    if contact_id is None:
        return None
    row = claims.row("contact", contact_id)
    row.told("name", claims.at, model.text("displayName"))
    row.told("born", claims.at, model.time("createdTimestamp"))
    born = claims.when(model, "createdTimestamp") or 1
    if consent:
        opted_out = model.flag("globalOptOut")
        opted_out_at = claims.when(model, "globalOptOutTimestamp")
        if opted_out == 1 and opted_out_at is not None:
            row.told("consent", opted_out_at, 1, model.time("globalOptOutTimestamp"))
        elif opted_out == 1:
            model.note("globalOptOut", "is true without a globalOptOutTimestamp")
        elif opted_out == 0:
            row.told("consent", born, 0, None)
    numbers = _channels(model, claims, contact_id)
    if len(numbers) == 1:
        row.told("number", born, numbers.pop())
    _lists(model, claims, contact_id)
    if whole_lists:
        for name, (read, *keys) in _LISTS.items():
            if model.whole_list(name, read, *keys):
                claims.full_list(contact_id, name)
    return contact_id


def user(model: Fields, claims: Claims, kind: object = None) -> int | None:
    """UserModel: a customer is a contact, a team member a team member; bots and the system have no row.

    ``kind``: the userType where the place says it. Returns the id of a user who has a row.
    """
    kind = kind or model.word("userType")
    if kind not in ("CUSTOMER", "TEAM_MEMBER"):
        return None
    user_id = model.need("id")
    if user_id is None:
        return None
    name, created = model.text("displayName"), model.time("createdTimestamp")
    if kind == "CUSTOMER":
        claims.row("contact", user_id).told("name", claims.at, name).told("born", claims.at, created)
        return user_id
    claims.row("team_member", user_id).told("user", claims.at, name, created)
    for identity in model.objects("identities"):
        keyed(claims, "team_member_identity", user_id, identity, "type")
    return user_id


def team_member(model: Fields, claims: Claims) -> int | None:
    """TeamMemberModel, with the user nested in it. One without an id of its own is its user."""
    nested = model.object("user")
    user_id = user(nested, claims, "TEAM_MEMBER") if nested is not None else None
    member_id = model.identifier("id") or user_id
    if member_id is None:
        return model.need("id")
    claims.row("team_member", member_id).told(
        "account",
        claims.at,
        model.text("email"),
        model.text("otpLoginPhoneNumber"),
        model.text("mfaPhoneNumber"),
        model.flag("mfaVerified"),
        model.rest(_TEAM_MEMBER),
    )
    return member_id


def keyed(claims: Claims, table: str, owner_id: int, item: Fields, kind_field: str) -> tuple[str, str] | None:
    """An item of a list that is nothing but a kind and a key."""
    kind, key = item.word(kind_field), item.word("key")
    if not isinstance(kind, str) or not isinstance(key, str):
        return None
    claims.row(table, owner_id, kind, key)
    return kind, key


def _channels(model: Fields, claims: Claims, contact_id: int) -> set[str]:
    """CustomerChannelModel[]. Returns the SMS numbers in it."""
    found = [keyed(claims, "contact_channel", contact_id, item, "identityType") for item in model.objects("channels")]
    return {known[1] for known in found if known is not None and known[0] == "SMS"}


def _lists(model: Fields, claims: Claims, contact_id: int) -> None:
    for item in model.objects("identities"):
        keyed(claims, "contact_identity", contact_id, item, "type")
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
