"""``promptsync export`` as it is typed: what it says, its exit codes, and the daemon doing the work."""

import asyncio
import json

import pytest
from export_desk import Desk
from export_stage import EXPECTED, LIMITS

from promptsync.config import load_config
from promptsync.daemon.daemon import Daemon, run_daemon


def test_request_waits_until_the_rows_are_there(desk: Desk) -> None:
    result = desk.run("export", "request", "contacts", "--json")
    assert result.exit_code == 0
    (job,) = json.loads(result.stdout)
    assert (job["state"], job["type"], job["range"]) == ("loaded", "contacts", {})
    assert desk.contacts() == EXPECTED
    assert "loaded" in desk.run("export", "list").stdout
    assert json.loads(desk.run("export", "list", "--json").stdout) == [job]


def test_no_wait_leaves_it_to_resume(desk: Desk) -> None:
    assert desk.run("export", "request", "contacts", "--no-wait").exit_code == 0
    assert not desk.server.exports
    result = desk.run("export", "resume")
    assert result.exit_code == 0
    assert desk.contacts() == EXPECTED
    assert "no unfinished export" in desk.run("export", "resume").stdout


def test_refused_export_is_exit_1_and_in_status_until_a_good_one_follows(desk: Desk) -> None:
    desk.server.faults.refuse = "not today"
    result = desk.run("export", "request", "contacts")
    assert result.exit_code == 1
    assert "not today" in result.stderr
    assert "not today" in desk.run("status").stdout
    desk.server.faults.refuse = ""
    assert desk.run("export", "request", "contacts").exit_code == 0
    status = desk.run("status")
    assert (status.exit_code, "not today" in status.stdout) == (0, False)


def test_export_that_never_finishes_is_exit_1(desk: Desk) -> None:
    desk.server.faults.pending = 1 << 30
    assert desk.run("export", "request", "contacts").exit_code == 1


def test_unreachable_vendor_is_exit_3(desk: Desk) -> None:
    desk.server.faults.errors = 1 << 30
    assert desk.run("export", "request", "contacts").exit_code == 3


@pytest.mark.parametrize(
    "args",
    [
        ("request", "messages"),
        ("request", "opt-outs"),
        ("request", "messages", "--from", "soon"),
        ("request", "contacts", "--from", "2026-01-01"),
    ],
)
def test_wrong_use_is_exit_2(desk: Desk, args: tuple[str, ...]) -> None:
    assert desk.run("export", *args).exit_code == 2


def test_without_a_section_it_says_what_to_add(desk: Desk) -> None:
    (desk.folder / "promptsync.toml").write_text("")
    result = desk.run("export", "request", "contacts")
    assert result.exit_code == 2
    assert "[qlara]" in result.stderr


def test_dates_are_of_the_configured_zone(desk: Desk) -> None:
    desk.world.messages = [{"messageId": "1"}]
    assert desk.run("export", "request", "messages", "--from", "2026-02-01", "--to", "2026-02-02").exit_code == 0
    assert desk.server.asked[0][1]["startDateTime"] == "2026-02-01T08:00:00.000+00:00"


def test_newest_shows_and_merges(desk: Desk) -> None:
    desk.world.messages = [
        {"messageId": "1", "channel": "SMS", "body": "first", "sendDate": "2026-02-01T10:00:00Z"},
        {"messageId": "2", "channel": "SMS", "body": "second", "sendDate": "2026-02-01T11:00:00Z"},
        {"messageId": "3", "channel": "SMS", "body": "long ago", "sendDate": "2025-02-01T11:00:00Z"},
    ]
    when = ("--from", "2026-02-01", "--to", "2026-02-02")
    result = desk.run("export", "newest", "--channel", "SMS", *when, "--json")
    assert result.exit_code == 0
    assert [row["body"] for row in json.loads(result.stdout)] == ["second", "first"]
    assert "3 messages read: 0 new, 0 changed" in desk.run("export", "newest", "--channel", "SMS", *when).stdout


async def test_the_daemon_does_what_is_asked_and_what_was_left(desk: Desk) -> None:
    assert (await asyncio.to_thread(desk.run, "export", "request", "contacts", "--no-wait")).exit_code == 0
    config = load_config(desk.folder / "promptsync.toml")
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_daemon(config, ready=up.set_result))
    daemon = await up
    result = await asyncio.to_thread(desk.run, "export", "request", "contacts", "--json")
    assert result.exit_code == 0
    assert len(desk.server.exports) == 2
    assert desk.contacts() == EXPECTED
    desk.server.faults.pending = 1 << 30
    desk.server.faults.id_shape = "id"
    daemon.engine.exports._limits = LIMITS.__class__(deadline=1 << 50)
    waiting = asyncio.create_task(asyncio.to_thread(desk.run, "export", "request", "contacts"))
    while len(desk.server.exports) < 3:
        await asyncio.sleep(0.01)
    daemon.stopped.set()
    async with asyncio.timeout(120):
        await running
    assert (await waiting).exit_code == 3


async def test_a_schedule_that_was_missed_is_caught_up(desk: Desk) -> None:
    desk.write(desk.server.address, 'contacts = "0 3 * * *"\n')
    config = load_config(desk.folder / "promptsync.toml")
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_daemon(config, ready=up.set_result))
    daemon = await up
    async with asyncio.timeout(120):
        while not desk.rows("SELECT 1 FROM sync_run WHERE task = 'export contacts'"):
            await asyncio.sleep(0.02)
        daemon.stopped.set()
        await running
    assert desk.rows("SELECT outcome FROM sync_run WHERE task = 'export contacts'")[:1] == [("done",)]
    assert desk.contacts() == EXPECTED
