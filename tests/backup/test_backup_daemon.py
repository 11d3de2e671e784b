"""A running daemon backs up by itself: a backup and a drill at its start, deliveries as they come, and it says so."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from backup_home import Home, receive

from promptsync.backup.service import Backups
from promptsync.clock import iso_millis, system_clock
from promptsync.config import Config
from promptsync.daemon.client import ask_daemon
from promptsync.daemon.daemon import Daemon
from promptsync.daemon.tasks import Ship
from promptsync.errors import ConfigError, Unavailable
from promptsync.status.backups import BackupState, backup_problems, backup_state
from promptsync.store.marks import put_facts
from tests.daemons import running


async def until(true: Callable[[], object]) -> None:
    """Wait; the test's own limit ends it."""
    while not await asyncio.to_thread(true):
        await asyncio.sleep(0.05)


async def post(address: str, number: int) -> None:
    body = {"orgId": 1, "message": {"id": number, "content": f"hello number{number}", "userId": 2}}
    async with aiohttp.ClientSession() as session, session.post(f"{address}/message/added", json=body) as answer:
        assert answer.status == 200


def of_daemon(home: Home) -> Config:
    return Config.read({"backup": home._backup, "webhook": {"port": 0, "allow_unauthenticated": True}}, home.folder)


async def test_a_daemon_backs_up_ships_and_drills_by_itself(home: Home, tmp_path: Path) -> None:
    home.settings["every"] = "0.2 seconds"
    config = of_daemon(home)
    async with running(config) as daemon:
        await until(lambda: home.backups)
        await post(daemon.address, 1)
        await until(lambda: home.segments)
        await until(lambda: _state(daemon).drill_outcome)
        state = _state(daemon)
        assert state.drill_outcome == "restorable" and not state.late and state.made_at
        made = await asyncio.to_thread(ask_daemon, home.database, "backup", {}, lambda _: None)
        assert (home.place / made["name"]).is_file()
        await post(daemon.address, 2)
        await until(lambda: _state(daemon).unshipped_since is None and len(home.segments) > 1)
        found = Home(tmp_path / "found", home.place)
        await asyncio.to_thread(found.restore)
        assert found.rows() == home.rows()
        assert [json.loads(row[3])["message"]["id"] for row in found.rows()["sync_event"]] == [1, 2]
        connector = aiohttp.UnixConnector(str(home.database.parent / "control.sock"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://promptsync/-/metrics") as answer,
        ):
            text = await answer.text()
        for line in ('promptsync_backup_age_seconds{kind="backup"}', 'promptsync_backup_bytes{kind="segment"}'):
            assert line in text
        assert 'promptsync_backup_drill{outcome="restorable"} 1.0' in text


def _state(daemon: Daemon) -> BackupState:
    engine = daemon.engine
    with engine.mirror.reading() as connection:
        state = backup_state(connection, engine.config.backup, engine.config.mirror.timezone, engine.clock())
    assert state is not None
    return state


async def test_a_secret_that_is_missing_keeps_no_delivery_out(home: Home) -> None:
    """The daemon starts all the same, and says what is wrong."""
    home.settings |= {"location": "s3://vault/prompt", "access_key": {"file": "not there"}}
    async with running(of_daemon(home)) as daemon:
        await post(daemon.address, 1)
        await until(lambda: _state(daemon).trouble)
        state = _state(daemon)
        assert "not there" in (state.trouble or "")
        assert "not there" in next(backup_problems(state))


async def test_that_it_cannot_ship_is_said_once(home: Home, tmp_path: Path) -> None:
    with home.engine() as engine:
        receive(engine, 1)
        ship = Ship(Backups(engine))
        home.place.rename(tmp_path / "unplugged")
        home.place.write_text("no folder")
        with pytest.raises((Unavailable, ConfigError)):
            await ship.run()
        assert await ship.run() is None
        home.place.unlink()
        (tmp_path / "unplugged").rename(home.place)
        assert await ship.run() == "Deliveries are shipped again."
        assert await ship.run() is None
    assert len(home.segments) == 1


def test_what_is_late_needs_a_person(home: Home) -> None:
    """By the mirror alone, at any time that is said to be now."""
    with home.engine() as engine:
        receive(engine, 1)
        now = system_clock()
        hour = 3600 * 1_000_000

        def problems(at: int) -> list[str]:
            with engine.mirror.reading() as connection:
                return list(backup_problems(backup_state(connection, home.config.backup, ZoneInfo("UTC"), at)))

        assert problems(now)[0].startswith("No backup has been made yet")
        mark = {"name": "a", "at": iso_millis(now), "bytes": 5}
        engine.mirror.writer.run(lambda connection: put_facts(connection, "backup", mark))
        assert problems(now) == []
        assert "The newest backup is of" in problems(now + 48 * hour)[0]
        receive(engine, 7200_000)  # an hour after it
        assert problems(now) == []
        assert "in no backup yet" in problems(now + 2 * hour)[-1]
        mark = {"name": "a", "at": iso_millis(now), "outcome": "failed", "message": "It is damaged."}
        engine.mirror.writer.run(lambda connection: put_facts(connection, "backup_drill", mark))
        assert "It is damaged." in problems(now)[-1]


def test_a_daemon_stops_soon_even_while_it_backs_up(home: Home) -> None:
    """The backup that is under way is given up; the next start makes it."""
    with home.engine() as engine:
        engine.stopping.set()
        with pytest.raises(Unavailable, match="stopping"):
            Backups(engine).make()
    assert not home.backups
    assert not list(home.database.parent.glob("backup-work-*"))
