"""Deliveries, as Hypothesis draws them: every type about contacts, messages and broadcasts, of few keys and times."""

import json
from typing import Any

from hypothesis import strategies as st

from promptsync.merge.spec import STAGES

from .world_values import MILLIS, MOMENTS, ORGS, TEXTS


def _ids(org: int) -> st.SearchStrategy[int]:
    return st.integers(org * 10, org * 10 + 2)


def _channels() -> st.SearchStrategy[list[dict[str, str]]]:
    kinds, keys = st.sampled_from(["SMS", "FB"]), st.sampled_from(["+1555", "+1557"])
    return st.lists(st.fixed_dictionaries({"identityType": kinds, "key": keys}), max_size=2)


def _tags(org: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(org * 10, org * 10 + 1),
                "name": st.sampled_from(["x", "y"]),
                "colorCode": st.just("#1"),
                "note": st.sampled_from(["", "n"]),
                "addedTimestamp": st.sampled_from(MILLIS),
            }
        ),
        max_size=2,
    )


def _contact_lists(org: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(org * 10, org * 10 + 1),
                "name": st.sampled_from(["x", "y"]),
                "type": st.just("PROMPT"),
                "addedTimestamp": st.sampled_from(MILLIS),
            }
        ),
        max_size=1,
    )


def _customers(org: int) -> st.SearchStrategy[dict[str, Any]]:
    always = {
        "id": _ids(org),
        "createdTimestamp": st.sampled_from(MILLIS),
        "userType": st.just("CUSTOMER"),
        "channels": _channels(),
        "globalOptOut": st.booleans(),
        "globalOptOutTimestamp": st.sampled_from([0, *MILLIS]),
    }
    identities = st.lists(st.fixed_dictionaries({"type": st.just("SMS"), "key": st.sampled_from("ab")}), max_size=1)
    sometimes = {
        "displayName": st.sampled_from(["a", "b", "", None]),
        "tags": _tags(org),
        "identities": identities,
        "contactLists": _contact_lists(org),
    }
    return st.fixed_dictionaries(always, optional=sometimes)


def _messages(org: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": _ids(org),
            "createdTimestamp": st.sampled_from(MILLIS),
            "externalMessageId": TEXTS,
            "userType": st.sampled_from(["TEAM_MEMBER", "CUSTOMER", "BOT"]),
            "userId": _ids(org),
            "content": st.sampled_from(["a", "c", "", None]),
            "status": st.sampled_from(STAGES),
            "hasInstantApp": st.booleans(),
        }
    )


def _conversations(org: int) -> st.SearchStrategy[dict[str, Any]]:
    member = st.fixed_dictionaries({"teamMemberId": _ids(org), "active": st.booleans()})
    return st.fixed_dictionaries(
        {
            "id": _ids(org),
            "orgChannelId": st.integers(org * 10, org * 10 + 1),
            "customerId": _ids(org),
            "createdTimestamp": st.sampled_from(MILLIS),
            "lastUpdatedTimestamp": st.sampled_from(MILLIS),
            "conversationMembers": st.lists(member, max_size=1),
            "status": st.sampled_from(["ACTIVE", "PENDING"]),
            "topic": TEXTS,
            "firstCustomerMessage": st.none() | _messages(org),
        }
    )


def _bodies(org: int) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    when, customer = st.sampled_from(MILLIS), _customers(org)
    ours, theirs = {"id": org * 10, "name": "main", "active": True}, {"identityType": "SMS", "key": "+1555"}
    poster = st.fixed_dictionaries(
        {
            "id": _ids(org),
            "displayName": st.sampled_from(["a", "p"]),
            "createdTimestamp": when,
            "userType": st.sampled_from(["TEAM_MEMBER", "CUSTOMER", "SYSTEM"]),
        }
    )
    optional_out = {"optOut": st.booleans(), "timestamp": when}
    return {
        "customer/added": st.fixed_dictionaries({"customer": customer}),
        "customer/modified": st.fixed_dictionaries({"customers": st.lists(customer, min_size=1, max_size=2)}),
        "customer/optOut": st.one_of(
            st.fixed_dictionaries(
                {"optOutType": st.just("GLOBAL"), "customers": st.lists(customer, min_size=1, max_size=2)}
                | optional_out
            ),
            st.fixed_dictionaries(
                {
                    "optOutType": st.just("PHONE_PROVIDER"),
                    "customer": customer,
                    "orgChannel": st.just(ours),
                    "customerChannel": st.just(theirs),
                }
                | optional_out
            ),
        ),
        "message/added": st.fixed_dictionaries(
            {
                "message": _messages(org),
                "interaction": _conversations(org),
                "postingUser": st.none() | poster,
                "customerChannel": TEXTS,
                "orgChannel": TEXTS,
                "bulkActionId": st.just(0) | _ids(org),
            }
        ).map(_consistent),
        "message/status": st.one_of(
            st.fixed_dictionaries({"timestamp": when, "message": _messages(org)}),
            st.fixed_dictionaries({"timestamp": when, "messages": st.lists(_messages(org), min_size=1, max_size=2)}),
        ),
        "message/error": st.fixed_dictionaries(
            {"message": _messages(org), "errorMessage": st.sampled_from(["a", "e", ""])}
        ),
        "broadcast/state": st.fixed_dictionaries(
            {"bulkActionId": _ids(org), "status": st.sampled_from(["PROCESSING", "PAUSED"]), "statusMessage": TEXTS}
        ),
    }


def _consistent(body: dict[str, Any]) -> dict[str, Any]:
    """A customer's message is of the conversation's customer: no delivery contradicts itself."""
    for message in (body["message"], body["interaction"]["firstCustomerMessage"]):
        if message is not None and message["userType"] == "CUSTOMER":
            message["userId"] = body["interaction"]["customerId"]
    return body


_BODIES = {org: _bodies(org) for org in (1, 2)}


@st.composite
def deliveries(draw: st.DrawFn, types: tuple[str, ...]) -> tuple[str, str, int]:
    """One delivery: type, body, time of receipt."""
    org = draw(ORGS)
    type_ = draw(st.sampled_from(types))
    body = {"orgId": org} | draw(_BODIES[org][type_])
    return type_, json.dumps(body), draw(st.sampled_from(MOMENTS))
