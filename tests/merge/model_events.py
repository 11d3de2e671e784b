"""What each webhook body claims, for the model: a second, plain reading of the payload specification.

Bodies are well-formed here; what is done with malformed ones is no matter of the rule.
"""

import json
from dataclasses import dataclass
from typing import Any

from promptsync.merge.spec import WEBHOOK, Version, version

from .model import Claimed, iso

_AHEAD = 5 * 60 * 1_000_000
_YEAR_2000 = 946_684_800_000
_SUCCESS = {"SENT": 1, "DELIVERED": 1, "READ": 1, "FAILED": 0, "UNDELIVERED": 0, "OPTED_OUT": 0, "ABORTED": 0}


@dataclass(frozen=True)
class Event:
    """One delivery: ``body`` is JSON text, ``received_at`` microseconds."""

    type: str
    body: str
    received_at: int


def add_event(claimed: Claimed, event: Event) -> None:
    """Everything that one delivery says."""
    body = json.loads(event.body)
    at = believed(body.get("timestamp"), event.received_at + _AHEAD) or event.received_at
    _Reading(claimed, body["orgId"], at, event.received_at + _AHEAD).read(event.type, body)


def believed(millis: int | None, latest: int) -> int | None:
    """A time that a body states, as a claim may be ordered by it: none before 2000, and ``latest`` at most."""
    return min(millis * 1000, latest) if millis and millis >= _YEAR_2000 else None


def hook(at: int) -> Version:
    """The version of a webhook's claim."""
    return version(at, WEBHOOK)


