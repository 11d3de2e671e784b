"""Delta tables as they are read and added to: each commit onto the very version that was read.

Owns the two commits that promptsync makes to any table, made so that whoever has committed since refuses them, and what
becomes of the file of a refused one. An erasure counts on that: it deletes every file of a table that does not count
once it has committed, and a commit that was under way must not count on one of them.
"""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, create_table_with_add_actions

from promptsync.errors import PromptsyncError, Unavailable
from promptsync.lake import parquet
from promptsync.lake.storage import TABLES, Storage

NO_STATISTICS: Final = {"delta.dataSkippingNumIndexedCols": "0"}
"""Of a table of whose rows nothing is to stand in Delta's log, whoever writes it."""
ONCE: Final = CommitProperties(max_commit_retries=0)
"""Of a commit that anybody else's refuses."""
_ATTEMPTS: Final = 50
_PAUSE: Final = 0.02


class Refused(PromptsyncError):
    """A commit was not made, since something has changed that it was made for."""

    retryable = True


class Overtaken(Refused):
    """Another run has committed to the table since it was read."""


class ListChanged(Refused):
    """Somebody was forgotten, or let back in, since the list was read."""


Check = Callable[[], None]
"""Asked just before a commit. Raises Refused if it must not be made."""


def opened(storage: Storage, name: str) -> DeltaTable | None:
    """The newest version of a table; None if there is none yet."""
    with translated(name):
        try:
            return DeltaTable(storage.table_url(name), storage_options=storage.options)
        except TableNotFoundError:
            return None


def rows_of(table: DeltaTable, name: str) -> list[dict[str, Any]]:
    """All rows of a small one."""
    with translated(name):
        found: list[dict[str, Any]] = table.to_pyarrow_table().to_pylist()
        return found


def schema_of(table: DeltaTable) -> pa.Schema:
    """Its columns."""
    found: Any = table.schema().to_arrow()
    return pa.schema(found)


def counting(table: DeltaTable) -> set[str]:
    """The files that count, below the table's folder."""
    return {str(one["path"]) for one in pa.table(table.get_add_actions(flatten=True)).to_pylist()}


def create(storage: Storage, name: str, schema: DeltaSchema, **stated: Any) -> DeltaTable:
    """A table without rows. Raises Overtaken if there is one by now, for which Delta has no error of its own."""
    url, options = storage.table_url(name), storage.options
    with translated(name):
        try:
            create_table_with_add_actions(url, schema, [], "error", storage_options=options, **stated)
        except DeltaError:
            if DeltaTable.is_deltatable(url, options):
                raise Overtaken(f"Another run has made {name} meanwhile; run it again.") from None
            raise
        return DeltaTable(url, storage_options=options)


def append(storage: Storage, name: str, rows: pa.Table, check: Check = lambda: None) -> None:
    """More rows of a table, which is made if it is not there. Raises Unavailable, and what ``check`` does."""
    schema, content = DeltaSchema.from_arrow(rows.schema), parquet.content_of(rows)
    for attempt in range(1, _ATTEMPTS + 1):
        key = f"{uuid4().hex}.parquet"
        try:
            onto = opened(storage, name) or create(storage, name, schema, configuration=dict(NO_STATISTICS))
            storage.put(f"{TABLES}/{name}/{key}", content)
            add = AddAction(key, len(content), {}, now(), True, json.dumps({"numRecords": rows.num_rows}))
            commit(onto, name, [add], check)
        except Overtaken:
            take_back(storage, name, [key])
            if attempt == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0, _PAUSE * attempt))  # noqa: S311  so that two do not meet again
        except Refused:
            take_back(storage, name, [key])
            raise
        else:
            return


def commit(onto: DeltaTable, name: str, actions: Sequence[AddAction | RemoveAction], check: Check) -> None:
    """Add and remove files. Raises Overtaken if anybody has committed since the table was read."""
    check()
    with translated(name):
        parts = onto.metadata().partition_columns
        onto.create_write_transaction([*actions], "append", onto.schema(), parts, commit_properties=ONCE)


def replace(storage: Storage, onto: DeltaTable, name: str, rows: pa.Table | None) -> None:
    """These rows instead of all that a table has; None: a commit that changes nothing. Raises Overtaken."""
    made, actions = list[str](), list[AddAction | RemoveAction]()
    if rows is not None:
        actions += [RemoveAction(path, True, now(), None, {}) for path in sorted(counting(onto))]
    if rows is not None and rows.num_rows:
        content = parquet.content_of(rows)
        made.append(f"{uuid4().hex}.parquet")
        storage.put(f"{TABLES}/{name}/{made[0]}", content)
        actions.append(AddAction(made[0], len(content), {}, now(), True, json.dumps({"numRecords": rows.num_rows})))
    try:
        commit(onto, name, actions, lambda: None)
    except Overtaken:
        take_back(storage, name, made)
        raise


def take_back(storage: Storage, name: str, made: Iterable[str]) -> None:
    """Delete the files of a commit that was refused. One that counts all the same was not: the answer to the first try
    was lost."""
    present = opened(storage, name)
    with translated(name):
        count = counting(present) if present else set()
    storage.delete({f"{TABLES}/{name}/{key}" for key in made if key not in count})


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@contextmanager
def translated(table: str) -> Iterator[None]:
    """Delta's errors, by their type: their texts quote requests and answers."""
    try:
        yield
    except CommitFailedError:
        raise Overtaken(f"Another run has changed {table} meanwhile; run it again.") from None
    except DeltaError as error:
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
    except OSError as error:
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
