"""Somebody is forgotten: nothing of them is left, and everybody else's rows are as if they had never been there."""

import gzip
import json
import shutil
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from people_world import AL, AT, BO, CY, config, engine, fill

from promptsync.clock import parse_iso
from promptsync.model import Identity, Role
from promptsync.model.delivery import Delivery
from promptsync.model.person import Identifier
from promptsync.people.erase import _Erasing, erase
from promptsync.store import day_count, erasing, search_build
from promptsync.store.inbox import insert_event, select_for_replay

WHO = {
    "contact": Identifier(Identity.CONTACT, str(BO.number)),
    "phone": Identifier(Identity.PHONE, BO.phone),
    "cio": Identifier(Identity.CIO, BO.cio),
}
UNLIKE = {
    "_sqlite_migrations": "says when",
    "sync_drift": "says which delivery was the first",
    "sync_change": "the queue of who is to be told counts on",
    "sync_erasure": "only there",
    "sync_file": "says how many rows a file had",
    "sync_object": "of places",
    "sync_snapshot": "says how many rows a file had",
    "sync_state": "revisions and numbers",
    "sync_touched": "only a hint for what to read",
    "day_count": "stays as it was",
    "day_count_erased": "what is added for that",
}
"""Tables that may differ from those of a mirror that never knew the person, and why."""


