"""The webhooks' reusable object shapes, built from the simulated world as it is at an instant.

Follows Event Endpoint, Common models: every field, in the specification's order. Knows no event type.
"""

import json
from typing import Any

from promptsync.clock import iso_millis
from promptsync.demo.world.people import Channel, Contact, Membership, Tagging, TeamMember, holding
from promptsync.demo.world.traffic import Conversation, Message

Body = dict[str, Any]
"""A JSON object."""


def packed(value: Any) -> str:
    """A JSON document as the mirror keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def millis(at: int) -> int:
    """Milliseconds since the epoch, as webhooks tell times."""
    return at // 1000


def user(id_: int, name: str, created: int, user_type: str) -> Body:
    """UserModel."""
    return {
        "id": id_, "displayName": name, "createdTimestamp": millis(created), "createdDate": iso_millis(created),
        "userType": user_type,
    }  # fmt: skip


def customer(contact: Contact, when: int, full: bool) -> Body:
    """CustomerModel. ``full``: with its lists; without, they are empty, as in the vendor's samples of other events."""
    out = contact.opted_out_since(when)
    reaches = holding(contact.reaches, when) if full else []
    return {
        **user(contact.id, contact.name.at(when), contact.created, "CUSTOMER"),
        "channels": [{"identityType": reach.kind, "key": reach.key} for reach in reaches],
        "tags": [customer_tag(tagging) for tagging in holding(contact.taggings, when)] if full else [],
        "globalOptOut": out is not None,
        "globalOptOutTimestamp": 0 if out is None else millis(out),
        "globalOptOutDate": None if out is None else iso_millis(out),
        "identities": [{"type": reach.kind, "key": reach.key} for reach in reaches],
        "contactLists": [contact_list(member) for member in holding(contact.memberships, when)] if full else [],
    }


def customer_tag(tagging: Tagging) -> Body:
    """CustomerTagModel."""
    return {
        "id": tagging.tag.id, "name": tagging.tag.name, "colorCode": tagging.tag.color, "note": tagging.note,
        "addedTimestamp": millis(tagging.added), "addedDate": iso_millis(tagging.added),
    }  # fmt: skip


def contact_list(member: Membership) -> Body:
    """MemberContactListModel."""
    return {
        "id": member.list.id, "name": member.list.name, "apiId": member.list.api_id, "icon": None,
        "description": member.list.description, "externalUrl": None, "type": "PROMPT",
        "addedTimestamp": millis(member.added), "addedDate": iso_millis(member.added),
    }  # fmt: skip


def message(said: Message, when: int) -> Body:
    """MessageModel, with the delivery status it has at that instant."""
    return {
        "id": said.id, "createdTimestamp": millis(said.at), "externalMessageId": said.external(when),
        "userType": said.user_type, "userId": said.user_id, "content": said.content, "instantApp": None,
        "uploads": None, "status": said.status(when), "hasInstantApp": False,
    }  # fmt: skip


def conversation(talk: Conversation, noted: int) -> Body:
    """ConversationModel as it was since its ``lastUpdatedTimestamp`` ``noted``."""
    state = talk.states.at(noted)
    return {
        "id": talk.id, "orgChannelId": talk.channel.id, "customerId": talk.contact.id,
        "createdTimestamp": millis(talk.created), "lastUpdatedTimestamp": millis(talk.states.since(noted)),
        "conversationMembers": [{"teamMemberId": id_, "active": active} for id_, active in state.members],
        "conversationBots": [], "status": state.status,
        "firstCustomerMessage": None if state.first is None else message(state.first, noted), "topic": state.topic,
    }  # fmt: skip


def team_member(member: TeamMember) -> Body:
    """TeamMemberUserModel."""
    return {
        **user(member.id, member.name, member.created, "TEAM_MEMBER"),
        "identities": [{"type": type_, "key": key} for type_, key in identities(member)],
    }


def identities(member: TeamMember) -> tuple[tuple[str, str], ...]:
    """Type and key of a team member's identities."""
    return ("EMAIL", member.email), ("SALESFORCE", member.salesforce)


