"""The real process: its own unix user, who may read the mirror's files and nothing else."""

import http.client
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from browse_sample import make_mirror, needs_root

from promptsync.browse.serve import serve
from promptsync.browse.settings import BrowseSettings
from promptsync.errors import Unavailable
from promptsync.model import Schema

NOBODY = 65534
READER = """
import asyncio, os, sys
import uvicorn.lifespan.on, uvicorn.loops.auto, uvicorn.protocols.http.auto
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo
from promptsync.browse.serve import build_datasette, close, serve
from promptsync.browse.settings import BrowseSettings
from promptsync.errors import PromptsyncError
from promptsync.vendors import declared_schema

user, warm, cold = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
settings = BrowseSettings(cold, declared_schema(), ZoneInfo("UTC"), port=0, anonymous=True)

# An interpreter may lie where only its owner can read: what a page needs is imported while that is possible.
datasette = build_datasette(replace(settings, database=warm))
asyncio.run(datasette.client.get("/mirror/contact.json"))
close(datasette)
os.setgroups([])
os.setgid(user)
os.setuid(user)
try:
    asyncio.run(serve(settings, lambda address: print(address, flush=True)))
except PromptsyncError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(autouse=True, scope="module")
def passable() -> Iterator[None]:
    """The checkout may lie where only its owner can pass; nobody has to reach the templates in it."""
    folders = {*Path(__file__).resolve().parents, *Path(sys.prefix).parents, Path(sys.prefix)}
    closed = {folder: folder.stat().st_mode & 0o7777 for folder in folders if not folder.stat().st_mode & 0o001}
    for folder, mode in closed.items():
        folder.chmod(mode | 0o001)
    yield
    for folder, mode in closed.items():
        folder.chmod(mode)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the mirror lies: nobody's group may read there, not write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        os.chown(path, 0, NOBODY)
        path.chmod(0o750)
        yield path / "mirror.db"


def let_read(path: Path) -> None:
    for file in path.parent.iterdir():
        os.chown(file, 0, NOBODY)
        file.chmod(0o640)


def leave_files(path: Path) -> None:
    """What the daemon does when it stops: SQLite has removed these two, they are made again, empty."""
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).touch()
    let_read(path)


def reader(warm: Path, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(NOBODY), str(warm), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@contextmanager
def reading(warm: Path, path: Path) -> Iterator[int]:
    """A browsing process of user nobody; the port it listens on."""
    with reader(warm, path) as process:
        assert process.stdout and process.stderr
        try:
            assert select.select([process.stdout], [], [], 120)[0]
            address = process.stdout.readline()
            assert address, process.stderr.read()
            yield int(address.rstrip("/\n").rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) in (0, -signal.SIGTERM)
            assert process.stderr.read() == ""


def contacts(port: int) -> int:
    """How many contacts the pages show."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/mirror/contact.json?_shape=array")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return len(json.loads(body))


def add_contact(daemon: sqlite3.Connection) -> None:
    daemon.execute("INSERT INTO contact (id, org_id) SELECT max(id) + 1, 7 FROM contact")


def listing(path: Path) -> dict[str, tuple[int, int, int]]:
    """Owner, size and time of the last change of every file beside the mirror."""
    found = {file.name: file.stat() for file in path.parent.iterdir()}
    return {name: (stat.st_uid, stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


@needs_root
def test_a_reader_sees_each_commit_while_the_daemon_runs_stops_and_runs_again(
    mirror: Path, place: Path, schema: Schema
) -> None:
    daemon = make_mirror(place, schema)
    let_read(place)
    with reading(mirror, place) as port:
        assert contacts(port) == 3
        add_contact(daemon)
        assert contacts(port) == 4
        daemon.close()
        leave_files(place)
        assert contacts(port) == 4
        daemon = sqlite3.connect(place, isolation_level=None)
        add_contact(daemon)
        assert contacts(port) == 5
    daemon.close()


@needs_root
def test_a_reader_starts_after_the_daemon_has_stopped_and_writes_nothing(
    mirror: Path, place: Path, schema: Schema
) -> None:
    make_mirror(place, schema).close()
    leave_files(place)
    before = listing(place)
    with reading(mirror, place) as port:
        assert contacts(port) == 3
        assert listing(place) == before
        daemon = sqlite3.connect(place, isolation_level=None)
        add_contact(daemon)
        assert contacts(port) == 4
        daemon.close()
        leave_files(place)
        assert contacts(port) == 4
    assert set(listing(place)) == set(before)


def last_words(warm: Path, path: Path) -> tuple[int, str]:
    with reader(warm, path) as process:
        _, said = process.communicate(timeout=120)
        return process.returncode, said


@pytest.mark.slow
@needs_root
def test_missing_wal_files_and_missing_rights_are_said_in_a_sentence(mirror: Path, place: Path, schema: Schema) -> None:
    make_mirror(place, schema).close()
    let_read(place)
    code, said = last_words(mirror, place)
    assert (code, said.count("\n")) == (1, 1)
    assert "Unavailable: mirror.db-wal and mirror.db-shm beside" in said
    place.chmod(0o600)
    assert "Unavailable: This user may not read" in last_words(mirror, place)[1]
    place.parent.chmod(0o700)
    assert "Unavailable: This user may not read" in last_words(mirror, place)[1]


async def test_a_port_in_use_is_said(settings: BrowseSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable, match="Cannot listen on"):
        await serve(replace(settings, port=taken.getsockname()[1]))
