"""The rows that each sample delivery alone must leave, written down by hand, model by model.

Columns that are not named here are NULL. Rows of what happened have no ``event_id`` here: there is one delivery.
"""

from collections.abc import Iterable
from typing import Any

from event_samples import ORG, T0, T1, T2, T3

Row = dict[str, Any]
Rows = dict[str, list[Row]]

RECEIVED = 1_780_000_400_000_000
ISO = {
    T0: "2026-05-28T20:26:40.000Z",
    T1: "2026-05-28T20:28:20.000Z",
    T2: "2026-05-28T20:30:00.123Z",
    T3: "2026-05-28T20:31:40.000Z",
}
NOW = "2026-05-28T20:33:20.000Z"
THEN = ISO[T2]

USER: Rows = {"team_member": [{"id": 7, "display_name": "Ada Reyes", "created_timestamp": ISO[T0]}]}
TEAM_USER: Rows = {**USER, "team_member_identity": [{"team_member_id": 7, "type": "EMAIL", "key": "ada@club.example"}]}
ACCOUNT: Row = {
    "id": 7, "email": "ada@club.example", "otp_login_phone_number": "+15550100001",
    "mfa_phone_number": "+15550100002", "mfa_verified": 1,
}  # fmt: skip
MEMBER: Rows = {"team_member": [{"id": 7}]}
CONTACT: Rows = {"contact": [{"id": 301}]}
CONTACT_OF: Rows = {
    "contact": [
        {
            "id": 301, "display_name": "Bo Lind", "created_timestamp": ISO[T0], "phone": "+15550100301",
            "is_opted_out": 1, "opt_out_timestamp": ISO[T1],
        }
    ],
    "contact_channel": [{"contact_id": 301, "identity_type": "SMS", "key": "+15550100301"}],
    "contact_identity": [{"contact_id": 301, "type": "SMS", "key": "+15550100301"}],
    "tag": [{"id": 61, "name": "Vegan", "color_code": "#0A0"}],
    "contact_current_tag": [{"contact_id": 301, "tag_id": 61, "note": "asked", "added_at": ISO[T1]}],
    "contact_list": [
        {
            "id": 71, "name": "Runners", "api_id": "runners", "icon": "shoe", "description": "Sunday",
            "external_url": "https://club.example/runners", "type": "PROMPT",
        }
    ],
    "contact_list_member": [{"contact_id": 301, "contact_list_id": 71, "added_at": ISO[T1]}],
}  # fmt: skip
APP: Row = {
    "id": 801, "schema_api_id": "signup", "status": "ACTIVE", "created_timestamp": ISO[T1],
    "customer_url": "https://apps.example/801", "parameters": '[{"key":"race","value":"10k"}]',
}  # fmt: skip
APP_OF: Rows = {"instant_app": [APP]}
APP_FOR: Rows = {"instant_app": [{**APP, "contact_id": 301}], **CONTACT_OF}
CHANNEL: Row = {
    "id": 21, "name": "Front desk", "api_id": "front-desk", "channel_type": "TWILIO",
    "registration_status": "REGISTERED", "active": 1, "channel_key": "+15550100021", "first_message": "Welcome",
    "first_message_enabled": 1, "api_opt_out_message": "Reply STOP", "api_opt_out_message_enabled": 1,
    "opt_out_final_message": "Bye", "opt_out_final_message_enabled": 1, "incoming_call_response_type": "FORWARD",
    "incoming_call_audio_upload_id": 502, "incoming_call_forward_number": "+15550100022",
    "unsupported_media_message": "Text only, please", "pre_purchased": 1, "channel_apps": '["voice"]',
    "provider": '{"twilioModel":{"sid":"AC1"}}',
}  # fmt: skip
CHANNEL_OF: Rows = {"channel": [CHANNEL]}


