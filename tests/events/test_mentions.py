"""Whom a delivery is about, for every shape that deliveries have."""

import json

import pytest
from event_samples import SAMPLES

from promptsync.events.mentions import mentions, text_of, without
from promptsync.model import Identity
from promptsync.model.person import Identifier

BO = {Identifier(Identity.CONTACT, "301"), Identifier(Identity.PHONE, "+15550100301")}
RECORDS = {
    *(("message", 9001), ("message", 9000), ("conversation", 4001), ("conversation_config", 4101)),
    *(("scheduled_message", 601), ("instant_app", 801)),
}
NOBODY = {
    *("agent/login", "agent/logout", "agent/added", "agent/deleted", "agent/modified", "agentTools/enter"),
    *("agentTools/leave", "agentTools/idle", "monitor/enter", "monitor/leave", "channels/added", "channels/deleted"),
    *("channels/modified", "contactAction/carrierRejectionRate", "broadcast/state", "notification/sent"),
    *("notification/modified", "integrations/sheets/read", "integrations/sheets/write", "console/log"),
    *("console/warn", "console/error", "error/alterra", "conversation/status"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_shape_that_has_a_customer_is_about_them(name: str) -> None:
    found = mentions(SAMPLES[name])
    assert (found.concerning(BO, RECORDS) is None) == (name not in NOBODY)
    assert found.concerning({Identifier(Identity.CONTACT, "302")}) == set()


def test_a_batch_keeps_its_other_people() -> None:
    others = [{"id": 7001, "displayName": "Al"}, {"id": 7002, "displayName": "Cy"}]
    (bo,) = SAMPLES["customer/modified"]["customers"]
    body = {"orgId": 41, "customers": [others[0], bo, others[1]], "rateLimit": 0.1, "odd": "\ud800"}
    places = mentions(body).concerning(BO)
    assert places == {("customers", 1)}
    kept = json.loads(text_of(without(body, places)))
    assert kept == {**body, "customers": others}


def test_a_text_counts_only_where_nobody_is_named() -> None:
    phone = {Identifier(Identity.PHONE, "+14155550123")}
    sheet = {"orgId": 41, "readValues": [{"rowNumber": 1, "values": ["Al"]}, {"values": ["Bo", "(415) 555-0123"]}]}
    assert mentions(sheet).concerning(phone) == {("readValues", 1)}
    told = {"message": {"id": 5, "userType": "CUSTOMER", "userId": 8, "content": "ask Bo, 415-555-0123"}}
    assert mentions(told).concerning(phone) == set()
    logged = {"message": "could not reach +14155550123.", "component": "BOT"}
    assert mentions(logged).concerning(phone) is None
