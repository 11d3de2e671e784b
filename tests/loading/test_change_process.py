"""Change sets through the program as people run it: killed from outside, reset, dropped into the folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from click.testing import CliRunner, Result

from promptsync.cli import main
from promptsync.store.connect import open_reader


class Home:
    """A folder with a configuration and a mirror."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "promptsync.toml"
        self.drop = folder / "drop"
        self.file.write_text(
            '[mirror]\ndatabase = "mirror.db"\n[webhook]\nport = 0\nallow_unauthenticated = true\n'
            '[drop]\nsettle = "0.2 seconds"\nrescan = "0.5 seconds"\n'
        )

    def run(self, *args: object, code: int = 0, stdin: str | None = None) -> Result:
        arguments = ["--config", str(self.file), *map(str, args)]
        result = CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    def told(self, *args: object, code: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code).stdout)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        connection = open_reader(self.folder / "mirror.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    @contextmanager
    def process(self, *args: object) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, "-m", "promptsync", "--config", str(self.file), *map(str, args)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def daemon(self) -> Iterator[None]:
        with self.process("run") as process:
            assert process.stdout is not None and process.stdout.readline().startswith("Listening")
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

    def write(self, sequence: int, rows: int = 50, folder: Path | None = None) -> Path:
        """A file of subjects, newest first."""
        path = (folder or self.folder) / f"subjects_v5_7_{sequence:018d}.parquet"
        path.parent.mkdir(exist_ok=True)
        numbers = range(rows, 0, -1)
        cells = {"workspace_id": [7] * rows, "subject_name": [f"s{n:07d}" for n in numbers], "seq_num": [*numbers]}
        pq.write_table(pa.table(cells | {"campaign_id": [sequence] * rows}), path)
        return path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    umask = os.umask(0o022)
    yield Home(tmp_path)
    os.umask(umask)
    structlog.reset_defaults()


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
def test_a_load_that_was_killed_is_finished(home: Home) -> None:
    home.run("load", home.write(1, 10))
    big = home.write(2, 60_000)
    with home.process("load", big) as process:
        until(lambda: home.rows("SELECT EXISTS (SELECT 1 FROM cio_subjects WHERE campaign_id = 2)") == [(1,)])
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < home.rows("SELECT count(*) FROM cio_subjects WHERE campaign_id = 2")[0][0] < 60_000
    assert home.rows("SELECT state FROM sync_file ORDER BY id") == [("merged",), ("staged",)]
    with home.daemon():
        until(lambda: home.rows("SELECT state FROM sync_file ORDER BY id") == [("merged",), ("merged",)])
    assert home.rows("SELECT count(*), sum(seq_num), min(campaign_id) FROM cio_subjects") == [
        (60_000, 60_000 * 60_001 // 2, 2)
    ]
    assert [*(home.folder / "staging").iterdir()] == []


def test_files_in_a_folder_are_loaded_in_the_vendors_order(home: Home) -> None:
    for sequence in (12, 3, 100):
        home.write(sequence, folder=home.folder / "in")
    home.write(5, folder=home.folder / "in" / "deeper")
    (home.folder / "in" / "cio-validate").touch()
    (home.folder / "in" / "people_v5_7_1.parquet").touch()
    files = home.told("load", home.folder / "in")
    in_order = [("merged", n) for n in (3, 5, 12, 100)]
    assert [(file["state"], int(file["sequence"] or 0)) for file in files] == [*in_order, ("ignored", 0)]
    assert home.rows("SELECT DISTINCT campaign_id FROM cio_subjects") == [(100,)]


@pytest.mark.parametrize("running", [False, True])
def test_reset(home: Home, running: bool) -> None:
    files = [home.write(1), home.write(2)]
    home.run("load", *files)
    with home.daemon() if running else home.process("--version"):
        assert "cannot be reset" in home.run("reset", "--yes", "contact", "cio_subjects", code=2).stderr
        assert home.run("reset", "cio_subjects", stdin="n\n", code=1).stdout == ""
        home.run("reset", "cio_subjects", "--json", code=2)
        assert home.rows("SELECT count(*) FROM cio_subjects") == [(50,)]
        told = home.told("reset", "cio_subjects", "cio_outputs", "--yes")
        assert told == [
            {"table": "cio_subjects", "rows": 50, "files": 2},
            {"table": "cio_outputs", "rows": 0, "files": 0},
        ]
        assert home.rows("SELECT count(*) FROM cio_subjects") == [(0,)]
        assert [file["state"] for file in home.told("load", *reversed(files))] == ["merged", "merged"]
    assert home.rows("SELECT count(*), min(campaign_id) FROM cio_subjects") == [(50, 2)]
    assert home.rows("SELECT state, count(*) FROM sync_file GROUP BY 1") == [("merged", 2)]


def test_rejected_rows_are_tried_again(home: Home) -> None:
    path = home.write(1)
    pq.write_table(pq.read_table(path).set_column(1, "subject_name", pa.array([None] + ["s"] * 49)), path)
    home.told("load", "--accept", path, code=1)
    home.write(1)
    assert home.told("rejects", "retry")["left"] == 0
    assert home.rows("SELECT count(*) FROM cio_subjects") == [(51,)]  # what was merged stays


def put(path: Path, content: bytes) -> None:
    """A file that nobody has written to for long comes by a rename."""
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(content)
    os.utime(hidden, (0, 0))
    hidden.rename(path)


def test_the_drop_folder(home: Home) -> None:
    whole = home.write(1).read_bytes()
    late = home.drop / "a" / "subjects_v5_7_000000000000000002.parquet"
    with home.daemon():
        until(home.drop.exists)
        late.parent.mkdir()
        late.write_bytes(whole[:-5])
        (home.drop / "cio-validate").touch()
        put(home.drop / "1.2.3.track.json", b"{}")
        given_up = home.drop / "subjects_v5_7_000000000000000003.parquet"
        put(given_up, whole[:-5])
        until((home.drop / "held" / given_up.name).exists)
        assert late.exists() and not (home.drop / "held" / "a").exists()
        late.write_bytes(whole)
        until((home.drop / "done" / "a" / late.name).exists)
        until(lambda: len(home.rows("SELECT 1 FROM sync_file")) == 3)
    assert (home.drop / "cio-validate").exists()
    assert sorted(home.rows("SELECT state, name FROM sync_file")) == [
        ("held", given_up.name),
        ("ignored", "1.2.3.track.json"),
        ("merged", late.name),
    ]
