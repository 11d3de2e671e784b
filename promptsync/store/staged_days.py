"""Counting the rows of a table's first load by day, batch by batch while they are staged.

Owns the same numbers as day_count.py, made by Arrow in a tenth of the time, and their table in the staging file.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.clock import parse_iso
from promptsync.merge.sql import names, quote
from promptsync.model import DayCount
from promptsync.store import day_count
from promptsync.store.day_count import Offset, key_of

_COMPACT = 100_000
"""Rows of parts from which on they are summed up."""
_BEGINNING = -(2**62)


class StagedDays:
    """Counts the rows of a first load batch by batch, without SQL: a tenth of the time."""

    def __init__(self, count: DayCount, org: int, zone: Sequence[Offset]) -> None:
        self._count, self._org = count, org
        self._starts = [parse_iso(starts) // 1000 if starts else _BEGINNING for starts, _ in zone]
        self._shifts = [int(shift.partition(" ")[0]) * 1000 for _, shift in zone]
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Count a batch: the columns of the table that it has, times as the mirror writes them."""
        count, length = self._count, rows.num_rows

        def cells(name: str) -> Any:
            have = name in rows.schema.names
            return rows.column(name) if have else pa.nulls(length, pa.string() if name == count.at else pa.int64())

        total = cells(count.total)
        sums = pa.repeat(1, length), pc.fill_null(total, 0), pc.is_null(total).cast(pa.int64())
        columns = {"day": self._days(cells(count.at))} | dict(zip(count.sums, sums, strict=True))
        columns |= {flag: pc.fill_null(cells(flag), day_count.UNKNOWN) for flag in count.by}
        self._parts.append(self._summed(pa.table(columns)))
        self._rows += self._parts[-1].num_rows
        if len(self._parts) > 1 and self._rows > _COMPACT:
            self._parts = [self._summed(pa.concat_tables(self._parts))]
            self._rows = 0

    def write(self, cursor: Any) -> None:
        """Write the numbers into a table of the staging file. ``cursor``: of its connection."""
        count = self._count
        columns = (*key_of(count), *count.sums)
        cursor.execute(f"CREATE TABLE {quote(count.into)} ({names(columns)})")
        if not self._parts:
            return
        found = self._summed(pa.concat_tables(self._parts))
        found = found.filter(pc.is_valid(found.column("day")))
        days = pc.strftime(found.column("day"), "%Y-%m-%d")
        org = pa.chunked_array([pa.repeat(self._org, found.num_rows)])
        found = found.set_column(0, "day", days).add_column(1, "org_id", org)
        cursor.adbc_ingest(count.into, found, mode="append")

    def _summed(self, table: pa.Table) -> pa.Table:
        by, sums = ["day", *self._count.by], list(self._count.sums)
        found = table.group_by(by, use_threads=False).aggregate([(name, "sum") for name in sums])
        return found.select([*by, *(f"{name}_sum" for name in sums)]).rename_columns([*by, *sums])

    def _days(self, times: Any) -> Any:
        """The local date of each time."""
        at = times.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())
        earliest, latest = (end.as_py() for end in pc.min_max(at).values())
        if earliest is None:
            return pa.nulls(len(times), pa.date32())
        first, last = (bisect_right(self._starts, end) - 1 for end in (earliest, latest))
        shift: Any = pa.scalar(self._shifts[first])
        for n in range(first + 1, last + 1):
            shift = pc.if_else(pc.greater_equal(at, pa.scalar(self._starts[n])), pa.scalar(self._shifts[n]), shift)
        return pc.add(at, shift).cast(pa.timestamp("ms")).cast(pa.date32(), safe=False)
