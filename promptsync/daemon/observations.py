"""Writing down what the listener has seen: now and then of what the vendor leaves open, soon of what was too large.

Owns the step from its counters to the mirror. Deliveries never wait for it; a crash loses five minutes of the one, a
few seconds of the other.
"""

import asyncio
from datetime import timedelta
from typing import Final

from promptsync.clock import Clock
from promptsync.daemon.schedule import Every, Task
from promptsync.store import observed
from promptsync.store.mirror import Mirror
from promptsync.store.oversized import note_oversized
from promptsync.store.writer import Lane
from promptsync.vendors.prompt.webhook.listener import ListenerState

EVERY: Final = timedelta(minutes=5)
_PAUSE_SECONDS: Final = 2.0
"""From one transaction about refused bodies to the next: whoever sends them in masses costs no more."""


async def write_down(state: ListenerState, mirror: Mirror) -> None:
    """Move the counts of signatures' forms to the mirror."""
    forms = dict(state.signatures)
    if not forms:
        return
    await asyncio.to_thread(mirror.writer.run, lambda connection: observed.note(connection, observed.SIGNATURE, forms))
    state.signatures.subtract(forms)
    for form in [form for form, count in state.signatures.items() if not count]:
        del state.signatures[form]


async def write_down_too_large(state: ListenerState, mirror: Mirror, clock: Clock) -> None:
    """Move what is known of bodies that were too large to the mirror."""
    seen = state.too_large
    seen.arrived.clear()
    count, largest, now = dict(seen.count), seen.largest, clock()
    if not count:
        return
    try:
        write = mirror.writer.run
        await asyncio.to_thread(write, lambda connection: note_oversized(connection, count, largest, now), Lane.IDLE)
    except BaseException:
        seen.arrived.set()  # it is still to be done
        raise
    seen.count.subtract(count)
    for kind in [kind for kind, left in seen.count.items() if not left]:
        del seen.count[kind]
    seen.largest = seen.largest if seen.count else 0


async def keep_too_large(state: ListenerState, mirror: Mirror, clock: Clock) -> None:
    """The same, soon after each, as long as the daemon runs."""
    while True:
        await state.too_large.arrived.wait()
        await write_down_too_large(state, mirror, clock)
        await asyncio.sleep(_PAUSE_SECONDS)


def observation_task(state: ListenerState, mirror: Mirror) -> Task:
    """The same as a task of the schedule, never on record."""

    async def work() -> None:
        await write_down(state, mirror)

    return Task("observations", Every(EVERY), work)
