"""One complete delivery of every event type and shape, in the specification's form, with values of its own.

Every field of every model is there and none is empty, so that dropping or bending any of them can be seen. A name is
the type's path, then a word where a type has several shapes.
"""

from typing import Any

Body = dict[str, Any]

ORG = 41
T0, T1, T2, T3 = 1_780_000_000_000, 1_780_000_100_000, 1_780_000_200_123, 1_780_000_300_000

USER: Body = {
    "id": 7, "displayName": "Ada Reyes", "createdTimestamp": T0, "createdDate": "2026-05-28T20:26:40.000Z",
    "userType": "TEAM_MEMBER",
}  # fmt: skip
TEAM_USER: Body = {**USER, "identities": [{"type": "EMAIL", "key": "ada@club.example"}]}
AGENT: Body = {
    "id": 7, "email": "ada@club.example", "user": TEAM_USER, "otpLoginPhoneNumber": "+15550100001",
    "mfaPhoneNumber": "+15550100002", "mfaVerified": True,
}  # fmt: skip
CUSTOMER: Body = {
    "id": 301, "displayName": "Bo Lind", "createdTimestamp": T0, "createdDate": "2026-05-28T20:26:40.000Z",
    "userType": "CUSTOMER",
    "channels": [{"identityType": "SMS", "key": "+15550100301"}],
    "tags": [{"id": 61, "name": "Vegan", "colorCode": "#0A0", "note": "asked", "addedTimestamp": T1, "addedDate": "x"}],
    "globalOptOut": True, "globalOptOutTimestamp": T1, "globalOptOutDate": "2026-05-28T20:28:20.000Z",
    "identities": [{"type": "SMS", "key": "+15550100301"}],
    "contactLists": [
        {
            "id": 71, "name": "Runners", "apiId": "runners", "icon": "shoe", "description": "Sunday", "type": "PROMPT",
            "externalUrl": "https://club.example/runners", "addedTimestamp": T1, "addedDate": "x",
        }
    ],
}  # fmt: skip
APP: Body = {
    "id": 801, "createdTimestamp": T1, "customerUrl": "https://apps.example/801", "status": "ACTIVE",
    "schemaApiId": "signup", "parameters": [{"key": "race", "value": "10k"}],
}  # fmt: skip
MESSAGE: Body = {
    "id": 9001, "createdTimestamp": T1, "externalMessageId": "ext-9001", "userType": "TEAM_MEMBER", "userId": 7,
    "content": "See you at the start", "instantApp": APP,
    "uploads": [{"uploadId": 501, "url": "https://files.example/501", "name": "map.png", "size": 2048}],
    "status": "SENT", "hasInstantApp": True,
}  # fmt: skip
INBOUND: Body = {
    "id": 9000, "createdTimestamp": T0, "externalMessageId": "ext-9000", "userType": "CUSTOMER", "userId": 301,
    "content": "Where do we meet?", "instantApp": None, "uploads": None, "status": "RECEIVED", "hasInstantApp": False,
}  # fmt: skip
TALK: Body = {
    "id": 4001, "orgChannelId": 21, "customerId": 301, "createdTimestamp": T0, "lastUpdatedTimestamp": T2,
    "conversationMembers": [{"teamMemberId": 7, "active": True}], "conversationBots": [{"botId": 31}],
    "status": "ACTIVE", "firstCustomerMessage": INBOUND, "topic": "Race",
}  # fmt: skip
CONFIG: Body = {"id": 4101, "orgChannelId": 21, "customerId": 301, "phoneProviderOptOut": True}
CHANNEL: Body = {
    "id": 21, "name": "Front desk", "apiId": "front-desk", "channelType": "TWILIO", "registrationStatus": "REGISTERED",
    "active": True, "channelKey": "+15550100021", "firstMessage": "Welcome", "firstMessageEnabled": True,
    "apiOptOutMessage": "Reply STOP", "apiOptOutMessageEnabled": True, "optOutFinalMessage": "Bye",
    "optOutFinalMessageEnabled": True, "incomingCallResponseType": "FORWARD", "incomingCallAudioUploadId": 502,
    "incomingCallForwardNumber": "+15550100022", "unsupportedMediaMessage": "Text only, please", "prePurchased": True,
    "channelApps": ["voice"], "twilioModel": {"sid": "AC1"},
}  # fmt: skip
REACHED: Body = {"identityType": "SMS", "key": "+15550100301"}
SCHEDULED: Body = {
    "id": 601, "userId": 7, "orgChannel": CHANNEL, "customerChannel": REACHED, "createdTimestamp": T1,
    "fulfillment": {
        "message": "Race is tomorrow", "whisper": "pays cash", "instantAppSchema": {"apiId": "signup"},
        "instantAppMessage": "Sign up here", "instantAppParameters": "race=10k", "uploadId": 501,
    },
    "status": "SCHEDULED", "deliverOn": T3,
}  # fmt: skip
GROUP: Body = {"trigger": "NEW_MESSAGE", "sendSound": True, "soundUrl": None, "soundVolume": 50, "sendSms": False}


def _sample(**fields: Any) -> Body:
    return {"orgId": ORG, **fields}


