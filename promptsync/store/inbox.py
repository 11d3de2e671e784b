"""The inbox: every delivery as received, stored before it is answered.

Owns the table ``sync_event`` and group commit: deliveries that arrive while one transaction is being made durable
share the next one. Times of receipt are strictly increasing, so that a replay has the same order; one
given while the clock was ahead is not followed.
"""

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import lru_cache

from promptsync.clock import CLOCKS_DIFFER, MAX_MICROS, YEAR_2000, Clock, iso_micros, parse_iso
from promptsync.errors import MirrorBroken, MirrorLocked, Unavailable
from promptsync.model.delivery import LARGE, Delivery, StoredEvent
from promptsync.store import marks
from promptsync.store.erased import note_suppressed
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_INSERT = (
    "INSERT INTO sync_event (id, type, path, received_at, state, attempts, error, digest, headers, body) "
    "VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)"
)
_LAST = "last_delivery"
_NEXT_ID = (
    "(SELECT max(ifnull((SELECT max(id) FROM sync_event), 0), "
    f"ifnull((SELECT CAST(value AS INTEGER) FROM sync_state WHERE name = '{_LAST}'), 0)) + 1)"
)
_NEXT = f"SELECT {_NEXT_ID}"
_FAILED = "SELECT id FROM sync_event WHERE state = 'failed' AND state <> 'applied'"
_MAX_WAITING = 20_000
_MOST_AT_ONCE = 128 << 10  # characters of bodies that are applied together
_CROWD = 16
_CROWD_SECONDS = 0.1
_GATHER_SECONDS = 0.03  # from one commit to the next, beside a reader that holds the log back


SUPPRESSED = "It was about nobody but people who were erased; nothing more was kept."
"""The ``error`` of such a delivery, which is never applied again."""


