"""Webhook payloads: exactly the fields of the vendor's samples, in their order and of their types."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from promptsync.demo.prompt.days import EVERYTHING, Mischief, Night, happenings, simulate
from promptsync.demo.prompt.events import Event
from promptsync.demo.world.time import midnights
from promptsync.demo.world.world import DAY, World
from promptsync.vendors.prompt.event_types import EVENT_TYPES, type_of_path

# The samples below are the specification's own (Event Endpoint), types written out by value.
USER = {"id": 3, "displayName": "", "createdTimestamp": 1, "createdDate": "", "userType": ""}
TAG = {"id": 5, "name": "", "colorCode": "", "note": "", "addedTimestamp": 1, "addedDate": ""}
LIST = {
    "id": 10, "name": "", "apiId": "", "icon": None, "description": "", "externalUrl": None, "type": "PROMPT",
    "addedTimestamp": 1, "addedDate": "",
}  # fmt: skip
CUSTOMER = {
    **USER, "channels": [{"identityType": "SMS", "key": ""}], "tags": [TAG], "globalOptOut": False,
    "globalOptOutTimestamp": 0, "globalOptOutDate": None, "identities": [{"type": "SMS", "key": ""}],
    "contactLists": [LIST],
}  # fmt: skip
MESSAGE = {
    "id": 22852, "createdTimestamp": 1, "externalMessageId": "", "userType": "", "userId": 2, "content": "",
    "instantApp": None, "uploads": None, "status": "", "hasInstantApp": False,
}  # fmt: skip
CONVERSATION = {
    "id": 37807, "orgChannelId": 5, "customerId": 3, "createdTimestamp": 1, "lastUpdatedTimestamp": 1,
    "conversationMembers": [{"teamMemberId": 2, "active": True}], "conversationBots": [], "status": "",
    "firstCustomerMessage": MESSAGE, "topic": None,
}  # fmt: skip
CHANNEL = {
    "id": 5, "name": "", "apiId": "", "channelType": "", "registrationStatus": "", "active": True, "channelKey": "",
    "firstMessage": None, "firstMessageEnabled": False, "apiOptOutMessage": None, "apiOptOutMessageEnabled": False,
    "optOutFinalMessage": None, "optOutFinalMessageEnabled": False, "incomingCallResponseType": None,
    "incomingCallAudioUploadId": None, "incomingCallForwardNumber": None, "unsupportedMediaMessage": None,
    "prePurchased": False, "channelApps": [],
}  # fmt: skip
AGENT = {
    "id": 2, "email": "", "user": {**USER, "identities": [{"type": "", "key": ""}]}, "otpLoginPhoneNumber": None,
    "mfaPhoneNumber": "", "mfaVerified": True,
}  # fmt: skip
APP = {
    "id": 800, "createdTimestamp": 1, "customerUrl": "", "status": "", "schemaApiId": "",
    "parameters": [{"key": "", "value": ""}],
}  # fmt: skip
SCHEDULED = {
    "id": 500, "userId": 2, "orgChannel": CHANNEL, "customerChannel": {"identityType": "SMS", "key": ""},
    "createdTimestamp": 1,
    "fulfillment": {
        "message": "", "whisper": None, "instantAppSchema": None, "instantAppMessage": None,
        "instantAppParameters": None, "uploadId": None,
    },
    "status": "", "deliverOn": 1,
}  # fmt: skip
GROUP = {
    "trigger": "", "sendSound": True, "soundUrl": None, "soundVolume": 50, "soundRepeatInterval": 0, "sendSms": False,
    "sendEmail": True, "slackChannel": None, "sendToSlackUsername": False, "mentionSlackUserNameInChannel": False,
}  # fmt: skip
SETTING = {
    "notificationGroups": [GROUP], "vacation": False, "hideSystemMessages": False, "slackUsername": None,
    "phoneNumber": None,
}  # fmt: skip
SHEET = {"orgId": 1, "integrationId": 10, "spreadsheetId": "", "tabName": ""}
LOGGED = {"orgId": 1, "timestamp": 1, "component": "", "message": ""}
JOINED = {"orgId": 1, "interaction": CONVERSATION, "users": [USER], "timestamp": 1}
ACTIVE = {"orgId": 1, "agent": AGENT, "timestamp": 1}
APP_OF = {"instantApp": APP, "customer": CUSTOMER}
TIMED_APP = {"orgId": 1, **APP_OF, "timestamp": 1}
PROGRESS = {"orgId": 1, "progress": 42, "total": 500, "customer": CUSTOMER}
CONSENT = {"optOutType": "", "optOut": True, "timestamp": 1}
SAMPLES: dict[str, dict[str, Any]] = {
    "customer/added": {"orgId": 1, "customer": CUSTOMER},
    "customer/modified": {"orgId": 1, "customers": [CUSTOMER]},
    "customer/optOut GLOBAL": {"orgId": 1, "customers": [CUSTOMER], **CONSENT},
    "customer/optOut PHONE_PROVIDER": {
        "orgId": 1, "customer": CUSTOMER, **CONSENT, "orgChannel": CHANNEL,
        "customerChannel": {"identityType": "SMS", "key": ""}, "phoneProviderOptOut": True,
    },
    "message/added": {
        "orgId": 1, "message": MESSAGE, "interaction": CONVERSATION, "postingUser": USER, "customerChannel": "",
        "orgChannel": "", "bulkActionId": 0,
    },
    "message/status": {"orgId": 1, "timestamp": 1, "message": MESSAGE},
    "message/status batch": {"orgId": 1, "timestamp": 1, "messages": [MESSAGE]},
    "message/error": {"orgId": 1, "message": MESSAGE, "errorMessage": ""},
    "broadcast/state": {"orgId": 1, "bulkActionId": 150, "status": "", "statusMessage": ""},
    "message/scheduled": {"orgId": 1, "scheduledAction": SCHEDULED},
    **{f"message/scheduled/{what}": {"orgId": 1, "scheduledAction": SCHEDULED} for what in ("modified", "deleted")},
    "conversation/added": {"orgId": 1, "interaction": CONVERSATION},
    "conversation/joined": JOINED,
    "conversation/left": JOINED,
    "conversation/status": {"orgId": 1},
    "conversation-config/modified": {
        "orgId": 1, "interactionConfig": {"id": 1, "orgChannelId": 5, "customerId": 3, "phoneProviderOptOut": False},
    },
    **{f"agent/{what}": {"orgId": 1, "agent": AGENT} for what in ("added", "modified", "deleted")},
    **{f"agent/{what}": ACTIVE for what in ("login", "logout")},
    **{f"agentTools/{what}": ACTIVE for what in ("enter", "idle", "leave")},
    "agentTools/booted": {"orgId": 1, "agent": AGENT, "conversation": CONVERSATION, "timestamp": 1},
    **{f"monitor/{what}": ACTIVE for what in ("enter", "leave")},
    "monitor/inspect": {"orgId": 1, "agent": AGENT, "interaction": CONVERSATION},
    **{f"channels/{what}": {"orgId": 1, "channel": CHANNEL} for what in ("added", "modified", "deleted")},
    "instantApp/added": {"orgId": 1, **APP_OF},
    **{f"instantApp/{what}": TIMED_APP for what in ("customerConnected", "customerDisconnected", "status")},
    "instantApp/update": {
        "orgId": 1, **APP_OF, "newValues": {"boxes": ""}, "oldValues": {"boxes": ""}, "timestamp": 1,
    },
    "instantApp/custom": {"orgId": 1, "value": {"action": ""}, **APP_OF, "timestamp": 1},
    "instantApp/custom text": {"orgId": 1, "value": "", **APP_OF, "timestamp": 1},
    "instantApp/error": {"orgId": 1, "errorMessage": "", "errorCode": "", "instantApp": APP},
    "contactAction": PROGRESS,
    "contactAction below": PROGRESS,
    "contactAction/carrierRejectionRate": {
        "orgId": 1, "bulkActionId": 150, "rateLimit": 0.05, "rejectionCount": 30, "messageCount": 500, "progress": 500,
        "total": 1000,
    },
    "notification/sent": {"orgId": 1, "agent": AGENT, "notifications": {"trigger": "", "type": "", "sentTo": ""}},
    "notification/modified": {"orgId": 1, "agent": AGENT, "notification": SETTING},
    "integrations/sheets/read": {**SHEET, "readValues": [{"rowNumber": 1, "values": [""]}]},
    "integrations/sheets/write": {**SHEET, "rowNumber": 3, "writeValues": [""], "newRow": True},
    **dict.fromkeys(("console/log", "console/warn", "console/error"), LOGGED),
    "smartlink/clicked": {
        "orgId": 1, "customerId": 3, "customerChannel": "", "timestamp": 1, "smartlinkId": 42, "bulkActionId": 150,
    },
    "error/alterra": {"orgId": 1, "code": "", "context": {"retries": 1}},
}  # fmt: skip
NULLABLE = {"externalMessageId", "content", "firstCustomerMessage", "globalOptOutDate", "icon", "externalUrl", "topic"}


def differences(found: Any, sample: Any, where: str = "") -> Iterator[str]:
    """Where a payload is not of the sample's shape."""
    name = where.rpartition(".")[2]
    if found is None or sample is None:
        if found is None and sample is not None and name not in NULLABLE:
            yield f"{where} is null"
        elif found is not None and sample is None and not isinstance(found, str):
            yield f"{where} is no text"
    elif type(found) is not type(sample):
        yield f"{where} is {type(found).__name__}"
    elif isinstance(sample, dict):
        wanted = [*sample, *(["identities"] if name == "postingUser" and found["userType"] == "TEAM_MEMBER" else [])]
        if list(found) != wanted:
            yield f"{where} has {list(found)}"
        for key in sample.keys() & found.keys():
            yield from differences(found[key], sample[key], f"{where}.{key}")
    elif isinstance(sample, list):
        for item in found if sample else ():
            yield from differences(item, sample[0], f"{where}[]")


