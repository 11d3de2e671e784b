"""Slow uploads into the drop folder of a daemon: waited for, held, taken up again, and what status says meanwhile."""

import asyncio
import gzip
import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptsync.config import Config
from promptsync.daemon.operations import OPERATIONS
from promptsync.engine.engine import Engine
from promptsync.errors import Unavailable
from promptsync.loading.files import LoadRequest
from promptsync.status.facts import Expectations
from promptsync.status.status import read_status
from tests.daemons import running

NAME = "contact_1044_2026-02-04T00-00-00-0800Z.csv"
HEADER = "id,phone\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    drop = {"settle": "0.1 seconds", "rescan": "0.2 seconds", "patience": "1 second"}
    return Config.read({"webhook": {"port": 0, "allow_unauthenticated": True}, "drop": drop}, tmp_path)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.05)


def contacts(first: int, last: int) -> str:
    return "".join(f"{n},+1312555{n:04d}\n" for n in range(first, last))


def rows(engine: Engine, sql: str) -> list[tuple[Any, ...]]:
    with engine.mirror.reading() as connection:
        return connection.execute(sql).fetchall()


def problems(engine: Engine) -> list[str]:
    config = engine.config
    expected = Expectations(config.alerts.stale_after, config.mirror.timezone)
    with engine.mirror.reading() as connection:
        return list(read_status(connection, engine.mirror.schema, expected, engine.clock()).problems)


async def test_a_slow_upload_is_merged_whole_however_long_it_pauses(config: Config) -> None:
    """Twice it pauses for longer than patience: it is held, goes on there, and ends in ``done``."""
    whole = gzip.compress((HEADER + contacts(1, 1000)).encode(), mtime=0)
    held, done = config.drop.folder / "held" / f"{NAME}.gz", config.drop.folder / "done" / f"{NAME}.gz"
    async with running(config) as daemon:
        engine = daemon.engine
        await until(config.drop.folder.is_dir)
        with (config.drop.folder / f"{NAME}.gz").open("wb") as upload:
            upload.write(whole[:500])
            upload.flush()
            await until(held.exists)
            upload.write(whole[500:600])
            upload.flush()
            await until(lambda: held.exists() and held.stat().st_size == 600)
            await until(lambda: rows(engine, "SELECT state, size FROM sync_file")[-1] == ("held", 600))
            assert [says for says in problems(engine) if "is held" in says] == [
                f"{NAME}.gz is held (ends before its gzip data does); put it right, or: promptsync files discard 2"
            ], "of one file one is said"
            upload.write(whole[600:])
        await until(done.exists)
        assert rows(engine, "SELECT count(*) FROM contact") == [(999,)]
        assert rows(engine, "SELECT state, size FROM sync_file ORDER BY id") == [
            ("unchanged", 500),
            ("unchanged", 600),
            ("merged", len(whole)),
        ]
        assert not any("is held" in says for says in problems(engine))
        assert not held.exists() and not held.with_name(f"{held.name}.reason.txt").exists()


async def test_a_plain_file_that_grows_after_it_was_taken_is_merged_whole(config: Config, tmp_path: Path) -> None:
    hidden = tmp_path / "uploading"
    with hidden.open("w") as upload:
        upload.write(HEADER + contacts(1, 901))
        upload.flush()
        os.utime(hidden, (0, 0))
        async with running(config) as daemon:
            engine = daemon.engine
            await until(config.drop.folder.is_dir)
            hidden.rename(config.drop.folder / NAME)
            await until((config.drop.folder / "done" / NAME).exists)
            assert rows(engine, "SELECT count(*) FROM contact") == [(900,)]
            upload.write(contacts(901, 1001))
            upload.flush()
            os.utime(upload.fileno(), (0, 0))  # it rests from now on
            await until(lambda: rows(engine, "SELECT count(*) FROM contact") == [(1000,)])
            await until((config.drop.folder / "done" / NAME).exists)
            assert rows(engine, "SELECT count(*) FROM contact WHERE _absent_since IS NULL") == [(1000,)]