class Inbox:
    """Stores deliveries. ``stored`` is called, on the loop, after each commit that stored some; ``committed`` with the
    seconds that it took. ``door``: takes out of a delivery what must not be stored, in the transaction that stores it;
    a large one is put through it before, on a thread, since that takes a while."""

    def __init__(
        self,
        mirror: Mirror,
        clock: Clock,
        stored: Callable[[], None] = lambda: None,
        committed: Callable[[float], None] = lambda _: None,
        door: Callable[[Delivery], Delivery] = lambda delivery: delivery,
    ) -> None:
        self._mirror = mirror
        self._door = door
        self._clock = clock
        self._stored = stored
        self._took = committed
        self._begun = 0.0  # when the transaction that is under way was asked for
        self._waiting: list[tuple[Delivery, asyncio.Future[int]]] = []
        self._flushing = False
        self._crowd = 0  # deliveries in the last transaction

    async def store(self, delivery: Delivery) -> int:
        """Store one delivery; returns its id once it is on disk. Raises Unavailable if that cannot be done now."""
        if len(self._waiting) >= _MAX_WAITING:
            raise Unavailable("Too many deliveries wait for the disk; try again in a moment.")
        if len(delivery.body) > LARGE:
            delivery = await asyncio.to_thread(self._door, delivery)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append((delivery, future))
        if not self._flushing:
            self._flushing = True
            self._flush_soon(loop)
        return await future

    def _flush_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those that have come at the same moment go together; more of them while the log cannot begin anew, in which
        every commit leaves a copy of each page that it changed.
        """
        wait = self._begun + _GATHER_SECONDS - time.perf_counter() if self._mirror.writer.log.held else 0.0
        if wait > 0 and len(self._waiting) < _CROWD:
            loop.call_later(wait, self._flush, loop)
        else:
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        self._begun = time.perf_counter()
        try:
            done = self._mirror.writer.submit(
                lambda connection: self._insert(connection, [delivery for delivery, _ in batch]), Lane.DELIVERY
            )
        except Exception as error:  # noqa: BLE001  the waiting callers get it
            self._flushing = False
            self._settle(batch, None, error)
            return
        done.add_done_callback(lambda future: loop.call_soon_threadsafe(self._committed, loop, batch, future))

    def _committed(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[tuple[Delivery, asyncio.Future[int]]],
        done: "Future[list[int]]",
    ) -> None:
        error = done.exception()
        if isinstance(error, MirrorLocked | MirrorBroken):  # later callers would only wait for the same
            batch, self._waiting = batch + self._waiting, []
        self._settle(batch, None if error else done.result(), error)
        try:
            if error is None:
                self._took(time.perf_counter() - self._begun)
                self._stored()
        finally:
            self._flushing = bool(self._waiting)
            if self._waiting:
                self._flush_soon(loop)

    def _settle(
        self,
        batch: list[tuple[Delivery, asyncio.Future[int]]],
        ids: list[int] | None,
        error: BaseException | None,
    ) -> None:
        for n, (_, future) in enumerate(batch):
            if future.done():
                continue
            if ids is not None:
                future.set_result(ids[n])
            else:
                future.set_exception(error or Unavailable("The delivery could not be stored; try again."))

    @property
    def pressed(self) -> bool:
        """Whether deliveries arrive faster than they are stored one by one, so that other work should wait."""
        return self._crowd >= _CROWD and time.perf_counter() - self._begun < _CROWD_SECONDS

    def _insert(self, connection: sqlite3.Connection, batch: Sequence[Delivery]) -> list[int]:
        """Number them on from the last one; a time of receipt is never given twice."""
        first = connection.execute(_NEXT).fetchone()[0]
        now = self._clock()
        received = receipts(connection, now, len(batch))
        allowed = [self._door(delivery) for delivery in batch]
        numbered = enumerate(zip(allowed, received, strict=True), first)
        connection.executemany(_INSERT, [(n, *_cells(one, one.received_at or at)) for n, (one, at) in numbered])
        note_suppressed(connection, now, deliveries=sum(one.cut for one in allowed))
        self._crowd = len(batch)
        return list(range(first, first + len(batch)))


def receipts(connection: sqlite3.Connection, now: int, wanted: int) -> range:
    """Times of receipt for ``wanted`` deliveries, microseconds: strictly later than every earlier one.

    Their order is that of arrival, which decides between claims that state no time of their own. An earlier time that
    is further ahead of the clock than clocks differ was given while the clock was ahead: it is not followed, or it
    would date everything after it. A clock before the year 2000 is not believed.
    """
    believed = now + CLOCKS_DIFFER if now >= YEAR_2000 else MAX_MICROS
    last = connection.execute("SELECT max(received_at) FROM sync_event WHERE received_at <= ?", (iso_micros(believed),))
    newest = last.fetchone()[0]
    first = max(now, parse_iso(newest) + 1) if newest else now
    between = "SELECT max(received_at) FROM sync_event WHERE received_at BETWEEN ? AND ?"
    while taken := connection.execute(between, (iso_micros(first), iso_micros(first + wanted - 1))).fetchone()[0]:
        first = parse_iso(taken) + 1
    return range(first, first + wanted)


def insert_event(connection: sqlite3.Connection, delivery: Delivery, received_at: int) -> int:
    """Write one delivery, which has come through the door, into the inbox; pending unless nothing is left to apply.
    Inside the caller's transaction. Returns its id."""
    number = connection.execute(_NEXT).fetchone()[0]
    note_suppressed(connection, received_at, deliveries=int(delivery.cut))
    return connection.execute(_INSERT, (number, *_cells(delivery, received_at))).lastrowid or 0


def number_after(connection: sqlite3.Connection, last: int) -> None:
    """The next delivery gets a number greater than ``last``: those up to it are of deliveries that are not kept."""
    marks.put(connection, _LAST, str(last))


def keep_numbers(connection: sqlite3.Connection) -> None:
    """Before deliveries are deleted: the number of the newest is never given to another."""
    connection.execute(
        f"INSERT INTO sync_state SELECT '{_LAST}', {_NEXT_ID} - 1 WHERE TRUE "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )


