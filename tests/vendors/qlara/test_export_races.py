"""Two exports at once, as a schedule and a person make them: what each decides, the other may have done meanwhile."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from promptsync.loading.export import ExportLoader, ExportSource
from promptsync.merge.guards import Guards
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.vendors.qlara.profile import QLARA

AT = 1_770_000_000_000_000
MESSAGES = QLARA.kind("messages")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    yield mirror
    mirror.close()


def exported(path: Path, mirror: Mirror, text: str, at: int = AT) -> ExportSource:
    path.write_text(text)
    rows = ExportRows(MESSAGES, mirror.schema[MESSAGES.table])
    return ExportSource(path, path.name, "qlara", rows, at, vouched=True)


def test_what_is_newer_and_comes_amid_a_merge_is_not_lost(mirror: Mirror, tmp_path: Path) -> None:
    """Both rows that the slices have passed and rows that they have not, and of these only what it speaks of."""
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: AT)
    lines = "".join(f"{number:04d},old,{number}\n" for number in range(1_000))
    source = exported(tmp_path / "messages-1.csv", mirror, f"messageId,status,body\n{lines}")
    newer = [{"messageId": key, "status": "new"} for key in ("0000", "0999")]
    page = ExportRows(MESSAGES, mirror.schema[MESSAGES.table])
    came: list[int] = []

    def progress(step: str, done: int, total: int) -> None:
        if step == "merging" and not came:
            assert 0 < done < total
            came.append(loader.merge_objects(page, newer, AT + 1, "/messages/history").inserted)

    report = loader.load(source, lambda *_: None, progress)
    with mirror.reading() as connection:
        found = connection.execute(
            "SELECT id, status, body FROM qlara_message WHERE status = 'new' ORDER BY id"
        ).fetchall()
        rows = connection.execute("SELECT count(*) FROM qlara_message").fetchone()
    assert (came, report.rows, rows) == ([1], 1_000, (1_000,))
    assert found == [("0000", "new", "0"), ("0999", "new", "999")]


def test_two_files_at_once_are_merged_one_after_the_other(mirror: Mirror, tmp_path: Path) -> None:
    """Each has the writer's staging to itself, whoever loads the other."""
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: AT)
    sources = [
        exported(
            tmp_path / f"messages-{one}.csv", mirror, "messageId\n" + "".join(f"{one}-{n}\n" for n in range(2_000))
        )
        for one in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda source: loader.load(source, lambda *_: None), sources))
    assert [report.inserted for report in reports] == [2_000] * 4
    with mirror.reading() as connection:
        assert connection.execute("SELECT count(*) FROM qlara_message").fetchone() == (8_000,)


def test_two_exports_bring_the_same_new_column(tmp_path: Path) -> None:
    """A file and a page of the newest messages: both have looked at the table before either has changed it."""
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    kind = QLARA.kind("messages")
    rows = ExportRows(kind, mirror.schema[kind.table])
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: AT)
    file = tmp_path / "export.csv"
    file.write_text("messageId,mood,weather\n1,glad,fair\n")
    source = ExportSource(file, "messages-1.csv", "qlara", rows, AT, vouched=True)
    page = [{"messageId": "2", "Mood": "sad", "season": "spring"}]
    go = threading.Event()
    try:
        mirror.writer.submit(lambda _: go.wait(60), bare=True)
        with ThreadPoolExecutor(2) as pool:
            done = [
                pool.submit(loader.load, source, lambda *_: None),
                pool.submit(loader.merge_objects, rows, page, AT, "/messages/history"),
            ]
            until = time.monotonic() + 60
            while mirror.writer.waiting() < 2:
                assert time.monotonic() < until
                time.sleep(0.001)
            go.set()
            assert [report.result().inserted for report in done] == [1, 1]
        with mirror.reading() as connection:
            found = connection.execute("SELECT id, mood, weather, season FROM qlara_message ORDER BY id").fetchall()
            drift = connection.execute("SELECT name FROM sync_drift ORDER BY name COLLATE NOCASE").fetchall()
    finally:
        go.set()
        mirror.close()
    assert found == [("1", "glad", "fair", None), ("2", "sad", None, "spring")]
    assert [name.lower() for (name,) in drift] == ["mood", "season", "weather"]
