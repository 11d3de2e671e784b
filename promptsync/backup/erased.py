"""The list of the erased beside the backups, so that a restored mirror forgets whom the lost one had forgotten.

Owns the file ``erased.jsonl.zst.age`` at the destination: the key by which people are recognised, the erasures, and the
list of keyed hashes, whole and for the encryption alone readable by whoever can read the backups. It is stored with
every backup, and within the minute when the list has changed: a backup from before an erasure still holds that person.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from promptsync.backup.destination import Destination, workspace
from promptsync.backup.keys import Sealing
from promptsync.backup.names import ERASED
from promptsync.backup.seal import Key, Sealed, seal, unseal
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, InputRefused, PromptsyncError
from promptsync.people.forgotten import erase_again
from promptsync.store import erased
from promptsync.store.connect import open_reader
from promptsync.store.marks import put_facts, read_facts
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_SHIPPED: Final = "backup_erased"


def seal_list(database: Path, folder: Path, whom: Sealing) -> tuple[Sealed, str] | None:
    """The list of a mirror as a file in ``folder``, and its state; None if nobody was erased, or its key is lost."""
    connection = open_reader(database)
    try:
        state, key = erased.list_state(connection), erased.read_key(database)
        if not state or key is None:
            return None
        return seal(_lines(key.key, erased.listing(connection)), folder / ERASED, whom.recipients), state
    finally:
        connection.close()


def _lines(key: bytes, listing: dict[str, list[dict[str, Any]]]) -> Iterator[bytes]:
    yield json.dumps({"key": key.hex()}).encode() + b"\n"
    for table, rows in listing.items():
        for row in rows:
            yield json.dumps({table: row}).encode() + b"\n"


def ship_list(mirror: Mirror, destination: Destination, whom: Sealing) -> bool:
    """Store the list, if it has changed since it was stored; whether it was."""
    with mirror.reading() as connection:
        mark, state = read_facts(connection, _SHIPPED), erased.list_state(connection)
    if state == (mark or {}).get("state", ""):
        return False
    with workspace(mirror.path) as folder:
        sealed = seal_list(mirror.path, folder, whom)
        if sealed is None:
            return False
        destination.put([(ERASED, sealed[0].path)], "erased.")
    mirror.writer.run(lambda connection: put_facts(connection, _SHIPPED, {"state": sealed[1]}), Lane.IDLE)
    return True


def list_is_shipped(mirror: Mirror) -> bool:
    """Whether the list at the destination is that of the mirror, as far as is known here."""
    with mirror.reading() as connection:
        mark, state = read_facts(connection, _SHIPPED), erased.list_state(connection)
    return bool(state == (mark or {}).get("state", ""))


class RestoredList:
    """The list that a restored mirror goes on with: of the mirror in the way, which has the newest, else the one beside
    the backups. ``trouble``: a sentence, if there is one and it cannot be used."""

    def __init__(self, old: Path, sealed: Path | None, folder: Path, keys: Sequence[Key]) -> None:
        self.trouble: str | None = None
        self._key: bytes | None = None
        self._listing: dict[str, list[dict[str, Any]]] = {}
        if not self._of_mirror(old) and sealed is not None:
            try:
                unseal(sealed, folder / "erased.jsonl", keys)
                self._read(folder / "erased.jsonl")
            except (ConfigError, InputRefused, ValueError) as error:
                self.trouble = f"The list of erased people beside the backups cannot be read ({error})"

    def _of_mirror(self, database: Path) -> bool:
        key = erased.read_key(database)
        if key is None or not database.exists():
            return False
        try:
            connection = open_reader(database)
        except PromptsyncError:
            return False  # damaged, which may be why another one is restored
        try:
            self._listing, self._key = erased.listing(connection), key.key
        except PromptsyncError:
            return False
        finally:
            connection.close()
        return True

    def _read(self, path: Path) -> None:
        for text in path.read_bytes().splitlines():
            ((kind, value),) = json.loads(text).items()
            if kind == "key":
                self._key = bytes.fromhex(value)
            else:
                self._listing.setdefault(kind, []).append(value)

    def lay_key(self, copy: Path) -> None:
        """Put the key beside the copy, before that is opened."""
        if self._key is not None:
            erased.write_key(copy, self._key)

    def keep_away(self, engine: Engine) -> None:
        """Let the copy have this list, so that nothing about these people comes in with what is merged now."""
        if (key := self._key) is not None:
            engine.mirror.writer.run(lambda connection: erased.replace_list(connection, self._listing, key))
            engine.mirror.writer.run(engine.mirror.adopt_forgotten)

    def erase(self, engine: Engine) -> int:
        """Erase once more whom the copy still holds; returns how many identifiers that were."""
        try:
            return int(erase_again(engine)["people"])
        except erased.KeyLost as error:
            self.trouble = str(error)
            return 0