def _cells(delivery: Delivery, received_at: int) -> tuple[str | None, ...]:
    digest = hashlib.sha256(delivery.body.encode()).hexdigest()
    headers = _headers_text(tuple(delivery.headers.items())) if delivery.headers else None
    state, error = ("applied", SUPPRESSED) if delivery.suppressed else ("pending", None)
    kind, at = delivery.type or delivery.path, iso_micros(received_at)
    return kind, delivery.path, at, state, error, digest, headers, delivery.body


@lru_cache(64)
def _headers_text(headers: tuple[tuple[str, str], ...]) -> str:
    """As JSON. A sender's headers are the same with every delivery of a type."""
    return json.dumps(dict(headers), separators=(",", ":"))


def import_event(connection: sqlite3.Connection, delivery: Delivery) -> bool:
    """Write a delivery with its own time of receipt, unless the same one exists. Returns whether it was new."""
    there = connection.execute(
        "SELECT 1 FROM sync_event WHERE received_at = ? AND path = ? AND body = ?",
        (iso_micros(delivery.received_at), delivery.path, delivery.body),
    ).fetchone()
    if there is None:
        insert_event(connection, delivery, delivery.received_at)
    return there is None


def pending(connection: sqlite3.Connection, limit: int) -> list[StoredEvent]:
    """The next deliveries to apply, oldest first; fewer if their bodies are long, and a large one by itself."""
    rows = connection.execute(
        "SELECT id, type, path, body, received_at FROM sync_event WHERE state = 'pending' AND state <> 'applied' "
        "ORDER BY id LIMIT ?",
        (limit,),
    )
    found: list[StoredEvent] = []
    size = 0
    for id_, type_, path, body, at in rows:
        event = StoredEvent(id_, type_, path, body, parse_iso(at))
        size += len(body)
        if found and (event.is_large or size > _MOST_AT_ONCE):
            break
        found.append(event)
        if event.is_large:
            break
    return found


def still_pending(connection: sqlite3.Connection, first: int, last: int) -> set[int]:
    """The numbers of the deliveries in this range that are to be applied. Their bodies are not read."""
    sql = "SELECT id FROM sync_event WHERE state = 'pending' AND state <> 'applied' AND id BETWEEN ? AND ?"
    return {row[0] for row in connection.execute(sql, (first, last))}


def mark(
    connection: sqlite3.Connection, outcomes: Iterable[tuple[str, int | None, int | None, str | None, int]]
) -> None:
    """Record the outcome of deliveries: (state, org_id, observed_at, error, id) each."""
    connection.executemany(
        "UPDATE sync_event SET state = ?, org_id = ?, observed_at = ?, error = ?, attempts = attempts + 1 WHERE id = ?",
        outcomes,
    )


def select_for_replay(
    connection: sqlite3.Connection, id_: int | None, failed: bool, type_: str | None, since: str | None
) -> list[int]:
    """Set deliveries back to pending: one, or all that failed or were unknown, of a type, received since. Their ids."""
    where: list[str] = []
    values: list[object] = []
    if id_ is not None:
        where.append("id = ?")
        values.append(id_)
    if failed:
        where.append("state IN ('failed', 'unknown_type')")
    if type_ is not None:
        where.append("type = ?")
        values.append(type_)
    if since is not None:
        where.append("received_at >= ?")
        values.append(iso_micros(parse_iso(since)))
    where.append("error IS NOT ?")
    sql = f"UPDATE sync_event SET state = 'pending' WHERE {' AND '.join(where)} RETURNING id"
    return [row[0] for row in connection.execute(sql, (*values, SUPPRESSED))]


def count_failed(connection: sqlite3.Connection, ids: Iterable[int]) -> int:
    """How many of these deliveries have failed."""
    failed = {row[0] for row in connection.execute(_FAILED)}
    return len(failed.intersection(ids))
