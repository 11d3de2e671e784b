"""What Customer.io's files say of messages: deliveries, their content, metrics, subjects and outputs.

Each function gives the rows that changed in ``[begin, end)`` as they were at ``end``; ``begin`` 0 is a first sync, the
whole history. Follows Parquet file schemas. Times in microseconds, whole seconds; lists as lists.
"""

from collections.abc import Iterator

from promptsync.clock import MICROS
from promptsync.demo.customerio.account import EVENT_CAMPAIGN, Account, Journey, whole
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.world import DAY

CioValue = str | int | bool | None | list[str]
CioRow = dict[str, CioValue]

_LATEST = 2 * DAY  # nothing happens to a message later than this after it was created
_UNSENT = {"OPTED_OUT": "suppressed", "FAILED": "failed"}
_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"


def deliveries(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Deliveries created, or made anonymous with their person."""
    for journey, changed in _changed(account, begin, end):
        message, broadcast = journey.message, journey.message.broadcast
        yield {
            "delivery_id": journey.delivery_id, "internal_customer_id": journey.person.known_as(end),
            "subject_id": journey.subject, "event_id": event_id(journey.cause) if journey.cause else None,
            "delivery_type": "sms", "campaign_id": journey.campaign, "action_id": journey.action,
            "newsletter_id": broadcast.id if broadcast and journey.campaign is None else None,
            "content_id": message.id % 2 if journey.campaign is None else None,
            "trigger_id": broadcast.id if broadcast and journey.campaign is not None else None,
            "created_at": journey.created, "seq_num": _sequence(changed),
        }  # fmt: skip


def delivery_content(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """What the deliveries said. Never changes."""
    for journey in account.sent(begin, end):
        message, newsletter = journey.message, journey.campaign is None
        yield {
            "delivery_id": journey.delivery_id, "type": "sms", "campaign_id": journey.campaign,
            "action_id": journey.action,
            "newsletter_id": message.broadcast.id if message.broadcast and newsletter else None,
            "content_id": message.id % 2 if newsletter else None, "from": message.conversation.channel.phone,
            "recipient": message.conversation.contact.phone, "body": message.content,
        }  # fmt: skip


def metrics(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """One row for everything that happened to a delivery. Never changes."""
    for journey in account.sent(max(begin - _LATEST, 0), end):
        for turn, (at, metric, reason) in enumerate(_fate(journey.message)):
            if begin <= at < end:
                clicked = metric == "clicked"
                yield {
                    "event_id": f"01M{journey.message.id:012d}{turn:02d}", "delivery_id": journey.delivery_id,
                    "metric": metric, "reason": reason, "link_id": 40 + journey.message.id % 3 if clicked else None,
                    "link_url": f"https://harborstreet.example/p/{journey.message.id % 3}" if clicked else None,
                    "created_at": at, "seq_num": _sequence(at), **dict.fromkeys(("proxied", "prefetched"), False),
                    "machine": clicked and journey.message.id % 5 == 0, "user_agent": _AGENT if clicked else None,
                }  # fmt: skip


def subjects(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Paths through campaigns begun, or made anonymous with their person."""
    for journey, changed in _changed(account, begin, end):
        if journey.subject is None:
            continue
        broadcast = journey.message.broadcast
        yield {
            "subject_name": journey.subject, "internal_customer_id": journey.person.known_as(end),
            "campaign_type": "event" if journey.campaign == EVENT_CAMPAIGN else "triggered_broadcast",
            "campaign_id": journey.campaign, "event_id": event_id(journey.cause) if journey.cause else None,
            "trigger_id": broadcast.id if broadcast else None, "started_campaign_at": journey.started,
            "created_at": journey.started, "seq_num": _sequence(changed),
        }  # fmt: skip


def outputs(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """The steps of each path: a delay that ends, the message, and for some a branch, a split test or a segment."""
    for journey in account.sent(begin, end):
        if journey.subject is None or journey.campaign is None:
            continue
        yield _step(journey, 1, "delay", "Waited until its turn", delay_ends_at=journey.created)
        sent: CioRow = {"delivery_id": journey.delivery_id, "draft": False, "link_tracked": journey.message.id % 2 == 0}
        yield _step(journey, 2, "message", "Sent", **sent)
        match journey.message.id % 12:
            case 0:
                yield _step(journey, 3, "branch", "Followed the second branch", branch_index=1)
            case 4:
                yield _step(journey, 4, "split_test", "Variant A", split_test_index=0)
            case 8:
                segment: CioRow = {"manual_segment_id": 3, "add_to_manual_segment": True}
                yield _step(journey, 5, "manual_segment", "Added", **segment)


def event_id(message: Message) -> str:
    """The id of the event that an inbound message is."""
    return f"01E{message.id:015d}"


def _step(journey: Journey, number: int, type_: str, explanation: str, **more: CioValue) -> CioRow:
    return {
        "output_id": f"{journey.subject}:{number}", "subject_name": journey.subject, "output_type": type_,
        "action_id": (journey.campaign or 0) * 10 + number, "explanation": explanation, **more,
        "created_at": journey.created, "seq_num": _sequence(journey.created),
    }  # fmt: skip


def _changed(account: Account, begin: int, end: int) -> Iterator[tuple[Journey, int]]:
    """Journeys with the instant of their last change before ``end``, if that is in the stretch."""
    for journey in account.sent(begin, end):
        gone = journey.person.gone
        yield journey, gone if gone is not None and gone < end else journey.created
    for person in account.people:
        if person.gone is not None and begin <= person.gone < end:
            yield from ((journey, person.gone) for journey in person.journeys if journey.message.at < begin)


def _fate(message: Message) -> Iterator[tuple[int, str, str | None]]:
    ending = message.ending
    if ending is not None and ending.status in _UNSENT:
        yield whole(ending.at), _UNSENT[ending.status], ending.text
    if message.sent is None:
        return
    yield whole(message.sent), "sent", None
    if ending is None:
        return
    bounced = ending.status == "UNDELIVERED"
    yield whole(ending.at), "bounced" if bounced else "delivered", ending.text
    if not bounced and message.id % 7 == 0:
        yield whole(ending.at) + 40 * MICROS, "clicked", None


def _sequence(at: int) -> int:
    """Monotonically increasing with time."""
    return at // 1000
