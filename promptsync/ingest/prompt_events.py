"""What each of Prompt's event types claims.

Source: Event Endpoint specification, one function per section. Pure: from a delivery's fields to its claims. A type
that is not in HANDLERS is kept in the inbox and can be replayed once it is known.
"""

from collections.abc import Callable

from promptsync.clock import iso_millis
from promptsync.ingest.claims import Claims
from promptsync.ingest.fields import Fields
from promptsync.ingest.prompt_models import channel, conversation, message
from promptsync.ingest.prompt_people import customer, user

Handler = Callable[[Fields, Claims], None]


def observed_at(body: Fields, received_at: int) -> int:
    """When what a delivery says was so: its body's ``timestamp`` if it has one, else its receipt. Microseconds."""
    return body.instant("timestamp") or received_at


def _customer_added(body: Fields, claims: Claims) -> None:
    if (model := _object(body, "customer")) is not None:
        customer(model, claims, whole_lists=True)


def _customer_modified(body: Fields, claims: Claims) -> None:
    for model in _objects(body, "customers"):
        customer(model, claims, whole_lists=True)


def _customer_opt_out(body: Fields, claims: Claims) -> None:
    scope = body.text("optOutType")
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
    model, org_channel = _object(body, "customer"), _object(body, "orgChannel")
    contact_id = customer(model, claims) if model is not None else None
    channel_id = channel(org_channel, claims) if org_channel is not None else None
    reached = body.object("customerChannel")
    key = reached.text("key") if reached is not None else None
    opted_out, at = body.flag("optOut"), iso_millis(claims.at)
    if contact_id is None or not isinstance(opted_out, int):
        return
    if channel_id is not None:
        claims.row("channel_opt_out", contact_id, channel_id).told("facts", claims.at, opted_out, at, key)
    claims.event("opt_out_change", 0, contact_id, "PHONE_PROVIDER", opted_out, at, channel_id)


def _message_added(body: Fields, claims: Claims) -> None:
    model, interaction = _object(body, "message"), body.object("interaction")
    place = conversation(interaction, claims) if interaction is not None else None
    if (poster := body.object("postingUser")) is not None:
        user(poster, claims)
    broadcast_id = body.identifier("bulkActionId")
    claims.mention("broadcast", broadcast_id)
    if model is None:
        return
    at = model.instant("createdTimestamp") or claims.at
    row = message(model, claims, at)
    if row is None:
        return
    row.told("phones", at, body.text("customerChannel"), body.text("orgChannel"))
    inbound = model.text("userType") == "CUSTOMER"
    row.told("broadcast", at, broadcast_id, int(broadcast_id is not None and not inbound))
    if place is not None:
        row.told("place", at, place[0], place[2])
        if place[1] is not None:
            row.told("contact", at, place[1])


def _message_status(body: Fields, claims: Claims) -> None:
    single = body.object("message")
    models = [single] if single is not None else list(_objects(body, "messages"))
    for item, model in enumerate(models):
        row = message(model, claims, claims.at)
        if row is not None:
            claims.event("message_status", item, row.key[0], model.text("status"), iso_millis(claims.at))


def _message_error(body: Fields, claims: Claims) -> None:
    model = _object(body, "message")
    row = message(model, claims, claims.at) if model is not None else None
    if row is None:
        return
    why = body.text("errorMessage")
    row.told("reason", claims.at, why)
    claims.event("message_error", 0, row.key[0], why, iso_millis(claims.at))


def _broadcast_state(body: Fields, claims: Claims) -> None:
    broadcast_id = body.need("bulkActionId")
    if broadcast_id is None:
        return
    status, words = body.text("status"), body.text("statusMessage")
    claims.row("broadcast", broadcast_id).told("state", claims.at, status, words)
    claims.event("broadcast_change", 0, broadcast_id, status, words, iso_millis(claims.at))


def _object(body: Fields, name: str) -> Fields | None:
    found = body.object(name)
    if found is None and not body.present(name):
        body.problems.append(f"{name} is missing")
    return found


def _objects(body: Fields, name: str) -> list[Fields]:
    if not body.has_list(name):
        body.problems.append(f"{name} is missing or not a list")
        return []
    return list(body.objects(name))


HANDLERS: dict[str, Handler] = {
    "customer/added": _customer_added,
    "customer/modified": _customer_modified,
    "customer/optOut": _customer_opt_out,
    "message/added": _message_added,
    "message/status": _message_status,
    "message/error": _message_error,
    "broadcast/state": _broadcast_state,
}
