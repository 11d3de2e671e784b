"""Applying the inbox: pending deliveries become rows, in batches, by the one writer.

Owns what becomes of a delivery: applied, unknown_type or failed. Nothing a sender sends raises out of here; what could
be read (reading.py) is applied and the rest is named in the delivery's ``error``.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from promptsync.clock import iso_millis
from promptsync.events.claims import Claims
from promptsync.events.merge_claims import ClaimMerger, Collision, Merged, merge_in_parts
from promptsync.events.reading import Reading, read
from promptsync.model.delivery import StoredEvent
from promptsync.plugins.declared import EventHandler
from promptsync.store.connect import attempt
from promptsync.store.inbox import mark, pending, still_pending
from promptsync.store.ledger import add_drift, add_reject
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_log = structlog.get_logger()
_TARGET_SECONDS = 0.01
_KEPT_EACH_TIME = 64 << 10


class EventApplier:
    """Applies pending deliveries batch by batch. ``touched`` gets the rows that a batch claimed."""

    def __init__(
        self,
        mirror: Mirror,
        handlers: Mapping[str, EventHandler],
        touched: Callable[[Merged], None] = lambda _: None,
    ) -> None:
        self._mirror = mirror
        self._handlers = handlers
        self._merger = ClaimMerger(mirror)
        self._touched = touched
        self._size = 50
        self._prepared: dict[int, Reading] = {}
        self._one_at_a_time = threading.Lock()

    def apply_some(self, connection: sqlite3.Connection) -> int:
        """Apply one batch inside the caller's transaction; returns how many deliveries it took. Sized by its time."""
        started = time.perf_counter()
        events = pending(connection, self._size)
        if events:
            self._apply(connection, [self._read(event) for event in events])
            self._resize(len(events), time.perf_counter() - started)
        return len(events)

    def apply_next(self) -> int:
        """Read one batch and apply it, or a large delivery in parts; returns how many deliveries that were. Reading is
        done before the writer's transaction begins, so that it keeps no delivery waiting. A large delivery is marked
        after the last part; if one cannot be merged, it has failed and those before it stay.

        Not for the writer's thread.
        """
        with self._one_at_a_time:
            with self._mirror.reading() as connection:
                events = pending(connection, self._size)
            if not events:
                return 0
            self._prepared = self._prepare(events)
            if events[0].is_large:
                self._apply_in_parts(self._prepared[events[0].id])
                return 1
            self._mirror.writer.run(self._apply_prepared, Lane.APPLY, durable=False)
            return len(events)

    def _prepare(self, events: Sequence[StoredEvent]) -> dict[int, Reading]:
        """What these deliveries say, by their numbers."""
        return {event.id: self._read(event) for event in events}

    def _apply_prepared(self, connection: sqlite3.Connection) -> None:
        started = time.perf_counter()
        waiting = still_pending(connection, min(self._prepared), max(self._prepared))
        readings = [reading for id_, reading in self._prepared.items() if id_ in waiting]
        self._apply(connection, readings)
        self._resize(len(readings), time.perf_counter() - started)

    def _apply_in_parts(self, reading: Reading) -> None:
        claims = reading.claims or Claims(reading.event.id, reading.org_id or 0, reading.at or 0, [])
        collisions: list[Collision] = []

        def merge(connection: sqlite3.Connection, part: Claims) -> list[Collision] | None:
            merged: list[Collision] = []
            error = attempt(connection, lambda: merged.extend(self._merge_part(connection, reading, part, collisions)))
            if error is not None:
                _mark_failed(connection, reading, error)
                return None
            collisions.extend(merged)
            return merged

        if merge_in_parts(self._mirror, claims, merge):
            done = [_outcome(reading, collisions)]
            self._mirror.writer.run(lambda connection: mark(connection, done), Lane.APPLY, durable=False)

    def _merge_part(
        self, connection: sqlite3.Connection, reading: Reading, part: Claims, before: list[Collision]
    ) -> list[Collision]:
        merged = self._merger.merge(connection, [part])
        for place, collision in enumerate(merged.collisions, len(before)):
            _reject(connection, collision, reading.event, whole=place == 0 or _is_short(reading.event))
        _note_unknown(connection, [reading])
        self._touched(merged)
        return merged.collisions

    def _resize(self, count: int, spent: float) -> None:
        wanted = int(count * _TARGET_SECONDS / max(spent, 1e-6))
        if count == self._size:
            self._size = min(max(wanted, 10, self._size // 2), 2 * self._size, 2_000)

    def _apply(self, connection: sqlite3.Connection, readings: list[Reading]) -> None:
        error = attempt(connection, lambda: self._merge(connection, readings))
        if error is not None and len(readings) == 1:
            _mark_failed(connection, readings[0], error)
        elif error is not None:
            for reading in readings:
                self._apply(connection, [reading])

    def _read(self, event: StoredEvent) -> Reading:
        try:
            return read(event, self._handlers)
        except Exception as error:  # noqa: BLE001  one delivery must never stop the others
            _log.warning("event_failed", delivery=event.id, type=event.type, error=type(error).__name__)
            return Reading(event, "failed", error=f"could not be read ({type(error).__name__})")

    def _merge(self, connection: sqlite3.Connection, readings: list[Reading]) -> None:
        merged = self._merger.merge(connection, [reading.claims for reading in readings if reading.claims is not None])
        collided: dict[int, list[Collision]] = {}
        for collision in merged.collisions:
            collided.setdefault(collision.event_id, []).append(collision)
        received = {reading.event.id: reading.event for reading in readings}
        kept: set[int] = set()
        for collision in merged.collisions:
            event = received[collision.event_id]
            _reject(connection, collision, event, whole=event.id not in kept or _is_short(event))
            kept.add(event.id)
        _note_unknown(connection, readings)
        mark(connection, [_outcome(reading, collided.get(reading.event.id, ())) for reading in readings])
        self._touched(merged)


def _mark_failed(connection: sqlite3.Connection, reading: Reading, error: Exception) -> None:
    event = reading.event
    _log.warning("event_failed", delivery=event.id, type=event.type, error=type(error).__name__)
    mark(connection, [("failed", reading.org_id, reading.at, f"could not be merged: {error}", event.id)])


def _note_unknown(connection: sqlite3.Connection, readings: Iterable[Reading]) -> None:
    for reading in readings:
        if reading.state == "unknown_type":
            now = iso_millis(reading.event.received_at)
            add_drift(connection, "event type", "", reading.event.type, now, f"delivery {reading.event.id}")


def _reject(connection: sqlite3.Connection, collision: Collision, event: StoredEvent, *, whole: bool) -> None:
    """``whole``: with the body. Of a large delivery only the first of its rejects, there may be thousands, has it."""
    row = {"class": "org_collision", "table": collision.table, "event_id": collision.event_id}
    row |= {"reason": _sentence(collision), "original": event.body.encode() if whole else None}
    add_reject(connection, row | {"rejected_at": iso_millis(event.received_at)})


def _sentence(collision: Collision) -> str:
    key = ", ".join(str(part) for part in collision.key)
    return f"{collision.table} {key} belongs to another organization than {collision.org_id}"


def _is_short(event: StoredEvent) -> bool:
    return len(event.body) <= _KEPT_EACH_TIME


def _outcome(reading: Reading, collisions: Sequence[Collision]) -> tuple[str, int | None, int | None, str | None, int]:
    """Of several collisions one is named, the same one however they were divided into parts."""
    collision = min(map(_sentence, collisions), default=None)
    errors = "; ".join(text for text in (reading.error, collision) if text) or None
    return reading.state, reading.org_id, reading.at, errors, reading.event.id