def message(status: str, at: str, succeeded: int) -> Rows:
    """MessageModel, its status as of an instant."""
    told = {
        "id": 9001, "created_timestamp": ISO[T1], "content": "See you at the start", "is_outgoing": 1,
        "team_member_id": 7, "external_message_id": "ext-9001", "user_type": "TEAM_MEMBER", "user_id": 7,
        "has_instant_app": 1, "status": status, "status_timestamp": at, "is_successful": succeeded,
    }  # fmt: skip
    upload = {"id": 501, "message_id": 9001, "name": "map.png", "size": 2048, "url": "https://files.example/501"}
    app = {**APP, "message_id": 9001}
    return {"message": [told], "upload": [upload], "instant_app": [app], **MEMBER}


def inbound(at: str) -> Row:
    """The message that the contact began with."""
    return {
        "id": 9000, "created_timestamp": ISO[T0], "contact_id": 301, "content": "Where do we meet?", "is_outgoing": 0,
        "external_message_id": "ext-9000", "user_type": "CUSTOMER", "user_id": 301, "has_instant_app": 0,
        "status": "RECEIVED", "status_timestamp": at,
    }  # fmt: skip


PLACE = {"conversation_id": 4001, "channel_id": 21}
LATE_TALK: Row = {
    "id": 4001, "contact_id": 301, "channel_id": 21, "status": "ACTIVE", "topic": "Race",
    "created_timestamp": ISO[T0], "last_updated_timestamp": ISO[T2],
}  # fmt: skip


def talk(active: int = 1, *, first: bool = True) -> Rows:
    """ConversationModel with everyone in it."""
    return {
        "conversation": [{**LATE_TALK, **({"first_message_id": 9000} if first else {})}],
        "conversation_member": [{"conversation_id": 4001, "team_member_id": 7, "active": active}],
        "conversation_bot": [{"conversation_id": 4001, "bot_id": 31}],
        **({"message": [{**inbound(ISO[T0]), **PLACE}]} if first else {}),
        **CONTACT, **MEMBER, "channel": [{"id": 21}],
    }  # fmt: skip


def agent(deleted_at: str | None = None) -> Rows:
    """TeamMemberModel with its user."""
    return {**TEAM_USER, "team_member": [{**USER["team_member"][0], **ACCOUNT, "deleted_at": deleted_at}]}


def scheduled(status: str) -> Rows:
    """ScheduledActionModel with its channel."""
    row = {
        "id": 601, "user_id": 7, "channel_id": 21, "identity_type": "SMS", "contact_key": "+15550100301",
        "created_timestamp": ISO[T1], "status": status, "deliver_on": ISO[T3], "message": "Race is tomorrow",
        "whisper": "pays cash", "instant_app_schema": '{"apiId":"signup"}', "instant_app_message": "Sign up here",
        "instant_app_parameters": "race=10k", "upload_id": 501,
    }  # fmt: skip
    return {"scheduled_message": [row], **CHANNEL_OF, **MEMBER}


def happened(table: str, *rows: Row) -> Rows:
    """What happened: one row per item."""
    return {table: [{"item": item, **row} for item, row in enumerate(rows)]}


def activity(type_: str, at: str = THEN, **more: Any) -> Rows:
    """A row of agent_activity."""
    return happened("agent_activity", {"team_member_id": 7, "activity": type_, "at": at, **more})


def app_event(event: str, at: str = THEN, contact: int | None = 301, **more: Any) -> Rows:
    """A row of instant_app_event."""
    row = {"instant_app_id": 801, "event": event, "contact_id": contact, "status": "ACTIVE", "at": at, **more}
    return happened("instant_app_event", row)


def changed(change: str, at: str, **more: Any) -> Rows:
    """A row of conversation_change."""
    return happened("conversation_change", {"change": change, "at": at, **more})


def joined(change: str) -> Rows:
    """Who joined or left, beside the conversation."""
    who = {"user_type": "TEAM_MEMBER", "user_id": 7, "team_member_id": 7}
    return {
        **talk(int(change == "joined")),
        **USER,
        **changed(change, THEN, conversation_id=4001, status="ACTIVE", **who),
    }


