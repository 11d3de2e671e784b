"""Two exports at once, as a schedule and a person make them: what each decides, the other may have done meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

from promptsync.loading.export import ExportLoader, ExportSource
from promptsync.merge.guards import Guards
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.profile import QLARA
from promptsync.vendors.qlara.rows import ColumnMap

AT = 1_770_000_000_000_000


def test_two_exports_bring_the_same_new_column(tmp_path: Path) -> None:
    """A file and a page of the newest messages: both have looked at the table before either has changed it."""
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    kind = QLARA.kind("messages")
    columns = ColumnMap(mirror.schema[kind.table], kind.columns, kind.changed, kind.identity)
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: AT)
    file = tmp_path / "export.csv"
    file.write_text("messageId,mood,weather\n1,glad,fair\n")
    source = ExportSource(file, "messages-1.csv", "qlara", columns, AT, vouched=True)
    page = [{"messageId": "2", "Mood": "sad", "season": "spring"}]
    go = threading.Event()
    try:
        mirror.writer.submit(lambda _: go.wait(60), bare=True)
        with ThreadPoolExecutor(2) as pool:
            done = [
                pool.submit(loader.load, source, lambda *_: None),
                pool.submit(loader.merge_objects, columns, page, AT, "/messages/history"),
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
