"""Downloading ahead: never out of order within a line, never beyond the bounds, whatever takes how long."""

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptsync.fetch.ahead import PrefetchWindow, in_order

FILES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 50), st.sampled_from([0, 3, 30]), st.booleans()), max_size=30
)


@settings(deadline=None, max_examples=60)
@example([("a", 1, 30, True), ("a", 1, 0, True), ("b", 1, 0, True)], 3, 100, 0)
@given(FILES, st.integers(1, 4), st.integers(1, 400), st.integers(0, 50))
def test_each_line_keeps_its_order_and_every_bound_holds(
    files: list[tuple[str, int, int, bool]], downloads: int, most: int, small: int
) -> None:
    """Files: line, size, steps that the download takes, whether it succeeds."""

    async def run() -> None:
        running, here, taken = set[int](), set[int](), list[int]()

        async def fetch(number: int) -> bool:
            running.add(number)
            here.add(number)
            assert len(running) <= downloads
            for _ in range(files[number][2]):
                await asyncio.sleep(0)
            running.discard(number)
            if not files[number][3]:
                here.discard(number)
            return files[number][3]

        planned = [(number, line, size) for number, (line, size, _, _) in enumerate(files)]
        window = PrefetchWindow(downloads, most, small)
        async for run in in_order(planned, fetch, window, joins=lambda number: files[number][1] <= small):
            in_use = sum(files[one][1] for one in here)
            assert in_use <= most or len(here) == 1
            assert len(run) == 1 or (here.issuperset(run) and max(files[one][1] for one in run) <= small)
            assert sum(files[one][1] > small for one in here) <= 8 * downloads
            await asyncio.sleep(0)
            taken.extend(run)
            here.difference_update(run)
        assert sorted(taken) == [number for number, file in enumerate(files) if file[3]]
        for line in "abc":
            mine = [number for number in taken if files[number][0] == line]
            assert mine == sorted(mine)

    asyncio.run(run())


def test_small_files_that_are_here_come_together_around_a_large_one_and_one_that_failed() -> None:
    sizes = dict.fromkeys(range(300), 1) | {100: 50, 200: 0}

    async def run() -> list[list[int]]:
        async def fetch(number: int) -> bool:
            return number != 10

        planned = [(number, "", size) for number, size in sizes.items()]
        joins = in_order(planned, fetch, PrefetchWindow(4, small=5), joins=lambda number: 0 < sizes[number] <= 5)
        return [run async for run in joins]

    runs = asyncio.run(run())
    assert [number for run in runs for number in run] == [number for number in sizes if number != 10]
    assert [100] in runs and [200] in runs and max(map(len, runs)) == 64 and len(runs) <= 12
