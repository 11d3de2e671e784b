"""Deliveries into the lake's storage: none is answered before the file that holds it is there for good.

Owns the putting together of deliveries that arrive within a moment of each other into one file, in the form in which
deliveries are exported, and how long anybody waits. Any number of these run side by side; they share nothing but the
storage. A file's name is used once.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Final

from promptsync.clock import MICROS, Clock, iso_micros
from promptsync.errors import PromptsyncError, Unavailable
from promptsync.lake.lines import event_id
from promptsync.lake.storage import DELIVERIES, Storage
from promptsync.model.delivery import Delivery

FLUSH_SECONDS: Final = 0.1
"""How long a delivery waits for others."""
PATIENCE_SECONDS: Final = 4.0
"""How long one waits for the storage, its turn included; then it is not stored, as far as its sender is told."""
_MOST_BYTES: Final = 4 << 20
_MOST_WAITING: Final = 20_000
_AT_ONCE: Final = 8


@dataclass(slots=True)
class _Batch:
    """Deliveries that go into one file together."""

    lines: list[str] = field(default_factory=list)
    size: int = 0
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LakeIntake:
    """Stores deliveries, as ``Accept`` has it. Times of receipt are strictly increasing here, not across listeners."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage, self._clock = storage, clock
        self._name, self._files = secrets.token_hex(8), 0
        self._last = self._waiting = 0
        self._batch: _Batch | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def store(self, delivery: Delivery) -> int:
        """Store one delivery; returns its id once it is stored. Raises Unavailable if that cannot be done now."""
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many deliveries wait for the storage; try again in a moment.")
        self._last = max(self._clock(), self._last + 1)
        stored = Delivery(delivery.path, delivery.body, received_at=self._last)
        batch = self._joined(stored, delivery.type or delivery.path)
        self._waiting += 1
        try:
            await asyncio.shield(batch.done)
        finally:
            self._waiting -= 1
        return event_id(stored)

    async def drain(self) -> None:
        """Wait for the files under way."""
        self._send()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _joined(self, delivery: Delivery, kind: str) -> _Batch:
        """The batch that the delivery is in from now on."""
        line = {"received_at": iso_micros(delivery.received_at), "type": kind, "path": delivery.path}
        text = json.dumps({**line, "body": delivery.body}, ensure_ascii=False)
        if self._batch is None:
            self._batch = _Batch()
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._send, self._batch)
        batch = self._batch
        batch.lines.append(text)
        batch.size += len(text)
        if batch.size >= _MOST_BYTES:
            self._send()
        return batch

    def _send(self, which: _Batch | None = None) -> None:
        """Store what is waiting, unless ``which`` was stored already."""
        batch = self._batch
        if batch is None or which not in (None, batch):
            return
        self._batch = None
        task = asyncio.get_running_loop().create_task(self._put(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _put(self, batch: _Batch) -> None:
        self._files += 1
        day = iso_micros(self._last // MICROS * MICROS)[:13].replace("T", "/")
        key = f"{DELIVERIES}/{day}/{self._name}-{self._files:09d}.jsonl"
        content = "".join(f"{line}\n" for line in batch.lines).encode()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._turn:
                await self._storage.add(key, content)
        except TimeoutError:
            self._fail(batch, Unavailable(f"{self._storage.name} does not answer; try again in a moment."))
        except PromptsyncError as error:
            self._fail(batch, Unavailable(str(error)))
        else:
            batch.done.set_result(None)

    @staticmethod
    def _fail(batch: _Batch, error: Exception) -> None:
        batch.done.set_exception(error)
        batch.done.exception()  # every sender may have hung up
