"""What one delivery says: its body parsed, its handler asked, what could not be read named.

Owns the reading of a delivery, wherever it is kept. Pure: it knows no mirror, no inbox and no batch, and nothing that a
sender can send raises out of here.
"""

from collections.abc import Mapping
from typing import NamedTuple

from promptsync.events.bodies import parse_body
from promptsync.events.claims import AHEAD, Claims, believed
from promptsync.events.fields import Fields
from promptsync.model.delivery import StoredEvent
from promptsync.plugins.declared import EventHandler

_MAX_ERROR = 2_000


class Reading(NamedTuple):
    """What one delivery says. ``state``: applied, unknown_type or failed; ``claims`` only if applied."""

    event: StoredEvent
    state: str
    org_id: int | None = None
    at: int | None = None
    error: str | None = None
    claims: Claims | None = None


def observed_at(body: Fields, received_at: int) -> int:
    """When what a delivery says was so: its body's ``timestamp`` if it has one, else its receipt. Microseconds.

    The specification gives only some types a ``timestamp``. It is honoured on every type: a body that says when it
    happened is ordered by that, whether the specification knows of the field or not. It is believed up to AHEAD of the
    receipt.
    """
    return believed(body, "timestamp", received_at + AHEAD) or received_at


def read(event: StoredEvent, handlers: Mapping[str, EventHandler]) -> Reading:
    """Read a delivery. Pure; never raises for what a sender can send."""
    try:
        body = parse_body(event.body)
    except ValueError:
        return Reading(event, "failed", error="the body is not JSON")
    except RecursionError:
        return Reading(event, "failed", error="the body is nested too deeply")
    if not isinstance(body, dict):
        return Reading(event, "failed", error="the body is not a JSON object")
    problems: list[str] = []
    fields = Fields(body, problems)
    org_id = fields.identifier("orgId")
    if org_id is None:
        return Reading(event, "failed", error="orgId is missing or not a positive whole number")
    at = observed_at(fields, event.received_at)
    handler = handlers.get(event.type)
    if handler is None:
        return Reading(event, "unknown_type", org_id, at)
    claims = Claims(event.id, org_id, at, problems, event.type, event.path, latest=event.received_at + AHEAD)
    handler(fields, claims)
    return Reading(event, "applied", org_id, at, "; ".join(dict.fromkeys(problems))[:_MAX_ERROR] or None, claims)