class _Reading:
    def __init__(self, claimed: Claimed, org: int, at: int, latest: int) -> None:
        self.claimed, self.org, self.at, self.latest = claimed, org, at, latest

    def read(self, type_: str, body: dict[str, Any]) -> None:
        if type_ == "customer/added":
            self.customer(body["customer"], whole=True)
        elif type_ == "customer/modified":
            for customer in body["customers"]:
                self.customer(customer, whole=True)
        elif type_ == "customer/optOut":
            self.opt_out(body)
        elif type_ == "message/added":
            self.added(body)
        elif type_ == "message/status":
            for message in body.get("messages") or [body["message"]]:
                self.message(message, self.at)
                self.happened("message_status", message["id"], message["status"], iso(self.at))
        elif type_ == "message/error":
            message = self.message(body["message"], self.at)
            self.say("message", (message,), hook(self.at), error_message=body["errorMessage"] or None)
            self.happened("message_error", message, body["errorMessage"] or None, iso(self.at))
        elif type_ == "broadcast/state":
            told = {"status": body["status"], "status_message": body["statusMessage"]}
            self.see("broadcast", (body["bulkActionId"],), self.at)
            self.say("broadcast", (body["bulkActionId"],), hook(self.at), **told)
            self.happened("broadcast_change", body["bulkActionId"], *told.values(), iso(self.at))
        else:
            raise AssertionError(type_)

    def see(self, table: str, key: tuple[Any, ...], at: int) -> None:
        self.claimed.see(table, key, self.org, at)

    def say(self, table: str, key: tuple[Any, ...], stated: Version, **values: Any) -> None:
        self.claimed.say(table, key, stated, values)

    def tell(self, table: str, key: tuple[Any, ...], when: int, **values: Any) -> None:
        self.see(table, key, when)
        self.claimed.say(table, key, hook(when), values)

    def happened(self, table: str, *cells: Any) -> None:
        self.claimed.happened[table].add((self.org, *cells))

    def customer(self, model: dict[str, Any], *, whole: bool = False, consent: bool = True) -> int:
        contact: int = model["id"]
        key, born = (contact,), believed(model["createdTimestamp"], self.latest) or 1
        self.see("contact", key, self.at)
        if "displayName" in model:
            self.say("contact", key, hook(self.at), display_name=model["displayName"] or None)
        self.say("contact", key, hook(self.at), created_timestamp=iso(model["createdTimestamp"] * 1000))
        left_at = believed(model["globalOptOutTimestamp"], self.latest)
        if consent and model["globalOptOut"] and left_at:
            stated = iso(model["globalOptOutTimestamp"] * 1000)
            self.say("contact", key, hook(left_at), is_opted_out=1, opt_out_timestamp=stated)
        elif consent and not model["globalOptOut"]:
            self.say("contact", key, hook(born), is_opted_out=0, opt_out_timestamp=None)
        numbers = {item["key"] for item in model["channels"] if item["identityType"] == "SMS"}
        if len(numbers) == 1:
            self.say("contact", key, hook(born), phone=numbers.pop())
        self.lists(contact, model)
        if whole:
            for name in ("channels", "tags", "identities", "contactLists"):
                if name in model:
                    self.claimed.state_list(contact, name, self.at)
        return contact

    def lists(self, contact: int, model: dict[str, Any]) -> None:
        for item in model["channels"]:
            self.see("contact_channel", (contact, item["identityType"], item["key"]), self.at)
        for item in model.get("identities", []):
            self.see("contact_identity", (contact, item["type"], item["key"]), self.at)
        for item in model.get("tags", []):
            self.tell("tag", (item["id"],), self.at, name=item["name"], color_code=item["colorCode"])
            added = {"note": item["note"] or None, "added_at": iso(item["addedTimestamp"] * 1000)}
            self.tell("contact_current_tag", (contact, item["id"]), self.at, **added)
        for item in model.get("contactLists", []):
            self.tell("contact_list", (item["id"],), self.at, name=item["name"], type=item["type"])
            added = {"added_at": iso(item["addedTimestamp"] * 1000)}
            self.tell("contact_list_member", (contact, item["id"]), self.at, **added)

    def opt_out(self, body: dict[str, Any]) -> None:
        out = int(body["optOut"])
        if body["optOutType"] == "GLOBAL":
            for model in body["customers"]:
                contact = self.customer(model, consent=False)
                stated = model["globalOptOutTimestamp"]
                since = iso(stated * 1000 if stated else self.at) if out else None
                self.say("contact", (contact,), hook(self.at), is_opted_out=out, opt_out_timestamp=since)
                self.happened("opt_out_change", contact, "GLOBAL", out, iso(self.at), None)
            return
        contact, channel = self.customer(body["customer"]), body["orgChannel"]
        self.tell("channel", (channel["id"],), self.at, name=channel["name"], active=int(channel["active"]))
        reached = body["customerChannel"]
        told = {"opted_out": out, "at": iso(self.at), "contact_key": reached["key"]}
        self.tell("channel_opt_out", (contact, channel["id"]), self.at, **told)
        self.happened("opt_out_change", contact, "PHONE_PROVIDER", out, iso(self.at), channel["id"])

    def message(self, model: dict[str, Any], at: int) -> int:
        key = (model["id"],)
        kind, user = model["userType"], model["userId"]
        self.tell("message", key, at, created_timestamp=iso(model["createdTimestamp"] * 1000))
        self.say("message", key, hook(at), content=model["content"] or None)
        sender = user if kind == "TEAM_MEMBER" else None
        self.say("message", key, hook(at), is_outgoing=int(kind != "CUSTOMER"), team_member_id=sender)
        if kind == "CUSTOMER":
            self.say("message", key, hook(at), contact_id=user)
            self.claimed.mention("contact", (user,), self.org)
        elif kind == "TEAM_MEMBER":
            self.claimed.mention("team_member", (user,), self.org)
        live = {"external_message_id": model["externalMessageId"], "user_type": kind, "user_id": user}
        self.say("message", key, hook(at), **live, has_instant_app=int(model["hasInstantApp"]))
        status = model["status"]
        stated = version(at, WEBHOOK, status)
        self.say("message", key, stated, status=status, status_timestamp=iso(at))
        if status in _SUCCESS:
            self.say("message", key, stated, is_successful=_SUCCESS[status])
        return int(model["id"])

    def added(self, body: dict[str, Any]) -> None:
        model, talk, poster = body["message"], body["interaction"], body["postingUser"]
        at = believed(model["createdTimestamp"], self.latest) or self.at
        key = (self.message(model, at),)
        phones = {"contact_phone": body["customerChannel"], "org_phone": body["orgChannel"]}
        self.say("message", key, hook(at), **phones)
        broadcast = body["bulkActionId"] or None
        sent_by_it = int(broadcast is not None and model["userType"] != "CUSTOMER")
        self.say("message", key, hook(at), broadcast_id=broadcast, is_broadcast=sent_by_it)
        if broadcast is not None:
            self.claimed.mention("broadcast", (broadcast,), self.org)
        self.say("message", key, hook(at), conversation_id=talk["id"], channel_id=talk["orgChannelId"])
        self.say("message", key, hook(at), contact_id=talk["customerId"])
        self.conversation(talk)
        if poster is not None and poster["userType"] in ("CUSTOMER", "TEAM_MEMBER"):
            who = ("contact" if poster["userType"] == "CUSTOMER" else "team_member", (poster["id"],))
            self.tell(*who, self.at, display_name=poster["displayName"] or None)
            self.say(*who, hook(self.at), created_timestamp=iso(poster["createdTimestamp"] * 1000))

    def conversation(self, talk: dict[str, Any]) -> None:
        key, at = (talk["id"],), believed(talk["lastUpdatedTimestamp"], self.latest) or self.at
        told = {"contact_id": talk["customerId"], "channel_id": talk["orgChannelId"]}
        told |= {"status": talk["status"], "topic": talk["topic"]}
        told |= {"last_updated_timestamp": iso(talk["lastUpdatedTimestamp"] * 1000)}
        self.tell("conversation", key, at, **told, created_timestamp=iso(talk["createdTimestamp"] * 1000))
        self.claimed.mention("contact", (talk["customerId"],), self.org)
        self.claimed.mention("channel", (talk["orgChannelId"],), self.org)
        for member in talk["conversationMembers"]:
            self.tell("conversation_member", (talk["id"], member["teamMemberId"]), at, active=int(member["active"]))
            self.claimed.mention("team_member", (member["teamMemberId"],), self.org)
        if (first := talk["firstCustomerMessage"]) is not None:
            first_at = believed(first["createdTimestamp"], self.latest) or at
            first_id = self.message(first, first_at)
            self.say("conversation", key, hook(at), first_message_id=first_id)
            self.say(
                "message", (first_id,), hook(first_at), conversation_id=talk["id"], channel_id=talk["orgChannelId"]
            )
