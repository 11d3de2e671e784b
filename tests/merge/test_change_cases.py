"""Single change sets: what is held, refused, left out, tried again; and what leaves a row's revision alone."""

import json
import sqlite3
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.errors import MirrorFull
from promptsync.loading.files import LoadSettings
from promptsync.store.key_order import KeyOrder
from promptsync.store.staging import attached

from .driver import UTC, Driver, few


@pytest.fixture
def driver(driver: Driver) -> Driver:
    """One that holds what should be held."""
    driver.settings, driver.accept = LoadSettings(UTC), False
    driver.restart()
    return driver


_NAME = "subjects_v5_7_{:018d}.parquet"


def subjects(folder: Path, sequence: int = 1, rows: int = 200, **columns: Any) -> Path:
    """A file of subjects, or with these columns instead."""
    path = folder / _NAME.format(sequence)
    numbers = range(1, rows + 1)
    cells = {"workspace_id": [7] * rows, "subject_name": [f"s{n:03d}" for n in numbers], "seq_num": [*numbers]}
    pq.write_table(pa.table(cells | columns), path)
    return path


def test_history_sent_again_is_no_change(driver: Driver, tmp_path: Path) -> None:
    assert driver.load(subjects(tmp_path, 1)).inserted == 200
    before = driver.dicts("cio_subjects")
    report = driver.load(subjects(tmp_path, 2))
    assert (report.inserted, report.updated, report.unchanged) == (0, 0, 200)
    after = driver.dicts("cio_subjects")
    assert [row["_rev"] for row in after] == [row["_rev"] for row in before]
    assert all(new["_row_at"] > old["_row_at"] for new, old in zip(after, before, strict=True))
    assert driver.load(subjects(tmp_path, 3, seq_num=[500] * 200)).updated == 200
    assert {row["_rev"] for row in driver.dicts("cio_subjects")}.isdisjoint(row["_rev"] for row in before)


def test_bad_rows(driver: Driver, tmp_path: Path) -> None:
    wrong = [None, None, None, *(f"s{n}" for n in range(197))]
    path = subjects(tmp_path, subject_name=wrong)
    held = driver.load(path)
    assert (held.state, held.rows, held.rejected) == ("held", 197, 3)
    assert "3 of its 200 rows have no readable key" in str(held.error) and "--accept" in str(held.error)
    assert driver.dicts("cio_subjects") == [] == driver.dicts("sync_reject")
    merged = driver.load(path, accept=True)
    assert (merged.state, merged.inserted, merged.rejected) == ("merged", 197, 3)
    rejects = driver.dicts("sync_reject")
    assert [(row["class"], row["line"], row["table"]) for row in rejects] == [
        ("bad_key", n, "cio_subjects") for n in (1, 2, 3)
    ]
    driver.load(path, accept=True, again=True)
    assert driver.dicts("sync_reject") == rejects


def person(folder: Path, sequence: int, **cells: Any) -> Path:
    """A file about one person of workspace 7, with these columns beside the key."""
    path = folder / f"people_v5_chngs_7_{sequence:018d}.parquet"
    pq.write_table(pa.table({"internal_customer_id": ["c1"]} | {name: [cell] for name, cell in cells.items()}), path)
    return path


def test_a_row_that_cannot_be_ordered_is_no_row_but_a_reject(driver: Driver, tmp_path: Path) -> None:
    numbers = [0, None, -1, *range(3, 200)]
    report = driver.load(subjects(tmp_path, seq_num=numbers))
    assert (report.state, report.inserted, report.rejected) == ("merged", 197, 3)
    rejects = driver.dicts("sync_reject")
    assert [(row["class"], row["line"]) for row in rejects] == [("no_order", n) for n in (1, 2, 3)]
    assert json.loads(rejects[1]["original"]) == {"workspace_id": 7, "subject_name": "s002", "seq_num": None}
    assert all("seq_num" in row["reason"] for row in rejects)


def test_a_deletion_without_its_time_is_not_lost_in_silence(driver: Driver, tmp_path: Path) -> None:
    driver.load(person(tmp_path, 1, deleted=False, updated_at=1_770_000_000_000))
    gone = person(tmp_path, 2, deleted=True, updated_at=pa.scalar(None, pa.int64()))
    held = driver.load(gone)
    assert held.state == "held" and "updated_at" in str(held.error) and "row 1" in str(held.error)
    assert driver.load(gone, accept=True).rejected == 1
    assert [row["class"] for row in driver.dicts("sync_reject")] == ["no_order"]


