"""What Customer.io's files say of people: who they are, their attributes, what they did, what they wrote.

Each function gives the rows that changed in ``[begin, end)`` as they were at ``end``; ``begin`` 0 is a first sync:
those who are still there, what holds of them then, and events of 30 days; of others, events without a name. Follows
Parquet file schemas.
"""

import json
from collections.abc import Iterator

from promptsync.clock import MICROS
from promptsync.demo.customerio.account import Account, Person, whole
from promptsync.demo.customerio.messages import CioRow, event_id
from promptsync.demo.world import words
from promptsync.demo.world.time import Timeline
from promptsync.demo.world.world import DAY

_MONTH = 30 * DAY
_SITE = "Customer.io Data Pipelines via JavaScript"
_AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0"


def people(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """People added, changed, suppressed or deleted."""
    for person in account.people:
        if person.created >= end or not (begin or person.here(end)):
            continue
        gone = person.gone if person.gone is not None and person.gone < end else None
        updated = max(person.created, whole(person.contact.name.since(end - 1))) if gone is None else gone
        if begin <= updated < end:
            yield {
                "customer_id": str(person.contact.id), "internal_customer_id": person.cio_id,
                "deleted": gone is not None and not person.suppressed,
                "suppressed": gone is not None and person.suppressed,
                "created_at": person.created if gone is None else None, "updated_at": updated,
                "email_addr": _email(person, end) if gone is None else None,
            }  # fmt: skip


def _email(person: Person, when: int) -> str | None:
    if person.contact.id % 30 == 0:
        return None
    name = person.contact.name.at(when - 1).casefold().replace(" ", ".")
    return f"{name}@mail{person.contact.id % 3}.example"


def attributes(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """A first sync: the current attributes of those who are there. Later: one row for each change."""
    for person in account.people:
        if person.created >= end or not (begin or person.here(end)):
            continue
        until = end if person.gone is None else min(end, person.gone)
        for name, times, values in _attributes(person):
            changed = {whole(at): value for at, value in zip(times, values, strict=True) if at < until}
            if not begin:
                changed = dict([*changed.items()][-1:])
            for at, value in changed.items():
                if begin <= at < end and (begin or value is not None):
                    yield {
                        "internal_customer_id": person.cio_id, "attribute_name": name, "attribute_value": value,
                        "timestamp": at,
                    }  # fmt: skip


def _attributes(person: Person) -> Iterator[tuple[str, list[int], list[str | None]]]:
    contact = person.contact
    yield "first_name", contact.name.times, [name.partition(" ")[0] for name in contact.name.values]
    yield "phone", [contact.created], [contact.phone]
    yield "cio_subscription_preferences", contact.opted_out.times, _preferences(contact.opted_out)
    for field in contact.fields:
        if not field.managed:
            yield field.key, field.value.times, field.value.values


def _preferences(opted_out: Timeline[bool]) -> list[str | None]:
    """Nested attributes come as JSON in a text."""
    return [json.dumps({"topics": {"topic_7": not out, "topic_8": not out}}) for out in opted_out.values]


def events(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Things people did on the website and in the app: tagged themselves, joined a list, looked at a page."""
    first, begin = not begin, begin or end - _MONTH
    for person in account.people:
        contact = person.contact
        who = person.known_as(end) if first else person.cio_id
        done = [(t.added, f"t{t.id}", "tag_chosen", {"tag": t.tag.name, "note": t.note}) for t in contact.taggings]
        done += [(m.added, f"l{m.list.id}{m.added}", "list_joined", {"list": m.list.name}) for m in contact.memberships]
        for at, mark, name, data in done:
            if begin <= whole(at) < end and person.here(at + 1):
                yield _event(who, whole(at), f"{contact.id}{mark}", (name, "event", _json(data)))
        for journey in person.journeys:
            message = journey.message
            at = whole(message.at) + 45 * MICROS
            if message.id % 7 == 0 and begin <= at < end and person.here(at + 1):
                seen = "page" if message.id % 2 else "screen"
                yield _event(who, at, f"p{message.id}", ("Pickup times", seen, _json({"path": f"/p/{message.id % 3}"})))


def _json(data: dict[str, str]) -> str:
    return json.dumps(data, ensure_ascii=False)


def _event(who: str | None, at: int, mark: str, said: tuple[str, str, str]) -> CioRow:
    name, type_, data = said
    return {
        "event_id": f"01V{mark}", "internal_customer_id": who, "name": name, "type": type_, "data": data,
        "timestamp": at, "processed_at": at + 2 * MICROS, "sources": [_SITE] if type_ == "event" else [_SITE, "mobile"],
        "source_uas": [_AGENT] if type_ != "event" else [],
    }  # fmt: skip


def inbound(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """The replies that the simulated people wrote."""
    first, begin = not begin, begin or end - _MONTH
    for person, message, answered in account.inbound:
        if begin <= whole(message.at) < end:
            text = message.content or ""
            keyword = text.upper() if text in (*words.STOPS, *words.STARTS) else ""
            yield {
                "event_id": event_id(message), "internal_customer_id": person.known_as(end) if first else person.cio_id,
                "timestamp": whole(message.at), "processed_at": whole(message.at) + MICROS, "channel": "sms",
                "from": message.conversation.contact.phone, "to": message.conversation.channel.phone, "body": text,
                "keyword": keyword, "optout": text in words.STOPS,
                "messaging_service_sid": f"MG{person.contact.id % 2:032x}", "message_sid": f"SM{message.id:032x}",
                "in_reply_to_delivery_id": answered.delivery_id if answered else None,
            }  # fmt: skip
