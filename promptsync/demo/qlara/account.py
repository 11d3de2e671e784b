"""The organisation's Qlara account: some of the simulated people, what was sent to them, and asking for exports of it.

Owns what an export holds as of an instant, its CSV spelling, and the truth about the tables that exports fill. Nothing
is drawn at random here. The columns are those of ``GET /messages/history`` and of like products: Qlara documents none.
"""

import asyncio
import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.demo.home import Home
from promptsync.demo.prompt.snapshot import Row
from promptsync.demo.qlara.server import Faults, QlaraServer
from promptsync.demo.truth.rows import Key, stored
from promptsync.demo.world.people import Contact, holding
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.world import DAY, World
from promptsync.errors import Unavailable
from promptsync.vendors import declared_schema

CONTACTS, REPORTS, MESSAGES = "contacts", "delivery-reports", "messages"
KINDS = {CONTACTS: "qlara_contact", REPORTS: "qlara_delivery_report", MESSAGES: "qlara_message"}
_ROME = timezone(timedelta(hours=1))
_HEADERS = {
    CONTACTS: "contactId,phoneNumber,firstName,lastName,listNames,status,createdAt,updatedAt",
    REPORTS: "Report ID;Message ID;Campaign ID;Campaign name;Channel;Recipient;Sender;Delivery status;Error code;"
    "Sent at;Delivered at;Price;Parts;Last update;Operator",
    MESSAGES: "messageId,channel,direction,destination,sender,body,status,sendDate,deliveryDate,cost,parts,updatedAt",
}
_WORDS = {"DELIVERED": "DELIVERED", "SENT": "SENT", "QUEUED": "UNKNOWN", "UNDELIVERED": "EXPIRED"}


class Asked(NamedTuple):
    """An export that was asked for. Instants; both 0 for contacts, which are as of now."""

    kind: str
    begin: int = 0
    end: int = 0


@dataclass(slots=True)
class QlaraAccount:
    """The account. ``asked``: what the organisation asked for, which the truth is about."""

    world: World
    asked: list[Asked] = field(default_factory=list)

    def csv_text(self, kind: str, request: Mapping[str, Any]) -> str:
        """An export as the server gives it out: reports in semicolons, times with an offset and decimal commas."""
        times = [parse_iso(request[name]) if name in request else 0 for name in ("startDateTime", "endDateTime")]
        rows = self._rows(Asked(kind, *times))
        text = io.StringIO()
        out = csv.writer(text, delimiter=";" if kind == REPORTS else ",", lineterminator="\r\n")
        out.writerow(_HEADERS[kind].replace(";", ",").split(","))
        for row in rows:
            out.writerow([_italian(cell) if kind == REPORTS else _plain(cell) for cell in row.values()])
        return text.getvalue()

    def truth(self) -> dict[str, dict[Key, dict[str, Any]]]:
        """Every row of every export asked for, each as the one of the latest instant has it."""
        schema = declared_schema()
        tables: dict[str, dict[Key, dict[str, Any]]] = {}
        for kind, table in KINDS.items():
            empty = dict.fromkeys(column.name for column in schema[table].columns)
            rows: dict[Key, dict[str, Any]] = {}
            for asked in sorted((one for one in self.asked if one.kind == kind), key=lambda one: one.end):
                for row in self._rows(asked):
                    rows[row["id"],] = empty | {name: _kept(name, value) for name, value in row.items()}
            tables[table] = rows
        return tables

    def _rows(self, asked: Asked) -> Iterator[Row]:
        if asked.kind == CONTACTS:
            return self._contacts(self.world.end)
        messages = (m for m in self.world.log.messages if asked.begin <= m.at <= asked.end and _sent_here(m))
        if asked.kind == REPORTS:
            return (_report(m, asked.end) for m in messages if m.broadcast is not None)
        return (_message(m, asked.end) for m in messages if m.broadcast is None)

    def _contacts(self, when: int) -> Iterator[Row]:
        for contact in self.world.log.contacts:
            if _ours(contact) and contact.created <= when:
                first, _, last = contact.name.at(when).partition(" ")
                yield {
                    "id": f"c-{contact.id}", "phone": contact.phone, "first_name": first, "last_name": last,
                    "lists": ",".join(dict.fromkeys(m.list.name for m in holding(contact.memberships, when))),
                    "status": "UNSUBSCRIBED" if contact.opted_out.at(when) else "ACTIVE", "created_at": contact.created,
                    "updated_at": contact.updated(when),
                }  # fmt: skip


def _ours(contact: Contact) -> bool:
    return contact.id % 4 == 1


def _sent_here(message: Message) -> bool:
    return message.outgoing and not message.whisper and _ours(message.conversation.contact)


