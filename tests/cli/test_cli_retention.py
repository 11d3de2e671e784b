"""How long things are kept, in words, and sweeping them by command, with or without a daemon."""

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cli_deliveries import line, write
from cli_place import Place

from promptsync.clock import MICROS, iso_micros, system_clock
from promptsync.daemon.retention import Retention
from promptsync.engine.engine import Engine
from tests.daemons import running

LOG = {"orgId": 1, "level": "log", "component": "BOT", "message": "a line"}


@asynccontextmanager
async def perhaps(place: Place, daemon: bool) -> AsyncIterator[None]:
    if not daemon:
        yield
        return
    async with running(place.config):
        yield


def received(place: Place, *days: int) -> None:
    """Deliveries of so many days ago, the first of which failed."""
    now = system_clock()
    lines = [line("console/log", LOG, iso_micros(now - n * 86_400 * MICROS + n)) for n in days]
    lines[0] = lines[0].replace("orgId", "nobody")
    assert place.run("events", "import", write(place.folder / "in.jsonl", *lines)).exit_code == 0


def test_what_is_kept_for_how_long_is_said_in_plain_words(place: Place) -> None:
    with place.file.open("a") as file:
        file.write('\n[retention]\nconsole_log = "1 year"\nmessage_content = "24 months"\n')
    said = place.run("retention").stdout.splitlines()
    assert said[:5] == [
        "Rejected rows and deliveries: kept for 90 days.",
        "Deliveries: kept for 30 days.",
        "Copies of loaded files in drop/done: kept for 30 days.",
        "Texts of message (the rows stay): kept for 24 months.",
        "Rows of console_log: kept for 1 year.",
    ]
    assert "message_status" in said[5] and "console_log" not in said[5]
    found = json.loads(place.run("retention", "--json").stdout)
    assert found["periods"]["console_log"] == "1 year" and "agent_activity" in found["forever"]


def test_a_misspelt_name_is_refused_by_every_command_that_would_sweep(place: Place) -> None:
    with place.file.open("a") as file:
        file.write('\n[retention]\nconsole_logs = "1 year"\n')
    for command in (["retention"], ["retention", "run"], ["doctor"]):
        result = place.run(*command)
        assert "did you mean 'console_log'?" in result.output
        assert result.exit_code == (1 if command == ["doctor"] else 2)


async def swept(place: Place) -> None:
    """Until a sweep is on record."""
    async with asyncio.timeout(60):
        while not place.rows("SELECT 1 FROM sync_run WHERE task = 'retention' AND outcome <> ''"):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("daemon", [False, True])
async def test_a_sweep_says_what_went_and_is_on_record(place: Place, daemon: bool) -> None:
    if not daemon:
        received(place, 40, 35, 3)
    async with perhaps(place, daemon):
        if daemon:  # which sweeps once, as it was never done before
            await swept(place)
            await asyncio.to_thread(received, place, 40, 35, 3)
        would = json.loads((await asyncio.to_thread(place.run, "retention", "run", "--dry-run", "--json")).stdout)
        counts = {part["key"]: (part["count"], part["kept"]) for part in would["parts"]}
        assert would["dry_run"] and counts["events"] == (1, 1) and counts["message_content"] == (0, 0)
        result = await asyncio.to_thread(place.run, "retention", "run")
        assert result.exit_code == 0 and "1 that are too old stay: deliveries that were never applied." in result.stdout
        assert place.rows("SELECT state FROM sync_event ORDER BY id") == [("failed",), ("applied",)]
        status = await asyncio.to_thread(place.run, "status")
        assert "'promptsync retention run --failed' lets them go" in status.stdout
        assert (await asyncio.to_thread(place.run, "retention", "run", "--failed")).exit_code == 0
        assert place.rows("SELECT state FROM sync_event") == [("applied",)]
        runs = place.rows("SELECT outcome, message FROM sync_run WHERE task = 'retention' ORDER BY id")
        assert runs[-2:] == [("done", "Swept deliveries: 1."), ("done", "Swept deliveries: 1.")]


async def test_the_daemon_sweeps_by_itself(place: Place) -> None:
    received(place, 40, 35, 3)
    async with running(place.config):
        await swept(place)
    assert place.rows("SELECT count(*) FROM sync_event") == [(2,)]


async def test_what_the_drop_folder_took_in_goes_but_for_a_file_with_rejects(place: Place, night: Path) -> None:
    (whole,), (bad,) = (list(night.rglob(f"{table}_[0-9]*.csv.gz")) for table in ("broadcast", "message"))
    async with running(place.config):
        shutil.copy(whole, place.config.drop.folder)
        (place.config.drop.folder / bad.name).write_bytes(gzip.compress(gzip.decompress(bad.read_bytes()) + b"1,2\n"))
        async with asyncio.timeout(60):
            while len(list((place.config.drop.folder / "done").glob("*"))) < 2:
                await asyncio.sleep(0.05)
    later = system_clock() + 31 * 86_400 * MICROS
    with Engine(place.config, lambda: later) as engine:
        (copies,) = (part for part in Retention(engine).look() if part.key == "done_files")
        assert (copies.count, copies.kept) == (1, 1)
        Retention(engine).run()
    assert [path.name for path in (place.config.drop.folder / "done").iterdir()] == [bad.name]