def opted_out(scope: str, channel_id: int | None) -> Rows:
    """A row of opt_out_change."""
    row = {"contact_id": 301, "scope": scope, "opted_out": 1, "at": THEN, "channel_id": channel_id}
    return happened("opt_out_change", row)


def processed(progress: int, suffix: str | None) -> Rows:
    """contactAction."""
    row = {"contact_id": 301, "progress": progress, "total": 500, "path_suffix": suffix, "at": NOW}
    return {**CONTACT_OF, **happened("broadcast_contact", row)}


def logged(level: str) -> Rows:
    """console/*."""
    return happened(
        "console_log", {"level": level, "component": "BOT", "message": "three of four steps done", "at": THEN}
    )


def _with(rows: Rows, table: str, **more: Any) -> Rows:
    first, *others = rows[table]
    return {**rows, table: [{**first, **more}, *others]}


_SHEET = {"integration_id": 11, "spreadsheet_id": "1Ab", "tab_name": "Start list", "at": NOW}
_STATUS = {"message_id": 9001, "status": "SENT", "at": THEN}
_PHONES = {"contact_phone": "+15550100301", "org_phone": "+15550100021", "broadcast_id": 151, "is_broadcast": 1}
_BOT = {"bot_response": '{"step":1}'}
_ADDED = _with(message("SENT", ISO[T1], 1), "message", contact_id=301, **PLACE, **_PHONES, **_BOT)
_SETTING = {
    "team_member_id": 7, "vacation": 1, "hide_system_messages": 1, "slack_username": "ada",
    "phone_number": "+15550100001", "at": NOW,
    "notification_groups": (
        '[{"trigger":"NEW_MESSAGE","sendSound":true,"soundUrl":null,"soundVolume":50,"sendSms":false}]'
    ),
}  # fmt: skip