async def test_a_better_copy_from_elsewhere_ends_what_status_says_of_a_held_one(config: Config, tmp_path: Path) -> None:
    with Engine(config) as engine:
        first, better = tmp_path / "first" / f"{NAME}.gz", tmp_path / "better" / f"{NAME}.gz"
        other = first.with_name(f"{NAME.replace('1044', '1045')}.gz")
        for path in (first, better):
            path.parent.mkdir()
        whole = gzip.compress((HEADER + contacts(1, 50)).encode(), mtime=0)
        first.write_bytes(whole[:99])
        other.write_bytes(whole[:99])
        better.write_bytes(whole)
        reports = engine.load(LoadRequest(path, "load") for path in (first, other, better))
        assert [report.state for report in reports] == ["held", "held", "merged"]
        assert [says.partition(" ")[0] for says in problems(engine) if "is held" in says] == [other.name]
        assert [report.state for report in engine.load([LoadRequest(first, "load")])] == ["held"], "it is there still"
        assert len([says for says in problems(engine) if "is held" in says]) == 2


def file_of(rows: str, day: int = 4) -> tuple[str, bytes]:
    return f"contact_1044_2026-02-{day:02d}T00-00-00-0800Z.csv.gz", gzip.compress((HEADER + rows).encode(), mtime=0)


async def test_the_command_beside_a_held_file_works_as_printed(config: Config) -> None:
    """Also for the second file of a name, and where the path needs quotes."""
    folder = config.drop.folder / "it's new"
    folder.mkdir(parents=True)
    held = config.drop.folder / "held" / folder.name
    async with running(config) as daemon:
        engine = daemon.engine
        name, content = file_of(contacts(1, 100))
        (folder / name).write_bytes(content)
        await until(lambda: rows(engine, "SELECT state FROM sync_file") == [("merged",)])
        for number, last in (("", 10), (".1", 20)):
            name, content = file_of(contacts(1, last), day=5)
            (folder / name).write_bytes(content)
            await until((held / f"{name}{number}").exists)
        for number in ("", ".1"):
            path = held / f"{name}{number}"
            words = shlex.split((held / f"{path.name}.reason.txt").read_text().rpartition("same: ")[2])
            assert words == ["promptsync", "load", "--accept", str(path)]
        await until(lambda: (str(path),) in rows(engine, "SELECT path FROM sync_file"))
        assert [says for says in problems(engine) if shlex.quote(str(path)) in says and " is held (" in says]


async def test_rows_of_a_dropped_file_are_tried_again_where_it_is_now(config: Config) -> None:
    async with running(config) as daemon:
        engine = daemon.engine
        await until(config.drop.folder.is_dir)
        name, _ = file_of("")
        lines = [f"{n},{'perhaps' if n == 1 else 'true'}\n" for n in range(1, 900)]
        (config.drop.folder / name).write_bytes(gzip.compress(("id,is_opted_out\n" + "".join(lines)).encode(), mtime=0))
        lies = config.drop.folder / "done" / name
        await until(lies.exists)
        await until(lambda: rows(engine, "SELECT path FROM sync_file") == [(str(lies),)])
        result = await asyncio.to_thread(OPERATIONS["retry-rejects"], engine, {}, lambda _: None)
    assert ([file["state"] for file in result["files"]], result["gone"]) == (["merged"], [])


@pytest.mark.parametrize("dies_at", ["promptsync.drop.folder.archive_file", "promptsync.drop.intake.DropIntake.moved"])
async def test_rows_are_tried_again_though_the_process_died_before_the_file_was_moved(
    config: Config, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    """Or after it was moved, before its new path was written down."""
    name, _ = file_of("")
    done, lines = config.drop.folder / "done", [f"{n},{'perhaps' if n == 1 else 'true'}\n" for n in range(1, 300)]
    config.drop.folder.mkdir(parents=True)
    (config.drop.folder / name).write_bytes(gzip.compress(("id,is_opted_out\n" + "".join(lines)).encode(), mtime=0))
    died = threading.Event()

    def dies(*_: Any) -> Any:
        died.set()
        raise Unavailable("The process is killed.")

    with monkeypatch.context() as patch:
        patch.setattr(dies_at, dies)
        async with running(config):
            await until(died.is_set)
    async with running(config) as daemon:
        engine, lies = daemon.engine, done / name
        await until(lies.exists)
        await until(lambda: (str(lies),) in rows(engine, "SELECT path FROM sync_file WHERE state = 'merged'"))
        result = await asyncio.to_thread(OPERATIONS["retry-rejects"], engine, {}, lambda _: None)
    assert ([file["state"] for file in result["files"]], result["gone"]) == (["merged"], [])
