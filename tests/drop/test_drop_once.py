"""Every complete file is handed over exactly once, whatever happens in between."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from drop_stage import Drop
from hypothesis import given, settings
from hypothesis import strategies as st

Act = Callable[[int], Awaitable[None]]
STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "finish", "rename", "scan", "wait"]), st.integers(0, 3)),
    min_size=5,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_every_complete_file_is_handed_over_exactly_once(steps: list[tuple[str, int]]) -> None:
    """Whatever writers, renames and scans do between each other; a writer never pauses for longer than ``settle``."""
    with tempfile.TemporaryDirectory() as name:
        drop = Drop(Path(name))
        whole = asyncio.run(_play(drop, steps))
        assert sorted(drop.taken) == sorted(whole.items())
        assert drop.files() == {f"done/{name}" for name in whole}


async def _play(drop: Drop, steps: list[tuple[str, int]]) -> dict[str, bytes]:
    """The files that were completed, and what is in them."""
    whole: dict[str, bytes] = {}
    being_written: dict[str, str] = {}

    def write(name: str) -> None:
        being_written[name] += "x"
        drop.put(name, being_written[name], age=0)

    def renew() -> None:
        for name in being_written:
            write(name)

    async def begin(place: int) -> None:
        name = f"s{place}/{len(being_written) + len(whole)}.csv"
        being_written[name] = ""
        write(name)

    async def rename(place: int) -> None:
        name = f"s{place}/{len(being_written) + len(whole)}.csv"
        drop.put(f"{name}.part", "moved").rename(drop.folder / name)
        whole[name] = b"moved"

    async def finish(_place: int) -> None:
        if being_written:
            renew()
            name, text = being_written.popitem()
            whole[name] = text.encode()

    async def scan(_place: int) -> None:
        await drop.scan()

    async def wait(_place: int) -> None:
        renew()
        drop.clock.forward(1.5)

    acts: dict[str, Act] = {"begin": begin, "finish": finish, "rename": rename, "scan": scan, "wait": wait}
    for act, place in steps:
        await acts[act](place)
    while being_written:
        await finish(0)
    for _ in range(3):
        await drop.scan(2)
    return whole
