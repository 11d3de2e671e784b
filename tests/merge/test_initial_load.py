"""The first file of a table is taken over as a whole only while the table is as it was when the file was staged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from promptsync.loading import snapshot_merge
from promptsync.loading.files import LoadRequest
from promptsync.store import ddl
from promptsync.store.search import SearchEntry

from .driver import Driver
from .files import write_file
from .model import File
from .model_files import CHANGE_KINDS, ChangeSet
from .world_values import NIGHTS

_MESSAGES = File("message", 1, NIGHTS[0], ("id", "content"), tuple((n, f"text {n}") for n in range(1, 301)))
_SUBJECTS = ChangeSet(
    CHANGE_KINDS[0], 7, 1, 0, ("seq_num",),
    tuple({"workspace_id": 7, "subject_name": f"s{n:03d}", "seq_num": n} for n in range(1, 301)),
)  # fmt: skip


def _load(driver: Driver, path: Path, meanwhile: str = "", at: str = "taking over") -> list[str]:
    """The steps that loading took. ``meanwhile``: a statement run just before one of them."""
    steps: list[str] = []

    def progress(step: str, *_: int) -> None:
        if meanwhile and step == at and step not in steps:
            driver.mirror.writer.run(lambda connection: connection.execute(meanwhile) and None)
        steps.append(step)

    report = driver.loader.load(driver.kinds.at_door(LoadRequest(path, "test", accept=True)), progress)
    assert (report.state, report.inserted) == ("merged", 300)
    return list(dict.fromkeys(steps))


@pytest.mark.parametrize(("table", "file"), [("message", _MESSAGES), ("cio_subjects", _SUBJECTS)])
def test_the_first_file_makes_the_same_mirror_whichever_way_it_goes(
    drivers: Callable[[], Driver], table: str, file: File | ChangeSet
) -> None:
    """As a whole, or in slices because of a trigger or a column that was not there when it was staged."""
    found, steps = [], []
    for meanwhile in (
        "",
        f"CREATE TRIGGER watching AFTER INSERT ON {table} BEGIN "
        "INSERT INTO sync_state VALUES ('seen', '1') ON CONFLICT DO UPDATE SET value = value + 1; END",
        f"ALTER TABLE {table} ADD COLUMN late TEXT",
    ):
        driver = drivers()
        steps.append(_load(driver, write_file(driver.folder / "in", file), meanwhile))
        found.append([{k: v for k, v in row.items() if k not in ("_rev", "late")} for row in driver.dicts(table)])
        counted = driver.rows("sync_state", "value, name")
        assert [value for value, name in counted if name == "seen"] == (["300"] if "TRIGGER" in meanwhile else [])
    assert found[0] == found[1] == found[2] != []
    assert ["merging" in taken for taken in steps] == [False, True, True]


def test_the_table_keeps_its_declared_indexes_and_triggers(driver: Driver) -> None:
    _load(driver, write_file(driver.folder / "in", _MESSAGES))
    table = driver.schema["message"]
    with driver.mirror.reading() as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'message'").fetchall())
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {name: made[name] for name in ddl.triggers(table)} == ddl.triggers(table) != {}
    assert {index.name for index in table.all_indexes} <= made.keys()


@pytest.mark.parametrize(
    ("meanwhile", "at", "left"),
    [
        ("", "indexing", 0),
        ("UPDATE message SET content = 'text 301' WHERE id % 100 = 1", "indexing", 3),
        ("DELETE FROM message WHERE id < 20", "indexing", 0),
        ("INSERT INTO message (id, content) VALUES (301, 'text 301')", "indexing", 1),
        ("ALTER TABLE message ADD COLUMN late TEXT", "taking over", 300),  # merged in slices
    ],
)
def test_its_search_is_built_while_it_is_copied(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, meanwhile: str, at: str, left: int
) -> None:
    monkeypatch.setattr(snapshot_merge, "WORTH", 1)
    _load(driver, write_file(driver.folder / "in", _MESSAGES), meanwhile, at)
    assert SearchEntry(driver.mirror).enter_missing("message") == left
    driver.mirror.writer.run(
        lambda connection: connection.execute(
            "INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)"
        )
    )
    assert not list((driver.mirror.folder / "staging").iterdir())