def shape(event: Event) -> str:
    if event.path == "customer/optOut":
        return f"{event.path} {event.body['optOutType']}"
    if event.path == "instantApp/custom" and isinstance(event.body["value"], str):
        return f"{event.path} text"
    if event.path not in EVENT_TYPES:
        return f"{type_of_path(event.path)} below"
    return f"{event.path} batch" if "messages" in event.body else event.path


@pytest.fixture(scope="module")
def events(world: World) -> list[Event]:
    return happenings(world, world.start, world.present)


def test_every_payload_has_the_specified_shape(events: list[Event]) -> None:
    seen = set()
    for event in events:
        body = json.loads(event.text)
        assert not list(differences(body, SAMPLES[shape(event)])), event
        seen.add(shape(event))
    assert seen == set(SAMPLES)
    assert {type_of_path(name.partition(" ")[0]) for name in seen} == set(EVENT_TYPES)


def test_lists_are_whole_only_where_a_customer_is_told_whole(events: list[Event]) -> None:
    for event in events:
        whole = event.path in ("customer/added", "customer/modified")
        for customer in event.body.get("customers", [event.body.get("customer")]):
            if customer is not None:
                assert bool(customer["channels"]) is bool(customer["identities"]) is whole
                assert whole or not customer["tags"] + customer["contactLists"]


