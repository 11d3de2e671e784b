"""The list of people whom a lake has forgotten: keyed hashes in a Delta table that is only ever added to.

Owns ``sync_erased``, a row for each hash, and for each erasure one when it began, one when it ended and one if it was
undone; and the key beside the tables, ``erased.key``, without which nobody can make or test a hash. What is hashed, and
how, is as in a mirror (store/erased.py), so that a list can go from one to the other. It must not change between the
decoding of something and its commit, or an erasure that happens meanwhile would be undone: whoever commits asks for
that (``check``), after the table was read onto which it is committed; whoever erases adds to the list first, and then
commits to every table.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from promptsync.clock import iso_millis
from promptsync.errors import ConfigError
from promptsync.lake import delta
from promptsync.lake.storage import Storage
from promptsync.model import Schema
from promptsync.store.erased import KEY_BYTES, ErasedList, Secret

TABLE: Final = "sync_erased"
KEY_FILE: Final = "erased.key"
_TYPES: Final[dict[str, pa.DataType]] = {
    **dict.fromkeys(("what", "at", "why", "tables", "kind"), pa.string()),
    **dict.fromkeys(("erasure_id", "rows", "files"), pa.int64()),
    "hash": pa.binary(),
}
_SCHEMA: Final = pa.schema(_TYPES)
_BEGUN, _HASH, _FINISHED, _UNDONE = "begun", "identifier", "finished", "undone"


@dataclass(frozen=True)
class Listed:
    """The list at one ``version``, -1 if there is none. ``kept``: erasure, kind and hash of everyone who is on it;
    ``erasures``: oldest first, as those of a mirror."""

    schema: Schema
    version: int = -1
    kept: tuple[tuple[int, str, bytes], ...] = ()
    erasures: tuple[dict[str, Any], ...] = ()
    secret: Secret | None = None
    forgotten: ErasedList = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forgotten", ErasedList({one[1:] for one in self.kept}, self.secret))


class ErasedPeople:
    """The list of one lake."""

    def __init__(self, storage: Storage, schema: Schema) -> None:
        self._storage, self._schema = storage, schema

    def read(self) -> Listed:
        """As it is now. Raises ConfigError if people are on it and its key is not there."""
        found = delta.opened(self._storage, TABLE)
        if found is None:
            return Listed(self._schema)
        rows = delta.rows_of(found, TABLE)
        erasures = _erasures(rows)
        undone = {one["id"] for one in erasures if one["undone_at"]}
        hashes = {(r["erasure_id"], r["kind"], r["hash"]) for r in rows if r["what"] == _HASH}
        kept = sorted(one for one in hashes if one[0] not in undone)
        secret = self.key()
        probes = {r["hash"] for r in rows if r["what"] == _BEGUN and r["hash"]}
        if kept and (secret is None or bytes.fromhex(secret.probe()) not in probes):
            what = "is another key" if secret else "is not there or cannot be read"
            raise ConfigError(
                f"{KEY_FILE} at {self._storage.name} {what}, so that people who were erased would come back: put the "
                "right one there again."
            )
        return Listed(self._schema, found.version(), tuple(kept), tuple(erasures), secret)

    def check(self, listed: Listed) -> None:
        """Raises ListChanged if the list has changed."""
        found = delta.opened(self._storage, TABLE)
        if (found.version() if found else -1) != listed.version:
            raise delta.ListChanged("People were forgotten meanwhile; run it again.")

    def key(self) -> Secret | None:
        """The key; None if there is none that can be used."""
        content = self._storage.read(KEY_FILE)
        try:
            key = bytes.fromhex((content or b"").decode("ascii").strip())
        except ValueError:
            return None
        return Secret(key) if len(key) == KEY_BYTES else None

    def make_key(self, key: bytes | None = None) -> Secret:
        """The key, made if there is none yet: this one, or any."""
        self._storage.write_once(KEY_FILE, f"{(key or secrets.token_bytes(KEY_BYTES)).hex()}\n".encode())
        found = self.key()
        if found is None:
            raise ConfigError(f"{KEY_FILE} at {self._storage.name} is no key; put the right one there.")
        return found

    def begin(self, number: int, at: int, why: str, people: Iterable[tuple[str, str]]) -> None:
        """Put an erasure and its people on the list. ``people``: kind and value; ``at``: microseconds."""
        secret, said = self.make_key(), {"begun_at": iso_millis(at), "why": why}
        hashes = [(kind, secret.hash(kind, value)) for kind, value in people]
        self.take(rows_of_erasure(number, said, hashes, secret))

    def finish(self, number: int, at: int, tables: Mapping[str, int], files: int) -> None:
        """That everything of it is removed. ``tables``: rows by table."""
        said = json.dumps(dict(sorted(tables.items())))
        self._add(number, at, [{"what": _FINISHED, "rows": sum(tables.values()), "tables": said, "files": files}])

    def undo(self, number: int, at: int) -> None:
        """That its people are let back in."""
        self._add(number, at, [{"what": _UNDONE}])

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows of another list that was made with the same key."""
        delta.append(self._storage, TABLE, pa.Table.from_pylist([dict(row) for row in rows], _SCHEMA))

    def _add(self, number: int, at: int, rows: Iterable[Mapping[str, Any]]) -> None:
        self.take({"erasure_id": number, "at": iso_millis(at), **row} for row in rows)


def rows_of_erasure(
    number: int, said: Mapping[str, Any], hashes: Iterable[tuple[str, bytes]], secret: Secret
) -> Iterator[dict[str, Any]]:
    """What the list says of an erasure. ``said``: as a mirror has it; ``hashes``: by kind; ``secret``: what they are
    made with, which is told from others by its probe."""
    row = {"erasure_id": number, "at": said["begun_at"]}
    yield row | {"what": _BEGUN, "why": said["why"], "hash": bytes.fromhex(secret.probe())}
    yield from (row | {"what": _HASH, "kind": kind, "hash": one} for kind, one in hashes)
    if said.get("finished_at"):
        counts = {name: said[name] for name in ("rows", "tables", "files")}
        yield row | {"at": said["finished_at"], "what": _FINISHED, **counts}


def _erasures(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the list says of each erasure. What is said twice of one counts as it was said first."""
    found: dict[int, dict[str, Any]] = {}
    of = {_BEGUN: "begun_at", _FINISHED: "finished_at", _UNDONE: "undone_at"}
    for row in sorted((row for row in rows if row["what"] in of), key=lambda row: str(row["at"])):
        empty = {"begun_at": row["at"], "finished_at": None, "undone_at": None, "why": "", "rows": 0, "tables": {}}
        one = found.setdefault(row["erasure_id"], {"id": row["erasure_id"], **empty, "files": 0})
        if row["what"] == _BEGUN:
            one |= {"why": row["why"], "begun_at": row["at"]}
        elif one[of[row["what"]]] is None:
            one[of[row["what"]]] = row["at"]
            if row["what"] == _FINISHED:
                one |= {"rows": row["rows"], "tables": json.loads(row["tables"]), "files": row["files"]}
    return [found[number] for number in sorted(found)]
