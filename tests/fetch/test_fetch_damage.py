"""A copy that comes damaged: fetched once more before it is held, and again whenever somebody asks; never forgotten."""

import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fetch_home import QUICK, Home, rows

from promptsync.cli import main
from promptsync.places.plan import FetchOptions
from tests.places.file_server import FileServer, serve

BY_HAND = FetchOptions(by_hand=True)
FILES = "SELECT state, count(*) FROM sync_file GROUP BY 1 ORDER BY 1"
FLIPPED: Callable[[bytes], bytes] = lambda good: good[:-8] + bytes([good[-8] ^ 1]) + good[-7:]  # noqa: E731  the CRC
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "flipped": FLIPPED,
    "cut": lambda good: good[:-20],
    "nothing like it": lambda good: b"x" * len(good),
    "goes on": lambda good: good + b"tail",
}


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_copy_that_came_damaged_is_fetched_once_more(tmp_path: Path, how: str) -> None:
    """The list states no size, so that nothing but the content tells."""
    async with serve(FileServer(json=True)) as server:
        home = Home(tmp_path, f"{server.address}/out/")
        (path,) = home.night(4, ("contact",))
        good = server.files[path.name] = path.read_bytes()
        server.sizeless = True
        server.once[path.name] = [DAMAGES[how](good)]
        await asyncio.to_thread(_fetched_and_well, home)
        assert [method for method, where, _ in server.asked if where.endswith(path.name)].count("GET") == 2
    assert home.leftovers == []


def _fetched_and_well(home: Home) -> None:
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.held, report.failed, report.problems) == (1, 0, 0, [])
        assert rows(engine, "SELECT count(*) > 0 FROM contact") == [(1,)]
        assert rows(engine, "SELECT count(*) FROM sync_file WHERE state IN ('held', 'failed', 'ignored')") == [(0,)]
        assert rows(engine, "SELECT o.state, f.state FROM sync_object o JOIN sync_file f ON f.id = o.file_id") == [
            ("loaded", "merged")
        ]
        again = home.fetch(engine)
        assert (again.new, again.files, again.still_held) == (0, [], 0)


async def test_what_is_held_damaged_is_fetched_again_when_asked_and_told_until_then(tmp_path: Path) -> None:
    async with serve(FileServer()) as server:
        home = Home(tmp_path, f"{server.address}/out/")
        (path,) = home.night(4, ("contact",))
        good = server.files[path.name] = path.read_bytes()
        server.once[path.name] = [FLIPPED(good)] * 4
        await asyncio.to_thread(_held_until_asked, home, server.once[path.name])
    assert home.leftovers == []


def _held_until_asked(home: Home, damaged: list[bytes]) -> None:
    with home.engine() as engine:
        first = home.fetch(engine)
        assert (first.held, first.still_held, len(damaged)) == (1, 0, 2)
        by_clock = home.fetch(engine)
        assert (by_clock.held, by_clock.still_held, len(damaged)) == (0, 1, 2)
        assert "Still held" in by_clock.problems[0] and "checksum" in by_clock.problems[0]
        assert "1 still held" in by_clock.sentence()
        asked = home.fetch(engine, BY_HAND)
        assert (asked.held, asked.still_held, damaged) == (1, 0, [])
        assert rows(engine, FILES) == [("held", 1)]
        assert len(home.leftovers) == 1
        mended = home.fetch(engine, BY_HAND)
        assert (mended.loaded, mended.held, mended.still_held, mended.problems) == (1, 0, 0, [])
        assert rows(engine, FILES) == [("merged", 1), ("unchanged", 1)]
        home.fetch(engine)


def test_what_is_held_for_what_it_says_is_told_and_not_fetched_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.night(4)
    path = home.night(5, ("contact",))[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:3]), mtime=0))
    with home.engine() as engine:
        assert home.fetch(engine).held == 1
        again = home.fetch(engine, BY_HAND)
        assert (again.held, again.still_held, again.files) == (0, 1, [])
        assert rows(engine, "SELECT attempts FROM sync_object WHERE state = 'held'") == [(1,)]
        engine.mirror.writer.run(lambda connection: connection.execute("UPDATE sync_file SET state = 'discarded'"))
        assert home.fetch(engine).still_held == 0


def test_a_copy_that_is_gone_is_fetched_again_when_asked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = home.night(4, ("contact",))[0]
    path.write_bytes(path.read_bytes()[:-20])
    with home.engine() as engine:
        assert home.fetch(engine).held == 1
        (copy,) = home.leftovers
        (home.folder / "data" / "incoming" / copy).unlink()
        assert home.fetch(engine).held == 0
        assert home.fetch(engine, BY_HAND).held == 1
        assert home.leftovers == [copy]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)

    def one(home: Home, *args: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(home.file), *args], catch_exceptions=False)

    return one


def test_the_command_does_not_end_with_zero_while_a_copy_is_held(run: Callable[..., Result], tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = home.night(4, ("contact",))[0]
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    for _ in range(2):
        result = run(home, "fetch")
        assert result.exit_code == 1, result.output
        assert path.name in result.stderr and "incoming/held" in result.stderr
    home.night(5, ("contact",))
    (report,) = json.loads(run(home, "fetch", "--since", "2026-02-05", "--json").stdout)
    assert (report["loaded"], report["still_held"]) == (1, 1)
    path.write_bytes(good)
    assert run(home, "fetch").exit_code == 0
