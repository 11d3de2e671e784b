"""What orders the rows of a change set: the vendor's column, then the file's place; a row without it is bad."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.clock import iso_millis, micros_of
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.reader import Batch, ChangeSetReader
from promptsync.model import Column, FilledBy, Kind, Table
from promptsync.model.file_name import ChangeSetName

NAME = ChangeSetName("cio_thing", 7, 5, 241600000000311123, 3)
TABLE = Table(
    "cio_thing",
    "Things",
    ("workspace_id", "thing_id"),
    (
        Column("workspace_id", Kind.INTEGER, ""),
        Column("thing_id", Kind.TEXT, ""),
        Column("at", Kind.TIME, "", "row"),
        Column("seq_num", Kind.INTEGER, "", "row"),
        Column("part", Kind.INTEGER, ""),
    ),
    org_scoped=False,
    filled_by=FilledBy.CHANGE_SET,
    order="seq_num",
)
MOMENT = datetime(2026, 2, 4, 8, 0, 0, 123456, UTC)
MICROS = micros_of(MOMENT)
WRITTEN = iso_millis(MICROS)


def read(folder: Path, table: Table, **columns: Any) -> tuple[Batch, ChangeSetReader]:
    """A file of things with these columns, numbered from 0."""
    file = folder / "things_v5_7_1.parquet"
    things = [str(n) for n in range(len(next(iter(columns.values()))))]
    pq.write_table(pa.table({"thing_id": things} | columns), file)
    with ChangeSetReader(file, table, NAME, Limits()) as reader:
        (batch,) = reader
    return batch, reader


def version(order: int, row: int) -> bytes:
    return b"".join(part.to_bytes(8, "big") for part in (order, NAME.sequence, NAME.part)) + row.to_bytes(4, "big")


def test_the_version_orders_as_the_vendor_does(tmp_path: Path) -> None:
    batch, _ = read(tmp_path, TABLE, seq_num=[5, None, -3, 1 << 40])
    assert [(row["_n"], row["_at"]) for row in batch.rows.to_pylist()] == [
        (1, version(5, 1)),
        (4, version(1 << 40, 4)),
    ]


def test_without_the_column_all_rows_order_before_any_that_has_one(tmp_path: Path) -> None:
    batch, reader = read(tmp_path, TABLE, at=[MOMENT, None])
    assert reader.unordered and not batch.rejects
    assert batch.rows["_at"].to_pylist() == [version(0, 1), version(0, 2)]


@pytest.mark.parametrize(
    ("order", "values", "bad"),
    [
        ("seq_num", pa.array([1, None, 0, -1]), [2, 3, 4]),
        ("seq_num", pa.array(["1", "", "x", "0", "-1", "7"]), [2, 3, 4, 5]),
        ("seq_num", pa.array([1.0, math.nan, 0.5]), [2, 3]),
        ("seq_num", pa.nulls(2), [1, 2]),
        ("at", pa.array([MOMENT, None, 0], pa.timestamp("us", "UTC")), [2, 3]),
        ("at", pa.array([MICROS, 0, -5]), [2, 3]),
        ("at", pa.array([WRITTEN, "", "soon", "1969-12-31T00:00:00Z"]), [2, 3, 4]),
        ("at", pa.array(["soon", WRITTEN]).dictionary_encode(), [1]),
        ("part", pa.array([0, 1, None]), [1, 3]),
    ],
)
def test_a_row_that_cannot_be_ordered_is_bad(tmp_path: Path, order: str, values: Any, bad: list[int]) -> None:
    """Also where the ordering column is part of the key: the row's own key can be read."""
    table = replace(TABLE, order=order, key=(*TABLE.key, "part") if order == "part" else TABLE.key)
    batch, reader = read(tmp_path, table, **{order: values})
    assert not reader.unordered
    assert [(one.record, one.reason_class) for one in batch.rejects] == [(n, "no_order") for n in bad]
    assert (batch.rows.num_rows, batch.keyless) == (len(values) - len(bad), 0)
    assert all(one.reason.startswith(f"Column {order} is blank, 0 ") for one in batch.rejects)