ROWS: dict[str, Rows] = {
    "customer/added": CONTACT_OF,
    "customer/modified": CONTACT_OF,
    "customer/optOut global": {**CONTACT_OF, **opted_out("GLOBAL", None)},
    "customer/optOut provider": {
        **CONTACT_OF, **CHANNEL_OF, **opted_out("PHONE_PROVIDER", 21),
        "channel_opt_out": [
            {"contact_id": 301, "channel_id": 21, "opted_out": 1, "at": THEN, "contact_key": "+15550100301"}
        ],
    },
    "message/added": {
        **talk(), **_ADDED, **TEAM_USER, "message": [*talk()["message"], *_ADDED["message"]],
        "broadcast": [{"id": 151}],
    },
    "message/status": {**message("SENT", THEN, 1), **happened("message_status", _STATUS)},
    "message/status batch": {
        **message("SENT", THEN, 1), "message": [inbound(THEN), *message("SENT", THEN, 1)["message"]], **CONTACT,
        **happened("message_status", _STATUS, {"message_id": 9000, "status": "RECEIVED", "at": THEN}),
    },
    "message/error": {
        **_with(message("FAILED", NOW, 0), "message", error_message="No such number"),
        **happened("message_error", {"message_id": 9001, "error_message": "No such number", "at": NOW}),
    },
    "message/scheduled": scheduled("SCHEDULED"),
    "message/scheduled/deleted": scheduled("ABORTED"),
    "message/scheduled/modified": scheduled("SCHEDULED"),
    "conversation/added": {**talk(), **changed("added", ISO[T2], conversation_id=4001, status="ACTIVE")},
    "conversation/joined": joined("joined"),
    "conversation/left": joined("left"),
    "conversation-config/modified": {
        "conversation_config": [{"id": 4101, "channel_id": 21, "contact_id": 301, "phone_provider_opt_out": 1}],
        "channel": [{"id": 21}], **CONTACT,
    },
    "agent/login": {**agent(), **activity("agent/login")},
    "agent/logout": {**agent(), **activity("agent/logout")},
    "agent/added": agent(),
    "agent/deleted": agent(deleted_at=NOW),
    "agent/modified": agent(),
    "agentTools/enter": {**agent(), **activity("agentTools/enter")},
    "agentTools/leave": {**agent(), **activity("agentTools/leave")},
    "agentTools/idle": {**agent(), **activity("agentTools/idle")},
    "agentTools/booted": {**talk(), **agent(), **activity("agentTools/booted", conversation_id=4001)},
    "monitor/enter": {**agent(), **activity("monitor/enter")},
    "monitor/leave": {**agent(), **activity("monitor/leave")},
    "monitor/inspect": {**talk(first=False), **agent(), **activity("monitor/inspect", NOW, conversation_id=4001)},
    "channels/added": CHANNEL_OF,
    "channels/deleted": {"channel": [{**CHANNEL, "deleted_at": NOW}]},
    "channels/modified": CHANNEL_OF,
    "instantApp/added": {**APP_FOR, **app_event("added", NOW)},
    "instantApp/customerConnected": {**APP_FOR, **app_event("customerConnected")},
    "instantApp/customerDisconnected": {**APP_FOR, **app_event("customerDisconnected")},
    "instantApp/status": {**APP_FOR, **app_event("status")},
    "instantApp/update": {**APP_FOR, **app_event("update", new_values='{"race":"10k"}', old_values='{"race":"5k"}')},
    "instantApp/custom": {**APP_FOR, **app_event("custom", value='{"button":"go"}')},
    "instantApp/custom text": {**APP_FOR, **app_event("custom", value='"go"')},
    "instantApp/error": {
        **APP_OF, **app_event("error", NOW, None, error_code="SCRIPT_ERROR", error_message="TypeError")
    },
    "contactAction": processed(42, None),
    "contactAction/spring-drive": processed(43, "spring-drive"),
    "contactAction/carrierRejectionRate": {
        "broadcast": [{"id": 151, "progress": 500, "total": 1000}],
        **happened(
            "carrier_rejection",
            {
                "broadcast_id": 151, "rate_limit": 0.05, "rejection_count": 30, "message_count": 500, "progress": 500,
                "total": 1000, "at": NOW,
            },
        ),
    },
    "broadcast/state": {
        "broadcast": [{"id": 151, "status": "PROCESSING", "status_message": "Processing. "}],
        **happened(
            "broadcast_change",
            {"broadcast_id": 151, "status": "PROCESSING", "status_message": "Processing. ", "at": NOW},
        ),
    },
    "notification/sent": {
        **agent(),
        **happened(
            "notification",
            {"team_member_id": 7, "trigger": "NEW_MESSAGE", "type": "EMAIL", "sent_to": "ada@club.example", "at": NOW},
        ),
    },
    "notification/modified": {**agent(), **happened("notification_setting", _SETTING)},
    "integrations/sheets/read": happened(
        "sheet_read",
        {**_SHEET, "row_number": 1, "read_values": '["Name","Race"]'},
        {**_SHEET, "row_number": 2, "read_values": '["Bo","10k"]'},
    ),
    "integrations/sheets/write": happened(
        "sheet_write", {**_SHEET, "row_number": 3, "write_values": '["Cy","5k"]', "new_row": 1}
    ),
    "console/log": logged("log"),
    "console/warn": logged("warn"),
    "console/error": logged("error"),
    "smartlink/clicked": {
        **CONTACT, "broadcast": [{"id": 151}],
        **happened(
            "smartlink_click",
            {"contact_id": 301, "contact_key": "+15550100301", "smartlink_id": 81, "broadcast_id": 151, "at": THEN},
        ),
    },
    "error/alterra": happened("alterra_error", {"details": '{"code":"A-17","context":{"step":[1,2]}}', "at": NOW}),
    "conversation/status": changed("status", NOW),
    "conversation/status with more": {**talk(), **changed("status", ISO[T2], conversation_id=4001, status="ACTIVE")},
}  # fmt: skip


def whole(columns: Iterable[str], row: Row) -> tuple[Any, ...]:
    """A row with all its columns, in their order. Raises ValueError for a column that is none."""
    full = dict.fromkeys(columns) | {"org_id": ORG} | row
    if len(full) != len(list(columns)):
        raise ValueError(f"{sorted(row)} are not all columns")
    return tuple(full.values())
