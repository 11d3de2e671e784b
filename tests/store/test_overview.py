"""What is read of a mirror, against the same asked of plain lists; and what SQLite says of a damaged file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import parse_iso
from promptsync.merge.sql import names
from promptsync.model.bookkeeping import TABLES
from promptsync.store.deliveries import inbox_state, newest, oldest_pending
from promptsync.store.overview import Success, differing_files, files_ahead, last_good_run, last_run, last_successes
from promptsync.store.reading import as_dicts, first_damage, newest_rows, path_of, row_of

TIMES = st.integers(1, 9).map(lambda day: f"2026-02-0{day}T08:00:00.000Z")
NAMES = st.sampled_from(["a", "b", "c"])


def rows(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(columns), max_size=12)


def mirror(**tables: list[dict[str, Any]]) -> sqlite3.Connection:
    """Promptsync's own tables in memory, with these rows, numbered from 1."""
    connection = sqlite3.connect(":memory:")
    for table in TABLES:
        connection.execute(f"CREATE TABLE {table.name} ({names(c.name for c in table.columns)})")
    for name, found in tables.items():
        for number, row in enumerate(found, 1):
            cells = {"id": number, **row}
            slots = ", ".join("?" * len(cells))
            connection.execute(f"INSERT INTO {name} ({names(cells)}) VALUES ({slots})", tuple(cells.values()))
    return connection


@given(rows(task=NAMES, started_at=TIMES, outcome=st.sampled_from(["done", "problem"])), TIMES)
def test_the_last_run_is_the_one_begun_last(runs: list[dict[str, Any]], now: str) -> None:
    with closing(mirror(sync_run=runs)) as connection:
        for task in ("a", "b", "c"):
            own = [run for run in runs if run["task"] == task]
            good = [run for run in own if run["outcome"] == "done" and run["started_at"] <= now]
            last_good = last_good_run(connection, task, parse_iso(now))
            for wanted, found in ((own, last_run(connection, task)), (good, last_good)):
                assert (found.started_at if found else None) == (wanted[-1]["started_at"] if wanted else None)
            last = [one.at for one in last_successes(connection, parse_iso(now)) if one.source == task]
            assert last == [run["started_at"] for run in good[-1:]]


@given(
    rows(table=NAMES, org_id=st.integers(0, 1), at=st.integers(0, 3), rows=st.integers(0, 9), applied_at=TIMES),
    rows(table=NAMES, sequence=st.sampled_from(["1", None]), state=st.sampled_from(["merged", "held"]), seen_at=TIMES),
    rows(received_at=TIMES),
    TIMES,
)
def test_the_last_success_of_a_table_is_the_newest_by_now(
    snapshots: list[dict[str, Any]], files: list[dict[str, Any]], events: list[dict[str, Any]], now: str
) -> None:
    expected: dict[tuple[str, str], str] = {}
    merged = [one for one in files if one["sequence"] and one["state"] == "merged"]
    for kind, found, column in (("snapshot", snapshots, "applied_at"), ("change_set", merged, "seen_at")):
        for one in (one for one in found if one[column] <= now):
            expected[kind, one["table"]] = max(one[column], expected.get((kind, one["table"]), ""))
    for one in (one for one in events if one["received_at"] <= now):
        expected["webhook", ""] = max(one["received_at"], expected.get(("webhook", ""), ""))
    with closing(mirror(sync_snapshot=snapshots, sync_file=files, sync_event=events)) as connection:
        found = list(last_successes(connection, parse_iso(now)))
    assert len(found) == len(expected)
    assert set(found) == {Success(kind, source, at) for (kind, source), at in expected.items()}


