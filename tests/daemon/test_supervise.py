"""Parts of the daemon that fail: started again, alone; only a broken mirror ends it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from promptsync.daemon.supervise import Supervisor
from promptsync.errors import MirrorBroken, MirrorFull


class Part:
    """Fails with each of ``errors``, then runs to its end."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize(
    "error", [KeyError("a bug"), MirrorFull("Make room."), OSError("odd"), ExceptionGroup("g", [ValueError()])]
)
async def test_a_part_that_fails_is_started_again_and_the_others_go_on(error: Exception) -> None:
    ended: list[Exception] = []
    supervisor = Supervisor(ended.append, first=0.001, longest=0.002)
    part, other = Part(*[error] * 5), asyncio.Event()

    async def goes_on() -> None:
        await other.wait()

    with capture_logs() as lines:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervisor.keep_up("other", goes_on))
            await supervisor.keep_up("part", part.run)
            other.set()
    assert part.runs == 6 and len(lines) == 5 and ended == []


async def test_a_broken_mirror_is_passed_on_and_not_tried_again() -> None:
    ended: list[Exception] = []
    part = Part(MirrorBroken("Gone."), KeyError())
    await Supervisor(ended.append).keep_up("part", part.run)
    assert part.runs == 1 and [str(error) for error in ended] == ["Gone."]


async def test_a_part_can_be_cancelled_while_it_waits_to_be_started_again() -> None:
    part = Part(*[KeyError()] * 5)
    with capture_logs():
        task = asyncio.create_task(Supervisor(lambda _: None, first=60).keep_up("part", part.run))
        while not part.runs:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("error", [KeyError("a bug"), MirrorFull("Make room."), MirrorBroken("Gone."), OSError()])
async def test_what_is_done_last_is_done_although_something_before_it_failed(error: Exception) -> None:
    supervisor, part = Supervisor(lambda _: None), Part(error)
    with capture_logs() as lines:
        for _ in range(2):
            await supervisor.finish("last", part.run)
    assert part.runs == 2 and len(lines) == 1
