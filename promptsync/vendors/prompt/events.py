"""Which function reads which of Prompt's event types, and when what a delivery says was so.

Source: Event Endpoint specification, Appendix: All event types; what each type carries is declared in
model/event_types.py. A type that is not in HANDLERS is kept in the inbox and can be replayed once it is known.
"""

from collections.abc import Callable

from promptsync.events.claims import AHEAD, Claims, believed
from promptsync.events.fields import Fields
from promptsync.vendors.prompt import contact_events as contacts
from promptsync.vendors.prompt import team_events as team

Handler = Callable[[Fields, Claims], None]
"""Reads one type of event: from its body's fields to what it claims. Pure; never raises for what a sender can send."""


def observed_at(body: Fields, received_at: int) -> int:
    """When what a delivery says was so: its body's ``timestamp`` if it has one, else its receipt. Microseconds.

    The specification gives only some types a ``timestamp``. It is honoured on every type: a body that says when it
    happened is ordered by that, whether the specification knows of the field or not. It is believed up to AHEAD of the
    receipt.
    """
    return believed(body, "timestamp", received_at + AHEAD) or received_at


HANDLERS: dict[str, Handler] = {
    "customer/added": contacts.customer_added,
    "customer/modified": contacts.customer_modified,
    "customer/optOut": contacts.customer_opt_out,
    "message/added": contacts.message_added,
    "message/status": contacts.message_status,
    "message/error": contacts.message_error,
    "message/scheduled": contacts.message_scheduled,
    "message/scheduled/deleted": contacts.message_scheduled,
    "message/scheduled/modified": contacts.message_scheduled,
    "conversation/added": contacts.conversation_told,
    "conversation/joined": contacts.conversation_members,
    "conversation/left": contacts.conversation_members,
    "conversation/status": contacts.conversation_told,
    "conversation-config/modified": contacts.conversation_config_modified,
    "agent/login": team.agent_activity,
    "agent/logout": team.agent_activity,
    "agent/added": team.agent_account,
    "agent/deleted": team.agent_account,
    "agent/modified": team.agent_account,
    "agentTools/enter": team.agent_activity,
    "agentTools/leave": team.agent_activity,
    "agentTools/idle": team.agent_activity,
    "agentTools/booted": team.agent_activity,
    "monitor/enter": team.agent_activity,
    "monitor/leave": team.agent_activity,
    "monitor/inspect": team.agent_activity,
    "channels/added": team.channel_told,
    "channels/deleted": team.channel_told,
    "channels/modified": team.channel_told,
    "instantApp/added": team.instant_app_event,
    "instantApp/customerConnected": team.instant_app_event,
    "instantApp/customerDisconnected": team.instant_app_event,
    "instantApp/status": team.instant_app_event,
    "instantApp/update": team.instant_app_event,
    "instantApp/custom": team.instant_app_event,
    "instantApp/error": team.instant_app_event,
    "contactAction": contacts.contact_action,
    "contactAction/carrierRejectionRate": contacts.carrier_rejection,
    "broadcast/state": contacts.broadcast_state,
    "notification/sent": team.notification_sent,
    "notification/modified": team.notification_modified,
    "integrations/sheets/read": team.sheet_read,
    "integrations/sheets/write": team.sheet_write,
    "console/log": team.console,
    "console/warn": team.console,
    "console/error": team.console,
    "smartlink/clicked": contacts.smartlink_clicked,
    "error/alterra": team.alterra_error,
}