_UNLIKE_COLUMNS = {
    "sync_event": ("id", "digest"),  # numbers go on; spaces in what is written anew are not kept
    "sync_reject": ("id", "line", "rejected_at"),
}


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but for promptsync's revisions; deliveries by when they were received."""
    found = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%'")
        for (table,) in tables.fetchall():
            columns = [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
            unlike = ("_rev", "file_id", "event_id", *_UNLIKE_COLUMNS.get(table, ()))
            wanted = [f't."{name}"' for name in columns if name not in unlike]
            if table == "sync_event":
                wanted[wanted.index('t."body"')] = "CASE WHEN json_valid(t.body) THEN json(t.body) ELSE t.body END"
            received = "(SELECT received_at FROM sync_event e WHERE e.id = t.event_id)"
            if "event_id" in columns and not table.startswith("cio_"):
                wanted.append(received)
            found[table] = sorted(
                connection.execute(f'SELECT {", ".join(wanted)} FROM "{table}" t').fetchall(), key=repr
            )
    return found


def holding(folder: Path, words: tuple[bytes, ...]) -> list[tuple[str, bytes]]:
    """Which files, as they are or unpacked, hold one of the words, or have it in their names."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if content.startswith(b"\x1f\x8b") and "cut" not in path.name:
            content += gzip.decompress(content)
        if content.startswith(b"PAR1"):
            content += repr(pq.read_table(path).to_pylist()).encode()
        name = str(path.relative_to(folder)).encode()
        found += [(name.decode(), word) for word in words if word in content or word in name]
    return found


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """A mirror that never knew the person."""
    folder = tmp_path_factory.mktemp("never")
    with engine(folder) as mirror:
        fill(mirror, folder, [AL, CY])
    return everything(config(folder).mirror.database)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with engine(folder) as mirror:
        fill(mirror, folder, [BO, AL, CY])
    return folder


@pytest.mark.parametrize("by", WHO)
def test_nothing_is_left_and_nobody_else_notices(
    by: str, filled: Path, never: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    there = {word for _, word in holding(folder, BO.canaries)}
    assert there == set(BO.canaries), "a word that was never there proves nothing"
    with engine(folder) as mirror:
        done = erase(mirror, [{WHO[by]}], "asked")
        while_open = holding(folder, BO.canaries)
    assert while_open == []
    assert holding(folder, BO.canaries) == []
    assert done["log_emptied"] and done["tables"]["message"] and done["files"]
    left = everything(config(folder).mirror.database)
    assert {table for table in never if left[table] != never[table]} <= UNLIKE.keys()
    assert left.keys() == never.keys()
    for other in (AL, CY):
        assert {word for _, word in holding(folder, other.canaries)} == set(other.canaries) - {
            other.word.upper().encode()
        }


def test_what_was_taken_out_of_a_batch_leaves_the_rest_in_place(
    filled: Path, never: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    with engine(folder) as mirror:
        erase(mirror, [{WHO["contact"]}], "asked")
        mirror.mirror.writer.run(lambda connection: select_for_replay(connection, None, False, None, None))
        mirror.apply_pending()
    left = everything(config(folder).mirror.database)
    happened = [table.name for table in mirror.mirror.schema if table.role is Role.HAPPENED]
    assert {name: left[name] for name in happened} == {name: never[name] for name in happened}
    assert holding(folder, BO.canaries) == []


def test_messages_by_day_stay_as_they_were_even_if_they_are_counted_anew(filled: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    before = everything(config(folder).mirror.database)["day_count"]
    with engine(folder) as mirror:
        erase(mirror, [{WHO["contact"]}], "asked")
        message = mirror.mirror.schema["message"]
        kept = everything(config(folder).mirror.database)["day_count"]
        mirror.mirror.writer.run(lambda connection: day_count.count_anew(connection, message))
        for day in ("2026-11-02", "2026-05-28", ""):
            mirror.mirror.writer.run(lambda connection, day=day: day_count.count_day(connection, message, day))
    assert before and before == kept == everything(config(folder).mirror.database)["day_count"]


def test_the_number_of_a_delivery_is_not_given_again(filled: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    with engine(folder) as mirror:
        body = json.dumps({"orgId": 41, "customer": {"id": BO.number}})
        at = parse_iso(AT) + 10**9
        newest = mirror.mirror.writer.run(
            lambda connection: insert_event(connection, Delivery("customer/added", body, {}, at), at)
        )
        erase(mirror, [{WHO["contact"]}], "asked")
        again = mirror.mirror.writer.run(
            lambda connection: insert_event(connection, Delivery("customer/added", "{}", {}, at + 1), at + 1)
        )
    assert again == newest + 1


def test_an_index_that_is_built_meanwhile_brings_nothing_back(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, begun = shutil.copytree(filled, tmp_path / "copy"), list[threading.Thread]()
    deleted, past_search = threading.Event(), threading.Event()
    monkeypatch.setattr(search_build, "WORTH", 1)
    with engine(folder) as mirror:
        mirror.mirror.writer.run(
            lambda connection: connection.execute("INSERT INTO message_fts (message_fts) VALUES ('delete-all')")
        )

        def wipe(work: Any, wiping: Any = _Erasing.wipe) -> None:
            deleted.set()
            wiping(work)

        def shown(step: str, *_: object) -> None:
            if step == "writing over free pages":
                past_search.set()

        def meanwhile(*_: object) -> None:
            if not begun:
                forget = partial(erase, mirror, [{WHO["contact"]}], "asked", progress=shown)
                begun.append(threading.Thread(target=forget))
                begun[0].start()
                deleted.wait()
                past_search.wait(0.5)  # time enough, if it does not wait for the index

        monkeypatch.setattr(_Erasing, "wipe", wipe)
        assert mirror.search.enter_missing("message", meanwhile)
        begun[0].join()
        with mirror.mirror.reading() as connection:
            index = b"".join(row[0] for row in connection.execute("SELECT block FROM message_fts_data ORDER BY id"))
        assert AL.word[-5:].encode() in index  # of a word that is like the one before it, only the rest is there
        assert BO.word[-5:].encode() not in index


def test_a_second_time_there_is_nothing(filled: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    with engine(folder) as mirror:
        first = erase(mirror, [{one} for one in WHO.values()], "gone")
        assert erase(mirror, [{WHO["contact"]}], "asked")["id"] is None
        with mirror.mirror.reading() as connection:
            (row,) = erasing.erasures(connection)
    assert row["finished_at"] and row["why"] == "gone"
    assert row["tables"] == first["tables"] and row["rows"] == sum(first["tables"].values())
    assert not any(word in json.dumps(row).encode() for word in BO.canaries)


class Killed(BaseException):
    """The process ends."""


@pytest.mark.parametrize("after", [2, 9, 20, 40, 60])
def test_killed_anywhere_it_is_carried_out_the_next_time(
    after: int, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(filled, tmp_path / "copy")
    left = [after]

    def count(run: Any, *args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return run(*args, **options)

    with engine(folder) as mirror:
        monkeypatch.setattr(mirror.mirror.writer, "run", partial(count, mirror.mirror.writer.run))
        with pytest.raises(Killed):
            erase(mirror, [{WHO["phone"]}], "asked")
    assert holding(folder, BO.canaries)
    with engine(folder) as mirror:
        done = erase(mirror, [], "asked")
        assert holding(folder, BO.canaries) == []
    assert done["id"] == 1
    with closing(sqlite3.connect(config(folder).mirror.database)) as connection:
        assert erasing.unfinished(connection) == {}
