"""What the log says, and what it never repeats."""

import asyncio
import gzip
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from promptsync.config import load_config
from promptsync.daemon.daemon import Daemon, run_daemon
from promptsync.daemon.logs import LibraryHandler, Repeats, log_unhandled, masked, report, set_up_logs
from promptsync.daemon.schedule import Schedule, Task
from promptsync.engine.engine import Engine

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, access = logging.getLogger(), logging.getLogger("aiohttp.access")
    levels = root.level, access.level
    yield
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, LibraryHandler)]
    root.setLevel(levels[0])
    access.setLevel(levels[1])
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def failing() -> ValueError:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sftp://me:p%40ss@host/out is closed", "sftp://***@host/out is closed"),
        ("https://token@host:8/x", "https://***@host:8/x"),
        ("see https://host/a.gz?X-Amz-Signature=ab&c=1, then", "see https://host/a.gz?*** then"),
        ("https://host/a#token=1", "https://host/a?***"),
        ("call +14155550123 or 14155550123 or 4155550123.", "call +*** or *** or ***."),
        ("to +447911123456 and +49301234567", "to +*** and +***"),
        ("message_1287_2026-02-04T00-00-00-0800Z.csv.gz: 1,204,555 rows", None),
        ("job 1770192000000 at 2026-02-04T08:00:00.000Z took 4155550123.25 s", None),
        ("https://host/a/b.csv and digest 20260204000000", None),
    ],
)
def test_what_looks_private_is_masked(text: str, expected: str | None) -> None:
    assert masked(text) == (text if expected is None else expected)


def test_every_text_of_a_line_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(1, plain=True)
    structlog.get_logger().info("file", name="+14155550123.csv", rows=3)
    (line,) = lines(capsys)
    assert (line["event"], line["name"], line["rows"], line["level"]) == ("file", "+***.csv", 3, "info")