def test_consent_events_say_one_thing(events: list[Event]) -> None:
    for event in (event for event in events if shape(event) == "customer/optOut GLOBAL"):
        for customer in event.body["customers"]:
            assert customer["globalOptOut"] is event.body["optOut"]
            assert customer["globalOptOutTimestamp"] == (event.body["timestamp"] if event.body["optOut"] else 0)


def test_events_come_in_order_and_only_from_their_stretch(world: World, events: list[Event]) -> None:
    times = [event.at for event in events]
    assert times == sorted(times)
    middle = world.log.broadcasts[5].start + 3_000_000  # while its statuses come in batches
    parts = happenings(world, world.start, middle) + happenings(world, middle, world.present)
    assert [event.text for event in parts] == [event.text for event in events]


def test_an_undisturbed_stretch_is_everything_and_every_night(world: World) -> None:
    begin = world.present - 3 * DAY
    actions = list(simulate(world, begin, world.present))
    nights = [action.as_of for action in actions if isinstance(action, Night)]
    hour = 3600 * 1_000_000
    assert nights[1:] == list(midnights(begin - hour, world.present - hour))
    assert [action.text for action in actions if isinstance(action, Event)] == [
        event.text for event in happenings(world, begin, world.present)
    ]


def test_mischief_happens(world: World) -> None:
    begin = world.present - 6 * DAY
    plain = [a for a in simulate(world, begin, world.present) if isinstance(a, Event)]
    actions = list(simulate(world, begin, world.present, EVERYTHING))
    assert [a.arrives for a in actions] == sorted(a.arrives for a in actions)
    events = [a for a in actions if isinstance(a, Event)]
    assert {e.text for e in events} < {e.text for e in plain}  # some are lost
    assert len({e.text for e in events}) < len(events)  # some come twice
    assert any(e.arrives - e.at > 3600 * 10**6 for e in events)
    nights = [a.as_of for a in actions if isinstance(a, Night)]
    assert len(nights) == 6  # of seven one is missing
    assert nights != sorted(nights)


def test_the_world_grows_as_far_as_it_is_lived_through() -> None:
    small = World(2, contacts=60, messages=1_200)
    actions = list(simulate(small, small.present, small.present + 2 * DAY, Mischief(), opening=False))
    assert small.end == small.present + 2 * DAY
    assert sum(isinstance(a, Event) and a.path == "message/added" for a in actions) == 40