_WITH_AGENT = _sample(agent=AGENT)
_ACTIVE = _sample(agent=AGENT, timestamp=T2)
_APP_OF = {"instantApp": APP, "customer": CUSTOMER}
_OPT_OUT = {"optOut": True, "timestamp": T2}
_LOGGED = _sample(timestamp=T2, component="BOT", message="three of four steps done")
_MEMBERS = _sample(interaction=TALK, users=[USER], timestamp=T2)

SAMPLES: dict[str, Body] = {
    "customer/added": _sample(customer=CUSTOMER),
    "customer/modified": _sample(customers=[CUSTOMER]),
    "customer/optOut global": _sample(customers=[CUSTOMER], optOutType="GLOBAL", **_OPT_OUT),
    "customer/optOut provider": _sample(
        customer=CUSTOMER, optOutType="PHONE_PROVIDER", **_OPT_OUT, orgChannel=CHANNEL, customerChannel=REACHED,
        phoneProviderOptOut=True,
    ),
    "message/added": _sample(
        message=MESSAGE, interaction=TALK, postingUser=TEAM_USER, customerChannel="+15550100301",
        orgChannel="+15550100021", bulkActionId=151, botResponse={"step": 1},
    ),
    "message/status": _sample(timestamp=T2, message=MESSAGE),
    "message/status batch": _sample(timestamp=T2, messages=[MESSAGE, INBOUND]),
    "message/error": _sample(message={**MESSAGE, "status": "FAILED"}, errorMessage="No such number"),
    "message/scheduled": _sample(scheduledAction=SCHEDULED),
    "message/scheduled/deleted": _sample(scheduledAction={**SCHEDULED, "status": "ABORTED"}),
    "message/scheduled/modified": _sample(scheduledAction=SCHEDULED),
    "conversation/added": _sample(interaction=TALK),
    "conversation/joined": _MEMBERS,
    "conversation/left": _MEMBERS,
    "conversation-config/modified": _sample(interactionConfig=CONFIG),
    "agent/login": _ACTIVE,
    "agent/logout": _ACTIVE,
    "agent/added": _WITH_AGENT,
    "agent/deleted": _WITH_AGENT,
    "agent/modified": _WITH_AGENT,
    "agentTools/enter": _ACTIVE,
    "agentTools/leave": _ACTIVE,
    "agentTools/idle": _ACTIVE,
    "agentTools/booted": {**_ACTIVE, "conversation": TALK},
    "monitor/enter": _ACTIVE,
    "monitor/leave": _ACTIVE,
    "monitor/inspect": _sample(agent=AGENT, interaction={**TALK, "firstCustomerMessage": None}),
    "channels/added": _sample(channel=CHANNEL),
    "channels/deleted": _sample(channel=CHANNEL),
    "channels/modified": _sample(channel=CHANNEL),
    "instantApp/added": _sample(**_APP_OF),
    "instantApp/customerConnected": _sample(**_APP_OF, timestamp=T2),
    "instantApp/customerDisconnected": _sample(**_APP_OF, timestamp=T2),
    "instantApp/status": _sample(**_APP_OF, timestamp=T2),
    "instantApp/update": _sample(**_APP_OF, newValues={"race": "10k"}, oldValues={"race": "5k"}, timestamp=T2),
    "instantApp/custom": _sample(value={"button": "go"}, **_APP_OF, timestamp=T2),
    "instantApp/custom text": _sample(value="go", **_APP_OF, timestamp=T2),
    "instantApp/error": _sample(errorMessage="TypeError", errorCode="SCRIPT_ERROR", instantApp=APP),
    "contactAction": _sample(progress=42, total=500, customer=CUSTOMER),
    "contactAction/spring-drive": _sample(progress=43, total=500, customer=CUSTOMER),
    "contactAction/carrierRejectionRate": _sample(
        bulkActionId=151, rateLimit=0.05, rejectionCount=30, messageCount=500, progress=500, total=1000
    ),
    "broadcast/state": _sample(bulkActionId=151, status="PROCESSING", statusMessage="Processing. "),
    "notification/sent": _sample(
        agent=AGENT, notifications={"trigger": "NEW_MESSAGE", "type": "EMAIL", "sentTo": "ada@club.example"}
    ),
    "notification/modified": _sample(
        agent=AGENT,
        notification={
            "notificationGroups": [GROUP], "vacation": True, "hideSystemMessages": True, "slackUsername": "ada",
            "phoneNumber": "+15550100001",
        },
    ),
    "integrations/sheets/read": _sample(
        integrationId=11, spreadsheetId="1Ab", tabName="Start list",
        readValues=[{"rowNumber": 1, "values": ["Name", "Race"]}, {"rowNumber": 2, "values": ["Bo", "10k"]}],
    ),
    "integrations/sheets/write": _sample(
        integrationId=11, spreadsheetId="1Ab", tabName="Start list", rowNumber=3, writeValues=["Cy", "5k"], newRow=True
    ),
    "console/log": _LOGGED,
    "console/warn": _LOGGED,
    "console/error": _LOGGED,
    "smartlink/clicked": _sample(
        customerId=301, customerChannel="+15550100301", timestamp=T2, smartlinkId=81, bulkActionId=151
    ),
    "error/alterra": _sample(code="A-17", context={"step": [1, 2]}),
    "conversation/status": _sample(),
    "conversation/status with more": _sample(interaction=TALK),
}  # fmt: skip


def path_of(name: str) -> str:
    """The path that a sample is posted to."""
    return name.partition(" ")[0]