def test_libraries_are_taken_over_without_what_they_quote(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(1, plain=True)
    set_up_logs(1, plain=True)
    log = logging.getLogger("apscheduler.executors.default")
    log.info("said %s", CANARY)
    log.warning("Run of %s was missed\nbecause " + CANARY, CANARY)  # noqa: G003  as libraries do
    log.error("Job %s raised", CANARY, exc_info=failing())
    log.error("Job %s raised", CANARY, exc_info=asyncio.CancelledError())
    logging.getLogger("aiohttp.access").warning(CANARY)
    missed, raised = lines(capsys)
    assert (missed["level"], missed["library"], missed["about"]) == ("warning", log.name, "Run of %s was missed")
    assert (raised["level"], raised["error"]) == ("error", "ValueError")
    assert raised["where"].startswith("test_logs.py:")
    assert CANARY not in str((missed, raised))


def test_quiet_says_errors_alone_and_twice_verbose_says_how_it_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(-1, plain=True)
    logging.getLogger("x").warning("no")
    assert lines(capsys) == []
    set_up_logs(2, plain=True)
    logging.getLogger("x").error("raised", exc_info=failing())
    (line,) = lines(capsys)
    assert "Traceback" in line["traceback"] and CANARY in line["traceback"]


async def test_errors_that_nobody_handles_on_the_loop_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(0, plain=True)
    loop = asyncio.get_running_loop()
    log_unhandled(loop)

    def raises(text: str) -> None:
        raise ValueError(text)

    loop.call_soon(raises, CANARY)
    await asyncio.sleep(0)
    report(asyncio.CancelledError(), "", tracebacks=False)
    (line,) = lines(capsys)
    assert (line["event"], line["error"], line["about"]) == ("unhandled", "ValueError", "on the event loop")
    assert CANARY not in str(line)


async def test_a_task_that_the_end_of_the_daemon_cuts_short_is_no_news(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(0, plain=True)
    (tmp_path / "promptsync.toml").write_text("[webhook]\nallow_unauthenticated = true\n")
    engine = await asyncio.to_thread(Engine, load_config(tmp_path / "promptsync.toml"))
    schedule, begun, ended = Schedule(engine.mirror, engine.clock), asyncio.Event(), asyncio.Event()

    async def run() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    schedule.add(Task("long", IntervalTrigger(seconds=0.02), run))
    schedule.start()
    async with asyncio.timeout(120):
        await begun.wait()
        schedule.close()
        await ended.wait()
    await asyncio.sleep(0.05)
    await asyncio.to_thread(engine.close)
    assert lines(capsys) == []


async def test_a_run_that_cannot_be_recorded_was_made_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(0, plain=True)
    (tmp_path / "promptsync.toml").write_text("[webhook]\nallow_unauthenticated = true\n")
    engine = await asyncio.to_thread(Engine, load_config(tmp_path / "promptsync.toml"))
    ran: list[str] = []

    async def run() -> str:
        ran.append("ran")
        await asyncio.to_thread(engine.close)
        return "done"

    await Schedule(engine.mirror, engine.clock).run_now(Task("last", IntervalTrigger(seconds=60), run))
    (line,) = lines(capsys)
    assert ran == ["ran"] and (line["event"], line["task"]) == ("run_not_recorded", "last")


@pytest.mark.parametrize("tracebacks", [False, True])
async def test_an_error_nobody_foresaw_ends_the_daemon_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tracebacks: bool
) -> None:
    set_up_logs(0, plain=True)
    (tmp_path / "promptsync.toml").write_text("[webhook]\nport = 0\nallow_unauthenticated = true\n")

    def broken(daemon: Daemon) -> None:
        raise KeyError(CANARY)

    with pytest.raises(ExceptionGroup):
        await run_daemon(load_config(tmp_path / "promptsync.toml"), ready=broken, tracebacks=tracebacks)
    (line,) = lines(capsys)
    assert (line["event"], line["about"], line["error"]) == ("unhandled", "the daemon ends", "KeyError")
    assert line["where"].startswith("test_logs.py:")
    assert (CANARY in str(line)) == tracebacks


def test_threads_and_warnings_of_a_process_are_one_line_each() -> None:
    program = f"""
import threading, warnings
from promptsync.daemon.logs import set_up_logs, take_over_process
set_up_logs(0, plain=True)
take_over_process()
def raises(): raise ValueError("{CANARY}")
thread = threading.Thread(target=raises)
thread.start(); thread.join()
warnings.warn("{CANARY}")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    thread, warning = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (thread["event"], thread["error"]) == ("unhandled", "ValueError")
    assert (warning["event"], warning["kind"]) == ("warning", "UserWarning")
    assert CANARY not in ended.stderr


def test_a_repeated_warning_is_said_once_a_minute_and_how_often_it_was() -> None:
    now = [0.0]
    repeats = Repeats(lambda: now[0])
    said = []
    for second in (0, 1, 2, 59, 60, 61, 200):
        now[0] = float(second)
        for line in ({"event": "apply_failed", "error": "full"}, {"event": "apply_failed", "error": "locked"}):
            try:
                said.append((second, repeats(None, "warning", line)))
            except structlog.DropEvent:
                continue
    full = [(second, line.get("repeated")) for second, line in said if line["error"] == "full"]
    assert full == [(0, None), (60, 3), (200, 1)]
    assert all(repeats(None, "info", {"event": "file"}) for _ in range(3)), "what was done is said each time"


_DAEMON = """\
[webhook]
port = 0
allow_unauthenticated = true
[drop]
settle = "0.1 seconds"
rescan = "0.5 seconds"
[browse]
anonymous = true
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["auto", "text", "json"])
def test_the_journal_has_a_line_for_each_file_with_its_priority(tmp_path: Path, form: str) -> None:
    """A real daemon whose standard error is what JOURNAL_STREAM names, as under systemd."""
    (tmp_path / "promptsync.toml").write_text(f'{_DAEMON}[log]\nformat = "{form}"\n')
    (tmp_path / "drop").mkdir()
    for name, text in (("org_2026-02-04T00-00-00-0800Z", "id,name\n1,Green Valley\n"), ("notes", "hello")):
        (tmp_path / f"drop/{name}.csv.gz").write_bytes(gzip.compress(text.encode()))  # shows its end: not waited for
    journal = tmp_path / "journal"
    with journal.open("wb") as stream:
        found = os.fstat(stream.fileno())
        daemon = subprocess.Popen(
            [sys.executable, "-m", "promptsync", "--config", str(tmp_path / "promptsync.toml"), "run"],
            stderr=stream,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
        )
    while b"org_2026-02-04" not in journal.read_bytes() and daemon.poll() is None:
        time.sleep(0.05)
    daemon.terminate()
    daemon.wait(timeout=120)
    said = journal.read_text().splitlines()
    (merged,) = [line for line in said if "org_2026-02-04" in line]
    assert merged.startswith("<6>")
    if form == "json":
        assert json.loads(merged[3:])["state"] == "merged"
    else:
        assert merged.startswith("<6>file") and "state=merged" in merged and "timestamp" not in merged
        assert "\x1b" not in merged
    assert all(line[:3] in ("<3>", "<4>", "<6>") for line in said), said
