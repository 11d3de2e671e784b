"""What of a file could not be merged, kept with its original bytes.

Owns the rows of ``sync_reject`` that a file leaves: unreadable rows, keys of another organization, keys that stood
twice. Loading the same file again, or the next night's with the same row, keeps each of them once.
"""

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from promptsync.formats.buffers import Ints
from promptsync.formats.csv.dialect import opened
from promptsync.formats.csv.header import known_names
from promptsync.formats.csv.records import blocks, split
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow
from promptsync.formats.stream import RawStream
from promptsync.store import ledger
from promptsync.store.compare import Difference, Staged
from promptsync.store.mirror import Mirror

_MOST = 10_000
_CHUNK = 500


def keep_rejects(
    mirror: Mirror, path: Path, file_id: int, staged: Staged, found: tuple[list[BadRow], Difference], now: str
) -> None:
    """Write them down, the first 10,000 of each kind; bad rows as long as their bytes were kept."""
    bad, difference = found
    rows = [_row(one.reason_class, one.line, one.reason, one.original) for one in bad[:_MOST] if one.original]
    table = staged.layout.table.name
    doubtful = [
        (n, "org_collision", f"{table} {', '.join(map(str, key))} belongs to another organization than {staged.org}")
        for n, key in difference.foreign[:_MOST]
    ]
    doubtful += [
        (n, "duplicate_key", f"{table} {', '.join(map(str, key))} stands in the file more than once")
        for n, key in difference.folded[:_MOST]
    ]
    if doubtful:
        originals = _originals(path, known_names(staged.layout.table), np.array(sorted({n for n, _, _ in doubtful})))
        rows += [_row(kind, originals[n][0], why, originals[n][1]) for n, kind, why in doubtful if n in originals]
    _keep_all(mirror, rows, {"table": table, "file_id": file_id, "rejected_at": now})


def keep_bad_rows(mirror: Mirror, table: str, file_id: int, bad: list[BadRow], now: str) -> None:
    """Write down the first 10,000 rows of a change set that could not be read."""
    rows = [_row(one.reason_class, one.line, one.reason, one.original) for one in bad[:_MOST]]
    _keep_all(mirror, rows, {"table": table, "file_id": file_id, "rejected_at": now})


def _keep_all(mirror: Mirror, rows: list[dict[str, Any]], common: dict[str, Any]) -> None:
    """The same row of the same table, file after file, is one reject, which names the newest file that has it."""
    known: dict[tuple[str, str, bytes], list[tuple[int, bool]]] = defaultdict(list)
    with mirror.reading() as connection:
        for number, kind, reason, original, newer in ledger.rejects_like(connection, common["file_id"]):
            known[kind, reason, _digest(original)].append((number, newer))
    there = [known[row["class"], row["reason"], _digest(row["original"])] for row in rows]
    kept = [(same.pop(0) if same else None, row) for same, row in zip(there, rows, strict=True)]
    for start in range(0, len(kept), _CHUNK):
        mirror.writer.run(lambda connection, some=kept[start : start + _CHUNK]: _keep(connection, some, common))  # type: ignore[misc]


def _originals(path: Path, names: Collection[str], numbers: Ints) -> dict[int, tuple[int, bytes]]:
    """Line and bytes of records of a proven file, by their number (the header is record 0). ``names``: of its table."""
    limits, found, first = Limits(), {}, 0
    pieces, dialect = opened(RawStream(path, limits), names)
    for block in blocks(pieces, limits.max_record, limits.block, dialect.delimiter, dialect.line, keep_cut=True):
        records = split(block, dialect.delimiter)
        here = numbers[(numbers >= first) & (numbers < first + len(records))]
        for number, line in zip(here.tolist(), records.lines(here - first).tolist(), strict=True):
            found[number] = line, records.original(number - first)
        first += len(records)
    return found


def _keep(
    connection: sqlite3.Connection,
    rows: list[tuple[tuple[int, bool] | None, dict[str, Any]]],
    common: dict[str, Any],
) -> None:
    for same, row in rows:
        if same is None:
            ledger.insert(connection, "sync_reject", row | common)
        elif not same[1]:
            ledger.update(connection, "sync_reject", same[0], {"line": row["line"], **common})


def _digest(original: bytes) -> bytes:
    return hashlib.blake2b(original, digest_size=16).digest()


def _row(kind: str, line: int, reason: str, original: bytes) -> dict[str, Any]:
    return {"class": kind, "line": line, "reason": reason, "original": original}
