"""What of a table's rows is too old to be written, as ``[retention]`` says: a rule of its columns.

Owns taking it out of batches and of files that were just made. Pure apart from these files; up to when each kind has
been swept, and the sweeping, are in keeping.py. Goes to the machines of a cluster, so it knows no library of Delta.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.lake import parquet
from promptsync.model import Kept, Table
from promptsync.store.staging import blanked

if TYPE_CHECKING:
    from promptsync.lake.engine import ClaimFile


@dataclass(frozen=True, slots=True)
class Keeping:
    """``before``: by what the configuration calls it, what is older than then (ISO) is kept no more."""

    before: Mapping[str, str] = field(default_factory=dict)

    def _of(self, table: Table) -> tuple[Kept, str] | None:
        kept = table.keeping
        return (kept, self.before[kept.key]) if kept is not None and kept.key in self.before else None

    def stay(self, table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that stay, with the texts that do."""
        if (found := self._of(table)) is None or found[0].at not in batch.schema.names:
            return batch
        if found[0].texts:
            return blanked(*found, batch)
        return batch.filter(pc.invert(_old(batch, *found)))

    def count(self, table: Table, file: "ClaimFile") -> int:
        """How many rows of a file go, or lose a text."""
        return self._count(table, file.path, file.columns)

    def _count(self, table: Table, path: parquet.Source, columns: Sequence[str]) -> int:
        if (found := self._of(table)) is None or found[0].at not in columns:
            return 0
        texts, count = [name for name in found[0].texts if name in columns], 0
        for batch in parquet.read_batches(path, [found[0].at, *texts]):
            old: Any = _old(batch, *found)
            if found[0].texts:
                said = [pc.is_valid(batch.column(name)) for name in texts]
                anything: Any = pa.array([False] * batch.num_rows) if not said else said[0]
                for one in said[1:]:
                    anything = pc.or_(anything, one)
                old = pc.and_(old, anything)
            count += pc.sum(old).as_py() or 0
        return count

    def apply(self, table: Table, made: Path) -> None:
        """Take what is too old out of files that were just folded."""
        if self._of(table) is None:
            return
        for path in sorted(made.rglob("*.parquet")):
            if not self._count(table, path, parquet.shape_of(path)[0]):
                continue
            left = path.with_suffix(".left")
            with parquet.PartWriter(left) as writer:
                for batch in parquet.read_batches(path):
                    if (some := self.stay(table, batch)).num_rows:
                        writer.write(some)
            path.unlink()
            if writer.columns:
                left.rename(path)


def _old(batch: pa.RecordBatch, kept: Kept, before: str) -> Any:
    return pc.fill_null(pc.less(batch.column(kept.at), pa.scalar(before)), pa.scalar(False))
