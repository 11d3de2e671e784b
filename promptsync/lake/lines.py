"""A line of a file of deliveries: the delivery, what it is called, and what was taken out of it.

Owns the two fields that a lake adds to the form in which deliveries are exported, once a delivery about several people
has lost one of them: ``id``, by which its rows were called before, and ``cut``, the numbers of the items that are gone.
Its other rows keep their keys by these, and a whole copy of it that comes later has the same ones. Pure.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from promptsync.clock import iso_micros
from promptsync.events.claims import Claims
from promptsync.events.suppression import Suppression
from promptsync.model.delivery import Delivery, delivery_of
from promptsync.vendors import EVENT_TYPES


@dataclass(frozen=True, slots=True)
class Line:
    """``id``: of the delivery as it was received (``event_id``). ``cut``: numbers, as they were then, of the items that
    were taken out, ascending. ``suppressed``: nothing of it is to be read."""

    delivery: Delivery
    id: int
    cut: tuple[int, ...] = ()
    suppressed: bool = False


def event_id(delivery: Delivery) -> int:
    """The same for the same delivery, whoever counts: 63 bits of a digest of when it came, where, and what it says."""
    said = f"{iso_micros(delivery.received_at)}\0{delivery.path}\0{delivery.body}"
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big") >> 1


def line_of(text: str) -> Line:
    """A line as it is stored. Raises ValueError, to follow the words that say which line."""
    delivery = delivery_of(text)
    said: dict[str, Any] = json.loads(text)
    id_, cut = said.get("id"), said.get("cut")
    if not isinstance(id_, int) or not isinstance(cut, list) or not all(isinstance(one, int) for one in cut):
        return Line(delivery, event_id(delivery))
    return Line(delivery, id_, tuple(sorted(cut)))


def lines_in(path: Path) -> Iterator[Line]:
    """The lines of a file that are deliveries."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for text in lines:
            with suppress(ValueError):
                yield line_of(text)


def forgetting(line: Line, door: Suppression, type_: str) -> Line:
    """A line without what is about erased people. ``type_``: of its event."""
    delivery, places = door.cut(line.delivery)
    if delivery.suppressed:
        return replace(line, delivery=delivery, suppressed=True)
    if not places:
        return line
    counted = type_ in EVENT_TYPES and EVENT_TYPES[type_].leaves
    gone = {received_as(line.cut, number) for _, number in places} if counted else set()
    return replace(line, delivery=delivery, cut=tuple(sorted({*line.cut, *gone})))


def rewritten(text: str, line: Line) -> str:
    """The text of a line that has lost something since it was read from ``text``."""
    said = json.loads(text) | {"body": line.delivery.body, "id": line.id, "cut": [*line.cut]}
    return json.dumps(said, ensure_ascii=False)


def received_as(cut: Iterable[int], item: int) -> int:
    """Which number an item had before others were taken out.

    >>> [received_as([0, 2], item) for item in range(3)]
    [1, 3, 4]
    """
    for gone in cut:
        item += gone <= item
    return item


def counted_now(cut: Sequence[int], item: int) -> int:
    """Which number an item has now that others are gone.

    >>> [counted_now([0, 2], item) for item in (1, 3, 4)]
    [0, 1, 2]
    """
    return item - bisect_left(cut, item)


def as_received(claims: Claims, cut: Sequence[int]) -> Claims:
    """What a delivery claims, with the numbers that its items had."""
    if not cut:
        return claims
    leaves = EVENT_TYPES[claims.type].leaves
    happened = [
        (table, (cells[0], received_as(cut, int(cells[1] or 0)), *cells[2:]) if table == leaves else cells)
        for table, cells in claims.happened
    ]
    return replace(claims, happened=happened)