@pytest.mark.parametrize("late", [False, True])
def test_a_file_without_the_column_that_orders_it_is_held(driver: Driver, tmp_path: Path, late: bool) -> None:
    """Accepted, it only says what no other file does, whichever comes first."""
    without = person(tmp_path, 9, email_addr="unordered", customer_id="ana")
    ordered = person(tmp_path, 1, email_addr="ordered", updated_at=1_770_000_000_000)
    if late:
        driver.load(ordered)
    held = driver.load(without)
    assert (held.state, held.rejected) == ("held", 0) and "lacks the column updated_at" in str(held.error)
    assert "--accept" in str(held.error) and len(driver.dicts("cio_people")) == int(late)
    assert driver.load(without, accept=True).state == "merged"
    if not late:
        driver.load(ordered)
    assert [(row["email_addr"], row["customer_id"]) for row in driver.dicts("cio_people")] == [("ordered", "ana")]


def test_a_table_without_such_a_column_goes_by_the_files(driver: Driver, tmp_path: Path) -> None:
    for sequence in (2, 1):
        path = tmp_path / f"delivery_content_v5_7_{sequence:018d}.parquet"
        pq.write_table(pa.table({"delivery_id": ["d"], "subject": [str(sequence)]}), path)
        assert driver.load(path).state == "merged"
    assert [row["subject"] for row in driver.dicts("cio_delivery_content")] == ["2"]


def test_a_dry_run_writes_nothing(driver: Driver, tmp_path: Path) -> None:
    tables = ("cio_subjects", "sync_file", "sync_drift", "sync_state")
    before = [driver.dicts(table) for table in tables]
    more = pa.array(["x"] * 200)
    report = driver.load(subjects(tmp_path, unheard_of=more), dry_run=True)
    assert (report.state, report.inserted) == ("would merge", 200)
    assert [driver.dicts(table) for table in tables] == before
    driver.load(subjects(tmp_path, 5))
    report = driver.load(
        subjects(tmp_path, 6, seq_num=[*range(1, 101), *range(300, 400)], trigger_id=[1] * 200), dry_run=True
    )
    assert (report.inserted, report.updated, report.unchanged) == (0, 200, 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("2184.13699.1.track.json", "Data Pipelines"),
        ("subjects_1_2.parquet", "Upgrade Schema Version"),
        ("nonsense_v5_1_2.parquet", "stems"),
    ],
)
def test_other_files_are_refused_in_words(driver: Driver, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_text("{}")
    report = driver.load(tmp_path / name)
    assert report.state == "ignored" and says in str(report.error)


def test_the_ledger(driver: Driver, tmp_path: Path) -> None:
    path = subjects(tmp_path, 42)
    driver.load(path)
    (row,) = driver.dicts("sync_file")
    assert {name: row[name] for name in ("table", "workspace_id", "sequence", "as_of", "org_id", "state", "rows")} == {
        "table": "cio_subjects",
        "workspace_id": 7,
        "sequence": "000000000000000042",
        "as_of": None,
        "org_id": None,
        "state": "merged",
        "rows": 200,
    }
    assert driver.load(path).state == "unchanged"
    parts = path.rename(tmp_path / _NAME.format(42).replace(".parquet", f"_{3:018d}.parquet"))
    assert driver.load(parts).sequence == "000000000000000042_000000000000000003"


def test_stems_and_columns_left_out(driver: Driver, tmp_path: Path) -> None:
    driver.settings = LoadSettings(driver.settings.zone, leave_out={"cio_subjects": frozenset({"event_id"})})
    driver.config = {"customerio": [{"location": "/none", "stems": {"journeys": "subjects"}}]}
    driver.restart()
    path = subjects(tmp_path, event_id=["e"] * 200).rename(tmp_path / "journeys_v5_7_1.parquet")
    assert driver.load(path).inserted == 200
    assert {(row["event_id"], row["_col_event_id_at"]) for row in driver.dicts("cio_subjects")} == {(None, b"")}
    driver.settings = LoadSettings(driver.settings.zone)
    driver.restart()
    assert driver.load(subjects(tmp_path, event_id=["e"] * 200), again=True).updated == 200


def test_a_table_that_is_watched_or_taken_meanwhile_is_merged_in_slices(driver: Driver, tmp_path: Path) -> None:
    driver.mirror.writer.run(
        lambda connection: connection.execute(
            'CREATE TRIGGER "sync_change:x:cio_subjects:new" AFTER INSERT ON cio_subjects BEGIN SELECT 1; END'
        )
    )
    assert driver.load(subjects(tmp_path, rows=5000)).inserted == 5000
    assert len({row["_rev"] for row in driver.dicts("cio_subjects")}) > 1


_ROW = st.tuples(
    st.integers(-2, 2),
    st.sampled_from("aböz𝄞"),
    st.binary(max_size=1),
    st.none() | st.sampled_from(["", "a", "z", "ö", "𝄞"]),
    st.none() | st.integers(-1, 1),
)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(_ROW, max_size=60), run=st.integers(1, 2000))
def test_runs_on_disk_come_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str, bytes, str | None, int | None]], run: int
) -> None:
    """Of each key what has the greatest version; of that every column's greatest value, NULL least."""
    types = {"a": pa.int64(), "b": pa.string(), "_at": pa.binary(), "text": pa.string(), "number": pa.int64()}
    folder = tmp_path_factory.mktemp("order")
    with KeyOrder(folder / "x", ["a", "b"], run) as order:
        for start in range(0, len(rows), 7):
            columns = zip(*rows[start : start + 7], strict=True)
            arrays = [pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)]
            order.add(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(types)))
        found = [tuple(row.values()) for batch in order for row in batch.to_pylist()]
    expected = []
    for key in sorted({row[:2] for row in rows}):
        newest = max(row[2] for row in rows if row[:2] == key)
        said = [row[3:] for row in rows if row[:3] == (*key, newest)]
        greatest = (max((v for v in column if v is not None), default=None) for column in zip(*said, strict=True))
        expected.append((*key, newest, *greatest))
    assert found == expected
    assert list(folder.iterdir()) == []


