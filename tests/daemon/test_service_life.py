"""Both services as real processes: ready, beating, stopping; and a daemon whose writer hangs."""

import asyncio
import http.client
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from service_manager import Heard, process

from promptsync.config import load_config
from promptsync.daemon.daemon import Daemon, run_daemon

BEAT = "WATCHDOG=1"


def ready(heard: Heard) -> str:
    """The address that a process is ready at."""
    message = heard.until("READY=1")
    assert len(message) == 2 and message[1].startswith("STATUS="), message
    return message[1].split()[-1]


def answer(method: str, address: str, body: bytes | None = None) -> int:
    """The status of one request."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=120)) as connection:
        connection.request(method, parts.path, body)
        return connection.getresponse().status


def ended(running: "subprocess.Popen[str]", seconds: float = 120.0) -> tuple[int, str]:
    _, said = running.communicate(timeout=seconds)
    return running.returncode, said


def test_the_daemon_is_ready_once_it_listens_then_beats_and_drains(heard: Heard, config_file: Path) -> None:
    with process(heard, config_file, "run") as daemon:
        address = ready(heard)
        assert answer("POST", f"{address}/message/added", b'{"orgId": 1, "message": {"id": 7}}') == 200
        for _ in range(3):
            heard.until(BEAT)
        daemon.send_signal(signal.SIGTERM)
        heard.until("STOPPING=1")
        code, said = ended(daemon)
        assert code == 0 and "Traceback" not in said
    assert heard.waiting() == []


def test_a_second_signal_ends_the_daemon_at_once(heard: Heard, config_file: Path) -> None:
    """Even while somebody else holds the write lock and a sender does not go on."""
    with process(heard, config_file, "run") as daemon:
        host, port = urlsplit(ready(heard)).netloc.split(":")
        lock = sqlite3.connect(config_file.parent / "data/mirror.db", isolation_level=None)
        with closing(lock), closing(socket.create_connection((host, int(port)))) as sender:
            lock.execute("BEGIN IMMEDIATE")
            sender.sendall(b"POST /hooks/prompt/message/added HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            daemon.send_signal(signal.SIGTERM)
            heard.until("STOPPING=1")
            with pytest.raises(subprocess.TimeoutExpired):
                daemon.wait(0.7)
            daemon.send_signal(signal.SIGTERM)
            code, said = ended(daemon, 1.5)
        assert code == 1 and "ended_at_once" in said and "Traceback" not in said


async def test_beats_end_while_the_writer_hangs(
    heard: Heard, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", heard.address)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_daemon(load_config(config_file), ready=up.set_result))
    daemon = await up
    await asyncio.to_thread(heard.until, BEAT, 5.0)
    writer, release, hangs = daemon.engine.mirror.writer, threading.Event(), threading.Event()
    writer.submit(lambda _: hangs.set() or release.wait(10))
    await asyncio.to_thread(hangs.wait, 5)
    writer.last_turn = time.monotonic() - 3600
    await asyncio.to_thread(heard.until, "STATUS=The writer hangs.", 5.0)
    await asyncio.sleep(0.1)
    assert heard.waiting() == []
    release.set()
    await asyncio.to_thread(heard.until, BEAT, 5.0)
    daemon.stopped.set()
    await running


def test_the_pages_are_ready_once_they_answer_then_beat_and_end(heard: Heard, config_file: Path) -> None:
    with process(heard, config_file, "run") as daemon:
        ready(heard)
        daemon.send_signal(signal.SIGTERM)
        assert ended(daemon)[0] == 0
    heard.waiting()
    with process(heard, config_file, "browse") as pages:
        assert answer("GET", ready(heard)) == 200
        heard.until(BEAT)
        pages.send_signal(signal.SIGTERM)
        assert ended(pages)[0] in (0, -signal.SIGTERM)