def _report(message: Message, when: int) -> Row:
    broadcast, fate = message.broadcast, _fate(message, when)
    return {
        "id": f"r-{message.id}", "message_id": f"q-{message.id}",
        "campaign_id": str(broadcast.id) if broadcast else None,
        "campaign_name": broadcast.description if broadcast else None, "channel": "SMS",
        "destination": message.conversation.contact.phone, "sender": message.conversation.channel.phone,
        **{name: fate[name] for name in ("status", "error", "sent_at", "delivered_at", "cost", "parts", "updated_at")},
        "Operator": "Carrier 7" if message.id % 7 == 0 else "Carrier 1",
    }  # fmt: skip


def _message(message: Message, when: int) -> Row:
    fate = _fate(message, when)
    return {
        "id": f"q-{message.id}", "channel": "WHATSAPP" if message.id % 9 == 0 else "SMS", "direction": "OUTBOUND",
        "destination": message.conversation.contact.phone, "sender": message.conversation.channel.phone,
        "body": message.content,
        **{name: fate[name] for name in ("status", "sent_at", "delivered_at", "cost", "parts", "updated_at")},
    }  # fmt: skip


def _fate(message: Message, when: int) -> Row:
    """How the message stands at an instant."""
    status = message.status(when)
    ended = message.ending.at if message.ending is not None and message.ending.at <= when else None
    last = max(at for at in (message.at, message.sent, ended) if at is not None and at <= when)
    return {
        "status": _WORDS.get(status, "ERROR"),
        "error": message.ending.code if ended is not None and message.ending else None, "sent_at": message.at,
        "delivered_at": ended if status == "DELIVERED" else None, "cost": 0.0075 * message.segments,
        "parts": message.segments, "updated_at": last,
    }  # fmt: skip


def _kept(name: str, value: Any) -> Any:
    return iso_millis(value) if name.endswith("_at") and value is not None else stored(value)


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    return iso_millis(cell) if _is_time(cell) else str(cell)


def _italian(cell: Any) -> str:
    if _is_time(cell):
        when = datetime.fromtimestamp(cell // MICROS, UTC) + timedelta(microseconds=cell % MICROS)
        return when.astimezone(_ROME).isoformat(timespec="milliseconds")
    return f"{cell:.4f}".replace(".", ",") if isinstance(cell, float) else _plain(cell)


def _is_time(cell: Any) -> bool:
    return isinstance(cell, int) and cell > 1 << 48


def stretches(begin: int, end: int, days: Iterable[tuple[int, int]]) -> Iterator[Asked]:
    """What is asked for: contacts, then reports and messages of stretches, (first, last) in days before ``end``."""
    yield Asked(CONTACTS)
    day = 86_400 * MICROS
    for first, last in days:
        for kind in (REPORTS, MESSAGES):
            yield Asked(kind, max(begin, end - first * day), end - last * day)


class Qlara:
    """One account at one server, on a day on which that server limits calls, fails once and denies a link once.

    Serve before the configuration is written, ``open`` before asking. The daemon does the work, as for the real vendor.
    """

    def __init__(self) -> None:
        faults = Faults(rate_limited=2, retry_after=0.2, errors=1, link_dead=1)
        self.server = QlaraServer(lambda kind, asked: self.account.csv_text(kind, asked), faults=faults)

    def open(self, world: World) -> "QlaraAccount":
        """The account has these people."""
        self.account = QlaraAccount(world)
        return self.account

    async def ask_for_days(self, home: Home) -> int:
        """Have the daemon make all three exports, reports and messages of two stretches that overlap."""
        world = self.account.world
        return await self.ask(home, stretches(world.start, world.end, ((21, 2), (5, 0))))

    async def ask_for_newest(self, home: Home, end: int) -> int:
        """Have the daemon export the reports and messages of the day before an instant."""
        return await self.ask(home, list(stretches(end - DAY, end, ((1, 0),)))[1:])

    async def ask(self, home: Home, wanted: Iterable[Asked]) -> int:
        """Request exports and wait until they are merged; returns how many. Raises Unavailable if one is not."""
        ids = set()
        for one in wanted:
            self.account.asked.append(one)
            asked = {"from": iso_millis(one.begin), "to": iso_millis(one.end)} if one.end else {}
            request = {"kind": one.kind, "asked": asked, "wait": False}
            answer = await asyncio.to_thread(home.ask, "request-exports", request)
            ids |= {job["id"] for job in answer["jobs"]}
        answer = await asyncio.to_thread(home.ask, "resume-exports", {})
        for job in answer["jobs"]:
            if job["id"] in ids and job["state"] != "loaded":
                raise Unavailable(f"Export {job['id']} of {job['type']} is {job['state']}: {job['error']}")
        return len(ids)
