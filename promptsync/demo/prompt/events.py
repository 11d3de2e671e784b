"""Webhook deliveries of the simulated world: in exactly the specification's shapes, posted and signed as by the vendor.

One builder for each event type; each also says what a receiver learns from it (``informs``), to keep the truth by.
A new type is a builder here, a method of ``Knowledge``, and a line in days. Follows Event Endpoint. Owns what was
acknowledged and what was left without an answer: a vendor that gets no answer tries again, so the same delivery may be
stored twice; which ones were is read from the inbox afterwards.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import aiohttp

from promptsync.demo.prompt import models
from promptsync.demo.prompt.models import Body
from promptsync.demo.truth.knowledge import Knowledge
from promptsync.demo.world.log import MILLI
from promptsync.demo.world.people import CarrierStop, Contact, Staff
from promptsync.demo.world.traffic import Broadcast, Message
from promptsync.errors import Unavailable

BATCH = 100
"""The most customers in one event."""
_CONNECTIONS = 24
_TRIES = 60


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery. ``at``: when the vendor made it; ``arrives``: when it reaches the receiver, later if delayed."""

    path: str
    body: Body
    at: int
    arrives: int
    informs: Callable[[Knowledge, int], None] = field(compare=False, repr=False)

    @property
    def text(self) -> str:
        """The body as it travels."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    def delayed(self, micros: int) -> "Event":
        """The same delivery, arriving later."""
        return replace(self, arrives=self.arrives + micros)


class Events:
    """Builds the events of one organisation."""

    def __init__(self, staff: Staff) -> None:
        self._org_id = staff.org_id
        self._founded = staff.founded
        self._members = {member.id: member for member in staff.members}

    def _event(self, path: str, body: Body, at: int, learn: Callable[..., None], *about: object) -> Event:
        """``learn``: a method of ``Knowledge``, which gets the time of receipt and what the event is about."""

        def informs(knowledge: Knowledge, received: int) -> None:
            learn(knowledge, received, *about)

        return Event(path, {"orgId": self._org_id, **body}, at, at, informs)

    def customer_added(self, contact: Contact) -> Event:
        """customer/added."""
        at = contact.created
        body = {"customer": models.customer(contact, at, full=True)}
        return self._event("customer/added", body, at, Knowledge.customers, (contact,), at)

    def customer_modified(self, contacts: Sequence[Contact], at: int) -> Event:
        """customer/modified, up to 100 contacts."""
        body = {"customers": [models.customer(contact, at, full=True) for contact in contacts]}
        return self._event("customer/modified", body, at, Knowledge.customers, contacts, at)

    def opt_out_global(self, contacts: Sequence[Contact], at: int) -> Event:
        """customer/optOut GLOBAL, up to 100 contacts who all opted out, or all back in, at that instant."""
        body = {
            "customers": [models.customer(contact, at, full=False) for contact in contacts], "optOutType": "GLOBAL",
            "optOut": contacts[0].opted_out.at(at), "timestamp": models.millis(at),
        }  # fmt: skip
        return self._event("customer/optOut", body, at, Knowledge.global_consent, contacts, at)

    def opt_out_phone_provider(self, contact: Contact, stop: CarrierStop) -> Event:
        """customer/optOut PHONE_PROVIDER."""
        body = {
            "customer": models.customer(contact, stop.at, full=False), "optOutType": "PHONE_PROVIDER",
            "optOut": stop.opted_out, "timestamp": models.millis(stop.at),
            "orgChannel": models.org_channel(stop.channel),
            "customerChannel": {"identityType": "SMS", "key": contact.phone}, "phoneProviderOptOut": stop.opted_out,
        }  # fmt: skip
        return self._event("customer/optOut", body, stop.at, Knowledge.carrier_consent, contact, stop)

    def message_added(self, message: Message) -> Event:
        """message/added: as it was created, in the conversation as it then became."""
        talk, at = message.conversation, message.noted
        body = {
            "message": models.message(message, message.at), "interaction": models.conversation(talk, at),
            "postingUser": self._posting_user(message), "customerChannel": talk.contact.phone,
            "orgChannel": talk.channel.phone, "bulkActionId": message.broadcast.id if message.broadcast else 0,
        }  # fmt: skip
        poster = self._members[message.user_id] if message.user_type == "TEAM_MEMBER" else None
        return self._event("message/added", body, at, Knowledge.message_added, message, poster)

    def _posting_user(self, message: Message) -> Body:
        if message.user_type == "TEAM_MEMBER":
            return models.team_member(self._members[message.user_id])
        contact = message.conversation.contact
        if message.user_type == "CUSTOMER":
            return models.user(contact.id, contact.name.at(message.noted), contact.created, "CUSTOMER")
        return models.user(message.user_id, "Prompt", self._founded, message.user_type)

    def message_status(self, messages: Sequence[Message], at: int, batch: bool) -> Event:
        """message/status: one message, or several at once (INDIVIDUAL_STATUS_UPDATE_EVENTS on or off)."""
        found = [models.message(message, at) for message in messages]
        carried: Body = {"messages": found} if batch else {"message": found[0]}
        body = {"timestamp": models.millis(at), **carried}
        return self._event("message/status", body, at, Knowledge.message_status, messages, at)

    def message_error(self, message: Message) -> Event:
        """message/error, just after the message failed."""
        if message.ending is None or message.ending.text is None:
            raise ValueError("the message did not fail")
        at = message.ending.at + 20 * MILLI
        body = {"message": models.message(message, at), "errorMessage": message.ending.text}
        return self._event("message/error", body, at, Knowledge.message_error, message, at)

    def broadcast_state(self, broadcast: Broadcast, at: int) -> Event:
        """broadcast/state, as it was since ``at``."""
        status, status_message = broadcast.states.at(at)
        body = {"bulkActionId": broadcast.id, "status": status, "statusMessage": status_message}
        return self._event("broadcast/state", body, at, Knowledge.broadcast_state, broadcast, at)


@dataclass(slots=True)
class Receipts:
    """``stored``: delivery id to event. ``unanswered``: sent, but the connection was lost before the answer came."""

    stored: dict[int, Event] = field(default_factory=dict)
    unanswered: list[Event] = field(default_factory=list)
    sent: int = 0


class Sender:
    """Posts events; ``address`` may change when the daemon is started again."""

    def __init__(self, address: str, secret: bytes, posted: Receipts) -> None:
        self.address = address
        self._secret = secret
        self._posted = posted

    async def post_all(self, events: Iterable[Event]) -> None:
        """Post in order, several at a time, until each is acknowledged. Raises Unavailable if one never is."""
        waiting = iter(events)
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=False)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for _ in range(_CONNECTIONS):
                tasks.create_task(self._work(session, waiting))

    async def _work(self, session: aiohttp.ClientSession, waiting: Iterable[Event]) -> None:
        for event in waiting:
            await self._post(session, event)

    async def _post(self, session: aiohttp.ClientSession, event: Event) -> None:
        body = event.text.encode()
        headers = {
            "Content-Type": "application/json",
            "Prompt-EventType": event.path,
            "X-Hub-Signature": "sha1=" + hmac.new(self._secret, body, hashlib.sha1).hexdigest(),
        }
        for _ in range(_TRIES):
            try:
                async with session.post(f"{self.address}/{event.path}", data=body, headers=headers) as response:
                    if response.status == 200:
                        self._posted.stored[(await response.json())["stored"]] = event
                        self._posted.sent += 1
                        return
                    if response.status != 503:
                        raise Unavailable(f"The listener answered {response.status} to {event.path}.")
            except (aiohttp.ClientConnectionError, TimeoutError):
                self._posted.unanswered.append(event)
            await asyncio.sleep(0.25)
        raise Unavailable(f"The listener at {self.address} did not take {event.path}; is the daemon running?")