@given(
    rows(
        table=st.sampled_from(["a", "b"]),
        org_id=st.sampled_from([1, None]),
        as_of=st.sampled_from(["2026-02-01T08:00:00.000Z", "2026-02-02T08:00:00.000Z"]),
        correction=st.sampled_from([None, 0, 1]),
        state=st.sampled_from(["merged", "held"]),
        differing=st.integers(0, 1),
        ahead=st.integers(0, 1),
    )
)
def test_a_later_night_settles_a_file_and_so_does_a_correction(files: list[dict[str, Any]]) -> None:
    def later(key: Any, file: dict[str, Any]) -> bool:
        same = (one for one in files if (one["table"], one["org_id"]) == (file["table"], file["org_id"]))
        return any(one["state"] == "merged" and key(one) > key(file) for one in same)

    files = [{"name": str(number), "path": "p", **file} for number, file in enumerate(files)]
    merged = [file for file in files if file["state"] == "merged"]
    with closing(mirror(sync_file=files)) as connection:
        assert [one.name for one in differing_files(connection)] == [
            file["name"]
            for file in merged
            if file["differing"] and not later(lambda one: (one["as_of"], one["correction"] or 0), file)
        ]
        assert [name for name, _ in files_ahead(connection)] == [
            file["name"] for file in merged if file["ahead"] and not later(lambda one: one["as_of"], file)
        ]


@given(
    rows(received_at=TIMES, type=NAMES, state=st.sampled_from(["pending", "applied", "failed", "unknown_type"])),
    st.sampled_from([None, "failed", "pending"]),
    st.none() | NAMES,
    st.integers(1, 5),
    TIMES,
)
def test_the_inbox_is_counted_and_listed(
    events: list[dict[str, Any]], state: str | None, type_: str | None, limit: int, now: str
) -> None:
    with closing(mirror(sync_event=events)) as connection:
        found = inbox_state(connection, parse_iso(now))
        listed = newest(connection, state, type_, limit)
        oldest = oldest_pending(connection)
    times = [one["received_at"] for one in events]
    assert (found.received, found.newest) == (len(events), max((at for at in times if at <= now), default=None))
    for name in ("pending", "failed", "unknown_type"):
        assert getattr(found, name) == sum(one["state"] == name for one in events)
    assert oldest == min((one["received_at"] for one in events if one["state"] == "pending"), default=None)
    numbered = [(n, one["state"], one["type"]) for n, one in enumerate(events, 1)]
    wanted = [one for one in reversed(numbered) if state in (None, one[1]) and type_ in (None, one[2])]
    assert [(one["id"], one["state"], one["type"]) for one in listed] == wanted[:limit]


@given(
    rows(at=TIMES, colour=st.sampled_from(["red", "blue"]), _absent_since=st.sampled_from([None, "x"])),
    st.sampled_from([None, "red", "green"]),
    st.integers(1, 5),
)
def test_rows_are_read_by_names(found: list[dict[str, Any]], colour: str | None, limit: int) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, at, colour, _absent_since)")
        sql = "INSERT INTO t VALUES (NULL, :at, :colour, :_absent_since)"
        connection.executemany(sql, found)
        span = ("at", "2026-02-02T08:00:00.000Z", "2026-02-07T08:00:00.000Z")
        between = [(row["at"], row["colour"]) for row in found if span[1] <= row["at"] <= span[2]]
        wanted = [one for one in between if colour in (None, one[1])]
        chosen = newest_rows(connection, "t", ("at", "colour"), span, {"colour": colour}, limit)
        assert [row["at"] for row in chosen] == sorted((at for at, _ in wanted), reverse=True)[:limit]
        assert {tuple(row.values()) for row in chosen} <= set(wanted)
        assert row_of(connection, "t", len(found) + 1) is None
        assert list(as_dicts(connection.execute("SELECT * FROM t"))) == [
            row_of(connection, "t", n) for n in range(1, len(found) + 1)
        ]


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "mirror.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t AS WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
                           "SELECT i, hex(i) FROM n")  # fmt: skip
        assert path_of(connection) == path
    yield path


def test_a_damaged_file_is_found_out(whole: Path) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        assert first_damage(connection, deep=True, seconds=0) == "ok"
        assert first_damage(connection, deep=False, seconds=0) is None
    with whole.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(bytes(4096))
    with closing(sqlite3.connect(whole)) as connection:
        for deep in (True, False):
            assert first_damage(connection, deep=deep, seconds=60) not in ("ok", None)
