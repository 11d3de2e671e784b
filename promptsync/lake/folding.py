"""Claims into a lake's tables, committed table by table.

Owns the course of that. What ends rows (snapshots, full lists) is written down first, then the tables: whoever commits
after us folds with all ends there are. Of two at once the second to commit a table is refused, and folds anew onto what
the first has made of it. Knows nothing of where claims come from.
"""

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from promptsync.clock import iso_millis
from promptsync.lake import parquet
from promptsync.lake.decode import FULL_LIST_TABLE
from promptsync.lake.delta import Overtaken
from promptsync.lake.engine import ClaimFile, Engine, FoldWork
from promptsync.lake.lake import Lake
from promptsync.lake.ledger import Snapshot
from promptsync.lake.parts import organizations
from promptsync.lake.shape import ORG, shelf_of
from promptsync.lake.tables import Touched
from promptsync.model import Table
from promptsync.store.slices import Progress

_ATTEMPTS: Final = 10


@dataclass
class Claimed:
    """What is claimed: ``ended`` by snapshots that were not applied before; ``parts``: files of claims by table;
    ``lists``: of full lists."""

    ended: tuple[Snapshot, ...] = ()
    parts: dict[str, list[ClaimFile]] = field(default_factory=dict)
    lists: list[ClaimFile] = field(default_factory=list)

    def take(self, parts: Iterable[tuple[str, ClaimFile]]) -> None:
        """More files of claims."""
        for table, file in parts:
            (self.lists if table == FULL_LIST_TABLE else self.parts.setdefault(table, [])).append(file)


class Folding:
    """Folds claims into one lake. ``scratch``: a folder for files in between."""

    def __init__(self, lake: Lake, engine: Engine, scratch: Path, progress: Progress) -> None:
        self._lake, self._engine, self._scratch, self._progress = lake, engine, scratch, progress

    def commit(self, claims: Claimed, only: str | None = None) -> dict[str, int]:
        """What ends rows first, then the tables, or ``only`` one of them. Returns how many rows the touched files of
        each table have now. Raises Unavailable, and Overtaken if others commit without end."""
        ledger, schema = self._lake.ledger, self._lake.schema
        ledger.add_snapshots(claims.ended)
        for file in claims.lists:
            ledger.append(FULL_LIST_TABLE, parquet.read(file.path))
        touched = {name: self._touched(name, files) for name, files in claims.parts.items()}
        for link in schema if claims.lists else ():
            if link.full_list:
                touched[link.name] = self._touched(link.name, [*claims.parts.get(link.name, ()), *claims.lists])
        for stamp in claims.ended:
            bucket = self._lake.bucket_of(schema[stamp.table], stamp.org)
            whole = touched.setdefault(stamp.table, Touched())
            whole.buckets.add(bucket)
            whole.whole.add(bucket)
        names, rows = [name for name in sorted(touched) if only in (None, name)], dict[str, int]()
        fold = lambda name: self._fold(schema[name], claims.parts.get(name, []), touched[name])  # noqa: E731
        with ExitStack() as threads:
            several = self._engine.at_once > 1
            made = threads.enter_context(ThreadPoolExecutor(self._engine.at_once)).map if several else map
            found = made(fold, names)
            for number in range(len(names)):
                self._progress("folding tables", number, len(names))
                rows |= next(found)
        return rows

    def _touched(self, name: str, files: Sequence[ClaimFile]) -> Touched:
        """Whose rows claims, or full lists, are about, and which."""
        table = self._lake.schema[name]
        buckets = {self._lake.bucket_of(table, org) for file in files for org in organizations(file) or {0}}
        keys: set[Any] = set().union(*(parquet.values_in(file.path, shelf_of(table)) for file in files))
        return Touched(buckets, buckets if None in keys else set(), sorted(keys - {None}))

    def _fold(self, table: Table, parts: Sequence[ClaimFile], touched: Touched) -> dict[str, int]:
        """Fold the claims with what is there, until a commit is taken."""
        tables = self._lake.tables
        for attempt in range(1, _ATTEMPTS + 1):
            scratch = self._scratch / uuid4().hex
            present = tables.present(table)
            wider = present is not None and tables.widens(table, present, parts)
            was = present.of(touched.buckets if wider else touched) if present else ()
            files = [*(tables.stored(present, was) if present else ()), *parts]
            if not files:
                return {}
            ends, keeping = self._ends(table), self._lake.keeping
            work = FoldWork(table, files, ends, self._lake.buckets, scratch / "made", keeping)
            made = self._engine.fold(work)
            try:
                return {table.name: tables.commit(table, present, was, made)}
            except Overtaken:
                if attempt == _ATTEMPTS:
                    raise
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        raise AssertionError

    def _ends(self, table: Table) -> pa.Table | None:
        """What ends the rows of a table, as it is known now."""
        if table.full_list:
            rows = self._lake.ledger.rows(FULL_LIST_TABLE)
            ends = [row for row in rows if row["list"] == table.full_list]
        elif table.exported:
            known = [one for one in self._lake.ledger.snapshots() if one.table == table.name]
            ends = [{ORG: s.org, "instant": s.instant, "iso": iso_millis(s.instant)} for s in known]
        else:
            return None
        return pa.Table.from_pylist(ends) if ends else None