def org_channel(channel: Channel) -> Body:
    """OrgChannelModel."""
    return {
        "id": channel.id, "name": channel.name, "apiId": channel.api_id, "channelType": "BANDWIDTH",
        "registrationStatus": "REGISTERED", "active": True, "channelKey": channel.phone, "firstMessage": None,
        "firstMessageEnabled": False, "apiOptOutMessage": "Reply STOP to unsubscribe", "apiOptOutMessageEnabled": True,
        "optOutFinalMessage": None, "optOutFinalMessageEnabled": False, "incomingCallResponseType": "REJECT",
        "incomingCallAudioUploadId": None, "incomingCallForwardNumber": None, "unsupportedMediaMessage": None,
        "prePurchased": False, "channelApps": [],
    }  # fmt: skip


def channel_row(model: Body) -> Body:
    """The columns of an OrgChannelModel."""
    row = {_column(name): value for name, value in model.items()}
    return {**row, "channel_apps": packed(model["channelApps"])}


def _column(name: str) -> str:
    """The column of a camelCase field."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def agent(member: TeamMember, email: str | None = None) -> Body:
    """TeamMemberModel."""
    return {
        "id": member.id, "email": email or member.email, "user": team_member(member), "otpLoginPhoneNumber": None,
        "mfaPhoneNumber": f"+1555010{member.id % 10_000:04d}", "mfaVerified": member.id % 2 == 0,
    }  # fmt: skip


def instant_app(id_: int, created: int, status: str, parameters: dict[str, str]) -> Body:
    """InstantAppModel."""
    return {
        "id": id_, "createdTimestamp": millis(created), "customerUrl": f"https://apps.harborstreet.example/{id_}",
        "status": status, "schemaApiId": "pickup-form",
        "parameters": [{"key": key, "value": value} for key, value in parameters.items()],
    }  # fmt: skip


def scheduled_action(
    id_: int, by: int, channel: Channel, key: str, times: tuple[int, int], said: tuple[str, str]
) -> Body:
    """ScheduledActionModel. ``times``: created, to be delivered. ``said``: status, text."""
    return {
        "id": id_,
        "userId": by,
        "orgChannel": org_channel(channel),
        "customerChannel": {"identityType": "SMS", "key": key},
        "createdTimestamp": millis(times[0]),
        "fulfillment": {
            "message": said[1],
            "whisper": None,
            "instantAppSchema": None,
            "instantAppMessage": None,
            "instantAppParameters": None,
            "uploadId": None,
        },
        "status": said[0],
        "deliverOn": millis(times[1]),
    }


def scheduled_row(model: Body) -> Body:
    """The columns of a ScheduledActionModel."""
    return {
        "user_id": model["userId"], "channel_id": model["orgChannel"]["id"],
        "identity_type": model["customerChannel"]["identityType"], "contact_key": model["customerChannel"]["key"],
        "created_timestamp": iso_millis(model["createdTimestamp"] * 1000), "status": model["status"],
        "deliver_on": iso_millis(model["deliverOn"] * 1000), "message": model["fulfillment"]["message"],
    }  # fmt: skip


def instant_app_row(model: Body) -> Body:
    """The columns of an InstantAppModel."""
    return {
        "schema_api_id": model["schemaApiId"], "status": model["status"],
        "created_timestamp": iso_millis(model["createdTimestamp"] * 1000), "customer_url": model["customerUrl"],
        "parameters": packed(model["parameters"]),
    }  # fmt: skip


def notification_setting(vacation: bool) -> Body:
    """NotificationSettingModel, with one group."""
    group: Body = {
        "trigger": "NEW_MESSAGE", "sendSound": True, "soundUrl": None, "soundVolume": 50, "soundRepeatInterval": 0,
        "sendSms": False, "sendEmail": True, "slackChannel": None, "sendToSlackUsername": False,
        "mentionSlackUserNameInChannel": False,
    }  # fmt: skip
    return {
        "notificationGroups": [group], "vacation": vacation, "hideSystemMessages": False, "slackUsername": None,
        "phoneNumber": None,
    }  # fmt: skip
