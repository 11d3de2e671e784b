"""Opening and closing: one writer in the world, readers at any time, old databases brought up to date."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from promptsync.errors import MirrorBroken, MirrorLocked, PromptsyncError
from promptsync.model import Column, Kind, Role, Schema, Table
from promptsync.store.connect import open_reader, open_writer
from promptsync.store.migrations import tables_of
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

_HOLD = """
import sys
from pathlib import Path
from promptsync.vendors import declared_schema
from promptsync.store.mirror import Mirror
mirror = Mirror(Path(sys.argv[1]), declared_schema())
print("open", flush=True)
sys.stdin.read()
mirror.close()
"""


def test_a_second_process_is_told_who_writes_and_gets_in_once_that_is_over(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(MirrorLocked, match=f"pid {other.pid}"):
            Mirror(path, declared_schema())
        open_reader(path).close()
        other.stdin.close()
        assert other.wait(10) == 0
    Mirror(path, declared_schema()).close()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        other.kill()
    Mirror(path, declared_schema()).close()


def test_a_second_mirror_in_one_process_is_refused_too(tmp_path: Path) -> None:
    first = Mirror(tmp_path / "mirror.db", declared_schema())
    with pytest.raises(MirrorLocked):
        Mirror(tmp_path / "mirror.db", declared_schema())
    first.writer.run(lambda connection: connection.execute("INSERT INTO sync_state VALUES ('still', 'there')"))
    first.close()


def test_readers_work_while_it_is_open_and_after_it_is_closed(tmp_path: Path) -> None:
    """A pure reader cannot make the -wal and -shm that it needs, so they are left for it."""
    path = tmp_path / "mirror.db"
    mirror = Mirror(path, declared_schema())
    mirror.writer.run(lambda connection: connection.execute("INSERT INTO contact (id, org_id) VALUES (1, 1)"))
    for _ in range(2):
        reader = open_reader(path)
        assert reader.execute("SELECT count(*) FROM contact").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM contact")
        reader.close()
        mirror.close()
    assert path.with_name("mirror.db-wal").exists()
    assert path.with_name("mirror.db-shm").exists()


_READ_AS_NOBODY = """
import os, sqlite3, sys
os.setgid(65534)
os.setuid(65534)
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(connection.execute("SELECT count(*) FROM contact").fetchone())
connection.close()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_somebody_who_may_only_read_reads_it_after_it_is_closed() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Mirror(folder / "mirror.db", declared_schema()).close()
        for path in folder.glob("mirror.db*"):
            path.chmod(0o644)
        command = [sys.executable, "-c", _READ_AS_NOBODY, str(folder / "mirror.db")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.stdout, done.stderr) == ("(0,)\n", "")


def test_the_database_is_for_its_owner_and_group(tmp_path: Path) -> None:
    Mirror(tmp_path / "mirror.db", declared_schema()).close()
    for name in ("mirror.db", "mirror.db-wal", "mirror.db-shm"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640, name


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_database_is_said_to_be_none_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mirror.db"
    path.write_bytes(content)
    with pytest.raises(PromptsyncError) as caught:
        Mirror(path, declared_schema())
    assert isinstance(caught.value, MirrorBroken)
    assert path.read_bytes() == content


@pytest.mark.parametrize("opened", [open_writer, open_reader])
def test_an_opening_that_fails_leaves_no_file_open(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    """While the error is still looked at: a connection must not wait for the collector to be closed."""
    path = tmp_path / "mirror.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(MirrorBroken) as caught:
        opened(path)
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert caught.tb is not None
    assert str(path) not in {str(link.readlink()) for link in links if link.exists()}


def _without(schema: Iterable[Table], table: str, column: str = "") -> Schema:
    """The declarations of an earlier version: less one table, or one column of it and what is made of that."""
    tables = []
    for one in schema:
        if one.name != table:
            tables.append(one)
        elif column:
            columns = tuple(c for c in one.columns if c.name != column)
            indexes = tuple(index for index in one.indexes if column not in index)
            tables.append(replace(one, columns=columns, indexes=indexes))
    return Schema(tables)


def _shape(path: Path) -> dict[str, set[str]]:
    connection = open_reader(path)
    try:
        return {name: set(columns) for name, columns in tables_of(connection).items() if "_fts" not in name}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("tag", ""),
        ("sync_job", ""),
        ("opt_in", ""),
        ("message", "segments"),
        ("contact", "region"),
        ("sync_file", "path"),
    ],
)
def test_a_mirror_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path, table: str, column: str) -> None:
    new = tmp_path / "new.db"
    Mirror(new, declared_schema()).close()
    old = tmp_path / "old.db"
    mirror = Mirror(old, _without(declared_schema(), table, column))
    mirror.writer.run(lambda connection: connection.execute("INSERT INTO broadcast (id, org_id) VALUES (5, 1)"))
    mirror.close()
    assert _shape(old) != _shape(new)
    upgraded = Mirror(old, declared_schema())
    with upgraded.reading() as connection:
        assert connection.execute("SELECT id, org_id FROM broadcast").fetchall() == [(5, 1)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    upgraded.close()
    assert _shape(old) == _shape(new)


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    Mirror(path, declared_schema()).close()
    before = path.read_bytes()
    Mirror(path, declared_schema()).close()
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_old_mirror_whole(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    Mirror(path, declared_schema()).close()
    before = _shape(path)
    column = Column("id", Kind.INTEGER, "Key")
    fine = Table("fine", "Nothing is wrong with it.", ("id",), (column,), Role.OWN, org_scoped=False)
    wrong = replace(fine, name="wrong", columns=(column, column))
    with pytest.raises(PromptsyncError):
        Mirror(path, Schema((*declared_schema(), fine, wrong)))
    assert _shape(path) == before
    Mirror(path, declared_schema()).close()
