"""Filling the staging file with the rows of a snapshot file, and what is known of it then.

Owns the step from batches to a complete staged snapshot. Whether it may be believed is not decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from promptsync.events.suppression import Suppression
from promptsync.formats.ahead import ahead
from promptsync.formats.buffers import Ints
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.rejects import BadRow
from promptsync.merge.block_index import BlockCount
from promptsync.merge.layout import Layout
from promptsync.model import Table
from promptsync.model.file_name import FileName
from promptsync.store.columns import spelling
from promptsync.store.compare import Staged
from promptsync.store.initial_load import InitialStaging
from promptsync.store.staging import Staging, give_back


@dataclass(frozen=True, slots=True)
class Filled:
    """A staging file with all rows that could be read. ``columns``: of a batch, as the mirror spells them; ``lacks``:
    declared ones that the file has not; ``bad``: the other rows; ``ahead``: how many are dated hours after the file;
    ``suppressed``: how many were left out, bad ones too, as they are about people who were erased. ``doubtful``:
    whether any row of all could not be read."""

    layout: Layout
    staging: Staging
    columns: tuple[str, ...]
    lacks: tuple[str, ...]
    bad: list[BadRow]
    ahead: int
    suppressed: int
    doubtful: bool

    def staged(self, name: FileName, counting: BlockCount | None, *, known: bool = False) -> Staged:
        """The snapshot that the merge takes. ``known``: only the blocks that ``counting`` does not skip were read."""
        staging, layout, bad = self.staging, self.layout, self.bad
        index = counting.index() if counting and staging.ascending else None
        return Staged(
            path=staging.path,
            file_id=0,
            layout=layout,
            org=name.org_id or 0,
            at=name.at,
            present=frozenset(layout.values) & frozenset(self.columns),
            lacks=(*self.lacks, *(column for column in layout.extra if column not in self.columns)),
            rows=staging.rows + self.suppressed + (counting.skipped if counting and known else 0),
            suppressed=self.suppressed,
            last_number=staging.last_number,
            ascending=staging.ascending,
            spared=tuple({row.key for row in bad if row.key and row.reason_class != "org_collision"}),
            disowned=tuple({row.key for row in bad if row.key and row.reason_class == "org_collision"}),
            gaps=tuple(counting.gaps()) if counting and known else None,
            initial=isinstance(staging, InitialStaging),
            # a row dated too late is observed anew each night, and a bad one is bad anew: their blocks are not known
            blocks=index if not self.doubtful and not self.ahead else None,
        )


@dataclass(frozen=True, slots=True)
class Filler:
    """How batches get there. ``rows``: what each goes through first; ``suppression``: what it goes through then;
    ``progress``: gets the rows so far; ``large``: whether it is worth reading them on a thread of its own."""

    rows: Callable[[str, pa.RecordBatch], pa.RecordBatch]
    suppression: Suppression
    progress: Callable[[int], None]
    large: bool = True

    def fill(
        self, reader: SnapshotReader, layout: Layout, staging: Staging, count: Callable[[Ints], None] | None
    ) -> Filled:
        """Stage every row that can be read and may be kept; ``count`` gets the keys of all as long as these only
        grow."""
        table, bad = layout.table.name, list[BadRow]()
        suppressed, doubtful = 0, False
        spelled = spelling(layout, reader.unknown)
        columns = tuple(spelled.get(column, column) for column in reader.schema.names)
        with staging:
            staging.create(pa.schema([f.with_name(name) for f, name in zip(reader.schema, columns, strict=True)]))
            for batch in ahead(reader, worth=self.large):
                rows = batch.rows.rename_columns(list(columns))
                rows = self.rows(table, rows)
                allowed, shown = self.suppression.rows(table, rows), self.suppression.bad_rows(table, batch.rejects)
                suppressed += rows.num_rows - allowed.num_rows + len(batch.rejects) - len(shown)
                doubtful = doubtful or bool(batch.rejects)
                staging.add(allowed)
                if count and staging.ascending:
                    count(batch.rows.column(layout.key[0]).to_numpy())
                bad += shown
                self.progress(staging.rows)
        give_back(staging.rows)  # the merge has caches of its own
        return Filled(layout, staging, columns, lacks_of(layout.table, reader), bad, reader.ahead, suppressed, doubtful)


def lacks_of(table: Table, reader: SnapshotReader) -> tuple[str, ...]:
    """Declared columns that the file does not have, those derived from such a column included."""
    return (*reader.lacks, *(column.name for column in table.columns if column.blank_of in reader.lacks))
