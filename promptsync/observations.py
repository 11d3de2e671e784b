"""Writing down, now and then, what the listener has seen of what the vendor leaves open.

Owns the step from its counters to the mirror. Deliveries never wait for it; a crash loses five minutes of counts.
"""

import asyncio
from datetime import timedelta
from typing import Final

from promptsync.schedule import Every, Task
from promptsync.sources.listener import ListenerState
from promptsync.store import observed
from promptsync.store.mirror import Mirror

EVERY: Final = timedelta(minutes=5)


async def write_down(state: ListenerState, mirror: Mirror) -> None:
    """Move the counts of signatures' forms to the mirror."""
    forms = dict(state.signatures)
    if not forms:
        return
    await asyncio.to_thread(mirror.writer.run, lambda connection: observed.note(connection, observed.SIGNATURE, forms))
    state.signatures.subtract(forms)
    for form in [form for form, count in state.signatures.items() if not count]:
        del state.signatures[form]


def observation_task(state: ListenerState, mirror: Mirror) -> Task:
    """The same as a task of the schedule, never on record."""

    async def work() -> None:
        await write_down(state, mirror)

    return Task("observations", Every(EVERY), work)
