"""What Customer.io's files say of the workspace itself: campaigns, their actions, newsletters, objects.

Each function gives the rows that changed in ``[begin, end)`` as they were at ``end``; ``begin`` 0 is a first sync. Rows
of campaigns, actions and broadcasts are updates: each stays, a later one is another row. Times in microseconds.
"""

import json
from collections.abc import Iterator

from promptsync.clock import MICROS
from promptsync.demo.customerio.account import EVENT_CAMPAIGN, Account, whole
from promptsync.demo.customerio.messages import CioRow, CioValue
from promptsync.demo.world import words
from promptsync.demo.world.world import DAY, HISTORY_DAYS

_WEEK = 7 * DAY
_TYPES = (("Sites", "sites"), ("Lists", "lists"), ("Routes", "routes"))
_GONE = {"routes": 2, "route-b": 3, "site-2": 2}  # deleted this many days before the present
_NEW = {"route-c": 1}  # created this many days before the present


def campaigns(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Every version of a campaign or API triggered broadcast."""
    for campaign, title in _titles():
        for version, at in enumerate(_versions(account, campaign), 1):
            if begin <= at < end:
                name = title if version == 1 else f"{title} ({version})"
                yield {"campaign_id": campaign, **_version(account, campaign, version, name)}


def actions(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Every version of a workflow item: a delay without a name, the text, the branch behind it."""
    for campaign, title in _titles():
        for number, name in enumerate((None, f"Text: {title}", "Replied?"), 1):
            for version, at in enumerate(_versions(account, campaign), 1):
                if begin <= at < end:
                    ids: CioRow = {"campaign_id": campaign, "action_id": campaign * 10 + number}
                    yield {**ids, **_version(account, campaign, version, name)}


def _titles() -> Iterator[tuple[int, str]]:
    yield from enumerate((title for title, _ in words.BROADCASTS), 1)
    yield EVENT_CAMPAIGN, "Answers"


def _versions(account: Account, campaign: int) -> list[int]:
    """When each version came to be. The last ones of some are of the days that are lived through."""
    founded = account.world.log.staff.founded + campaign * DAY + 417_000
    present = account.world.present - campaign * 3600 * MICROS
    return [founded, account.world.start + campaign * DAY + 83_000, *([present] if campaign % 2 else [])]


def _version(account: Account, campaign: int, version: int, name: str | None) -> CioRow:
    times = _versions(account, campaign)
    topics = [chosen.name for chosen in account.world.log.staff.lists[: campaign % 3]]
    return {
        "name": name, "created_at": times[0], "updated_at": times[version - 1], "version": version,
        "topic_names": topics or None,
    }  # fmt: skip


def broadcasts(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Every update of a newsletter: those of the simulated broadcasts that people send by hand."""
    for broadcast in account.world.log.broadcasts:
        for turn, at in enumerate(broadcast.states.times if broadcast.p2p else ()):
            if begin <= at < end:
                yield {
                    "broadcast_id": broadcast.id,
                    "name": broadcast.description if turn else f"Copy of {broadcast.description}",
                    "created_at": broadcast.created,
                    "updated_at": at,
                    "topic_names": ["Newsletter"] if broadcast.advanced else None,
                }


def object_types(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Kinds of objects, created, switched off or deleted."""
    for id_, (name, slug) in enumerate(_TYPES, 1):
        changed, deleted = _last_change(account, slug, end)
        if begin <= changed < end and (begin or not deleted):
            yield {
                "object_type_id": id_, "name": name, "slug": slug, "deleted": deleted, "enabled": not deleted,
                "updated_at": changed,
            }  # fmt: skip


def objects(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Sites, lists and delivery routes, created or deleted."""
    for type_, id_ in _objects(account):
        changed, deleted = _last_change(account, id_, end)
        if begin <= changed < end and (begin or not deleted):
            yield {
                **_object(type_, id_), "object_id": id_, "deleted": deleted, "created_at": _born(account, id_),
                "updated_at": changed,
            }  # fmt: skip


def object_attributes(account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """A first sync: what holds of the objects there are. Later: one row for each change."""
    for type_, id_ in _objects(account):
        changed, deleted = _last_change(account, id_, end)
        if not begin and (deleted or changed >= end):
            continue
        for name, values in (("hours", _hours(account, id_)), ("capacity", _capacity(account, id_))):
            past = [(at, value) for at, value in values if at < (changed if deleted else end)]
            for at, value in past if begin else past[-1:]:
                if begin <= at < end:
                    cells: CioRow = {"attribute_name": name, "attribute_value": value, "timestamp": at}
                    yield {**_object(type_, id_), **cells}


def _object(type_: int, id_: str) -> dict[str, CioValue]:
    return {"object_type_id": type_, "internal_object_id": f"ob{type_}-{id_}"}


def _objects(account: Account) -> Iterator[tuple[int, str]]:
    for turn, _ in enumerate(words.FIELDS[2][2]):
        yield 1, f"site-{turn}"
    for chosen in account.world.log.staff.lists:
        yield 2, chosen.api_id
    for letter in "abc":
        yield 3, f"route-{letter}"


def _born(account: Account, id_: str) -> int:
    if id_ in _NEW:
        return whole(account.world.present - _NEW[id_] * DAY)
    return whole(account.world.log.staff.founded) + len(id_) * DAY


def _last_change(account: Account, id_: str, end: int) -> tuple[int, bool]:
    """When it last changed before ``end``, and whether it was deleted then."""
    if id_ in _GONE and (gone := whole(account.world.present - _GONE[id_] * DAY)) < end:
        return gone, True
    return _born(account, id_), False


def _hours(account: Account, id_: str) -> list[tuple[int, str]]:
    """Nested values come as JSON in a text."""
    born = _born(account, id_)
    return [(born, json.dumps({"tue": [15, 18], "sat": [9, 12]})), (born + _WEEK, json.dumps({"tue": [15, 19]}))]


def _capacity(account: Account, id_: str) -> list[tuple[int, str]]:
    """Counted once a day since the history began, and as long as the account lives."""
    start = max(_born(account, id_), whole(account.world.start))
    return [(start + day * DAY, str(40 + (day * 7 + len(id_)) % 25)) for day in range(HISTORY_DAYS + 30)]