def subject(folder: Path, sequence: int, workspace: int = 7, **cells: Any) -> Path:
    """A file about one subject, which does not say whose it is."""
    path = folder / f"subjects_v5_{workspace}_{sequence:018d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({name: [cell] for name, cell in ({"subject_name": "s", "seq_num": 1} | cells).items()}), path
    )
    return path


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_of_equal_versions_each_column_takes_its_greater_value(
    driver: Driver, tmp_path: Path, order: tuple[int, ...]
) -> None:
    """Two files of one name differ, and some file lacks a column: perhaps before them, perhaps after."""
    files = [
        subject(tmp_path / "a", 2, campaign_id=1, trigger_id=9),
        subject(tmp_path / "b", 2, campaign_id=2, trigger_id=1),
        subject(tmp_path / "c", 1, campaign_id=5),
    ]
    for n in order:
        driver.load(files[n])
    assert [(row["campaign_id"], row["trigger_id"]) for row in driver.dicts("cio_subjects")] == [(2, 9)]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_an_unknown_column_may_be_called_as_the_group_is(
    driver: Driver, tmp_path: Path, order: tuple[int, ...]
) -> None:
    files = [
        subject(tmp_path, 1, campaign_id=1, row="old"),
        subject(tmp_path, 2, campaign_id=2, row="new"),
        subject(tmp_path, 3, campaign_id=3),
    ]
    for n in order:
        driver.load(files[n])
    (found,) = driver.dicts("cio_subjects")
    assert (found["campaign_id"], found["row"], found["_col_row_at"][8:16]) == (3, "new", (2).to_bytes(8))


def test_the_same_bytes_of_two_workspaces_are_two_files(driver: Driver, tmp_path: Path) -> None:
    reports = [driver.load(subject(tmp_path, 1, workspace)) for workspace in (7, 8, 8)]
    assert [report.state for report in reports] == ["merged", "merged", "unchanged"]
    assert [row["workspace_id"] for row in driver.dicts("cio_subjects")] == [7, 8]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "states"), [(900, ["merged", "merged"]), (960, ["held", "held"])])
def test_more_columns_than_a_table_can_have_hold_the_file(tmp_path: Path, count: int, states: list[str]) -> None:
    cells: list[dict[str, Any]] = [{f"c{column}": n for column in range(count)} for n in "12"]
    files = [subject(tmp_path, n, **some) for n, some in enumerate(cells)]
    with closing(Driver(tmp_path / "few", None, few("cio_subjects"))) as driver:
        driver.settings, driver.accept = LoadSettings(UTC), False
        driver.restart()
        assert [driver.load(file).state for file in files] == states


def test_a_full_disk_while_a_staged_file_is_looked_at_is_said_to_be_one(driver: Driver, tmp_path: Path) -> None:
    staged = tmp_path / "staged.db"
    with closing(sqlite3.connect(staged)) as made:
        made.execute("CREATE TABLE rows (n)")
    with pytest.raises(MirrorFull), driver.mirror.reading() as reader, attached(reader, staged, writable=True):
        reader.execute("PRAGMA staging.max_page_count = 2")
        reader.execute("INSERT INTO staging.rows VALUES (zeroblob(100000))")
