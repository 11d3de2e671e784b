"""The list of erased people (``sync_erased``), the key beside the mirror that it is made with, and the count of what
was left out since.

Owns these rows, the file ``erased.key`` and the marks ``erased_key`` (which key the list was made with) and
``suppressed`` in ``sync_state``. Of each identifier the mirror keeps sixteen bytes that nobody can make or test without
the key, which is never in it, and two tags of 32 bits masked under the same key, for the sieve (forgotten.py): the high
bits of an odd secret number times the identifier, taken as a 64-bit word. A whole number is its own word; that of a
text is made of its first and last eight bytes, that of a number or address of its last eight digits if it ends in so
many. Whose identifiers they are is decided elsewhere. Statements run inside the caller's transaction; what changes the
list is adopted by ``Mirror.adopt_forgotten`` once it has committed.
"""

import hashlib
import hmac
import os
import secrets
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.errors import MirrorFull, PromptsyncError
from promptsync.merge.sql import names, quote
from promptsync.store import marks
from promptsync.store.reading import as_dicts
from promptsync.whole_file import write_whole

KEY_FILE: Final = "erased.key"
KEY_BYTES: Final = 32
ADDRESS: Final = "address"
"""What is asked of a column in which identifiers of any of these kinds may stand."""
ADDRESSES: Final = frozenset({"phone", "e-mail", "account"})
"""Kinds of identifiers that are sieved together, as they stand in the same columns."""
WORD: Final = 8
"""Bytes of the word that stands for a cell in the sieve (forgotten.py)."""
TURN: Final = 29
"""Bits by which the last bytes of a text are turned before they are joined with the first."""
_HASH, _TAG = 16, 4
_DIGITS_MOST = 20  # of a 64-bit number, its sign counted
_ALL = (1 << 64) - 1
_PROBE, _COUNT = "erased_key", "suppressed"
_INSERT = "INSERT INTO sync_erased (kind, hash, erasure_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Secret:
    """What the key makes of identifiers. ``key``: 32 bytes."""

    key: bytes
    odd: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "odd", int.from_bytes(self._digest(b"sieve", 8), "little") | 1)

    def hash(self, kind: str, value: str) -> bytes:
        """What the mirror keeps of an identifier in its one spelling: sixteen bytes, then its two tags, masked."""
        exact = self._exact(kind, value)
        words = _text_word(value, address=kind in ADDRESSES), _int_word(value)
        tags = b"".join((word * self.odd & _ALL).to_bytes(WORD, "little")[-_TAG:] for word in words)
        return exact + self._masked(exact, tags)

    def tags(self, kept: bytes) -> tuple[int, int]:
        """The two tags of what the mirror keeps: of the value as a text, and as a whole number."""
        plain = self._masked(kept[:_HASH], kept[_HASH:])
        return int.from_bytes(plain[:_TAG], "little"), int.from_bytes(plain[_TAG:], "little")

    def number(self, kind: str, value: str) -> int:
        """The first eight of the sixteen bytes, by which an identifier is looked up."""
        return number_of(self._exact(kind, value))

    def probe(self) -> str:
        """What tells this key from another, in hexadecimal digits; says nothing about the key."""
        return self._digest(b"which key", _HASH).hex()

    def _exact(self, kind: str, value: str) -> bytes:
        return self._digest(f"{kind}\0{value}".encode("utf-8", "surrogatepass"), _HASH)

    def _masked(self, exact: bytes, tags: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(tags, self._digest(b"mask" + exact, 2 * _TAG), strict=True))

    def _digest(self, text: bytes, size: int) -> bytes:
        return hashlib.blake2b(text, key=self.key, digest_size=size, person=b"forgotten").digest()


def number_of(kept: bytes) -> int:
    """The number by which what the mirror keeps is looked up."""
    return int.from_bytes(kept[:8], "little")


def group_of(kind: str) -> str:
    """The kind under which identifiers of a kind are sieved."""
    return ADDRESS if kind in ADDRESSES else kind


class ErasedList:
    """The list in memory. ``kept``: (kind, hash) as the mirror has them; ``secret``: None if the key is lost, so that
    nobody is recognised. ``version``: grows with each list. ``tags``: by kind (``group_of``), of the identifiers as
    texts, and as whole numbers. ``recogniser``: what has been made of it, for as long as it holds."""

    def __init__(self, kept: Iterable[tuple[str, bytes]] = (), secret: Secret | None = None, version: int = 0) -> None:
        self.version = version
        self.recogniser: Any = None
        self.tags: dict[str, tuple[array[int], array[int]]] = {}
        self._secret = secret
        numbers: list[int] = []
        kinds: set[str] = set()
        for kind, hash_ in kept if secret else ():
            texts, whole = self.tags.setdefault(group_of(kind), (array("I"), array("I")))
            text, number = secret.tags(hash_) if secret else (0, 0)
            texts.append(text)
            whole.append(number)
            numbers.append(number_of(hash_))
            kinds.add(kind)
        self._numbers, self._kinds = array("Q", sorted(numbers)), frozenset(kinds)

    def __bool__(self) -> bool:
        return bool(self._numbers)

    @property
    def odd(self) -> int:
        """The secret number of the sieve."""
        return self._secret.odd if self._secret else 1

    def has(self, kind: str, value: str) -> bool:
        """Whether an identifier in its one spelling is on it."""
        if self._secret is None or kind not in self._kinds:
            return False
        number = self._secret.number(kind, value)
        place = bisect_left(self._numbers, number)
        return place < len(self._numbers) and self._numbers[place] == number


def _int_word(value: str) -> int:
    """The word of a whole number of 64 bits; 0 of any other text."""
    usual = value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= _DIGITS_MOST
    return int(value) & _ALL if usual else 0


def _text_word(value: str, *, address: bool) -> int:
    """The word of a text. ``address``: of a number or an address."""
    raw = value.encode("utf-8", "surrogatepass").rjust(WORD, b"0")
    if address and raw[-WORD:].isdigit():
        return int.from_bytes(raw[-WORD:], "little")
    first, last = (int.from_bytes(bytes(byte | 0x20 for byte in part), "little") for part in (raw[:WORD], raw[-WORD:]))
    return first ^ (last << TURN & _ALL | last >> 64 - TURN)


class KeyLost(PromptsyncError):
    """The list cannot be read or added to: its key is missing, or is another one."""


def key_path(database: Path) -> Path:
    """Where the key of a mirror's list is."""
    return database.with_name(KEY_FILE)


def read_key(database: Path) -> Secret | None:
    """The key beside a mirror; None if there is none that can be used."""
    try:
        key = bytes.fromhex(key_path(database).read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return Secret(key) if len(key) == KEY_BYTES else None


def key_for(connection: sqlite3.Connection, database: Path) -> Secret:
    """The key to add to the list with; made, with mode 0600, if there is no list yet.

    Raises KeyLost if the list was made with a key that is not there, MirrorFull if the file cannot be written.
    """
    found = read_key(database)
    if (lost := key_problem(connection, database)) is not None:
        raise KeyLost(lost)
    if found is None:
        found = _keep_key(key_path(database), secrets.token_bytes(KEY_BYTES))
    marks.put(connection, _PROBE, found.probe())
    return found


def key_problem(connection: sqlite3.Connection, database: Path) -> str | None:
    """A sentence for a person to act on if the list cannot be used, as its key is not there; else None."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM sync_erased)").fetchone()[0]:
        return None
    path, key = key_path(database), read_key(database)
    if key is None and path.exists() and not (os.access(path, os.R_OK) or os.access(database, os.W_OK)):
        return None  # it is private, and whoever asks does not write the mirror
    probe = marks.read(connection, _PROBE)
    if key is not None and (probe is None or hmac.compare_digest(key.probe(), probe)):
        return None
    what = "is not there or cannot be read" if key is None else "is another key than the one people were erased with"
    return (
        f"{path} {what}, so that people who were erased are not recognised and come back: put the right file there and "
        "restart; if it is lost for good, erase them again after 'promptsync erase --undo ID' for each of 'promptsync "
        "erase list'."
    )


def write_key(database: Path, key: bytes) -> None:
    """Put a key that is known beside a mirror, mode 0600. Raises MirrorFull."""
    _keep_key(key_path(database), key)


def _keep_key(path: Path, key: bytes) -> Secret:
    try:
        write_whole(path, f"{key.hex()}\n".encode())
    except OSError as error:
        raise MirrorFull(f"{path} cannot be written ({error.strerror or error}); nothing was erased.") from error
    return Secret(key)


def load_list(connection: sqlite3.Connection, database: Path, version: int) -> ErasedList:
    """The list as it stands. Nobody is on it if its key is not there."""
    kept = connection.execute("SELECT DISTINCT kind, hash FROM sync_erased").fetchall()
    if not kept or key_problem(connection, database) is not None:
        return ErasedList(version=version)
    return ErasedList(kept, read_key(database), version)


def remember(
    connection: sqlite3.Connection, secret: Secret, erasure_id: int, identifiers: Iterable[tuple[str, str]]
) -> int:
    """Put identifiers, (kind, value in its one spelling), on the list; returns how many were not on it for this
    erasure. Kinds are those of ``Identity``, or a table's name for the key of one of its rows."""
    rows = [(str(kind), secret.hash(str(kind), value), erasure_id) for kind, value in identifiers]
    before = connection.total_changes
    connection.executemany(_INSERT, rows)
    return connection.total_changes - before


def forget_erasure(connection: sqlite3.Connection, erasure_id: int) -> int:
    """Take an erasure's identifiers off the list; returns how many there were. Those of others stay, of the same
    people too.

    The nights' block indexes go with it: they count parts of files as known that hold rows of the person.
    """
    gone = connection.execute("DELETE FROM sync_erased WHERE erasure_id = ?", (erasure_id,)).rowcount
    if gone:
        connection.execute("UPDATE sync_snapshot SET blocks = NULL WHERE blocks IS NOT NULL")
    return gone


_LISTED: Final = ("sync_erasure", "sync_erased")


def list_state(connection: sqlite3.Connection) -> str:
    """What changes whenever the list does; empty before the first erasure, and where a mirror has no list yet."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_erasure'").fetchone():
        return ""
    sql = "SELECT count(*), ifnull(max(id), 0), count(finished_at), count(undone_at) FROM sync_erasure"
    erasures = connection.execute(sql).fetchone()
    hashes = connection.execute("SELECT count(*), ifnull(max(erasure_id), 0) FROM sync_erased").fetchone()
    return " ".join(map(str, (*erasures, *hashes))) if erasures[0] else ""


def listing(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """The erasures and the list, by table, for a copy kept elsewhere: hashes as hexadecimal digits."""
    rows = {table: list(as_dicts(connection.execute(f"SELECT * FROM {quote(table)}"))) for table in _LISTED}
    for row in rows["sync_erased"]:
        row["hash"] = row["hash"].hex()
    return rows


def replace_list(connection: sqlite3.Connection, rows: Mapping[str, Iterable[Mapping[str, Any]]], key: bytes) -> None:
    """Have this list, made with this key, and no other."""
    marks.put(connection, _PROBE, Secret(key).probe())
    for table in _LISTED:
        connection.execute(f"DELETE FROM {quote(table)}")
        for row in rows.get(table, ()):
            values = {**row, "hash": bytes.fromhex(row["hash"])} if "hash" in row else dict(row)
            slots = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {quote(table)} ({names(values)}) VALUES ({slots})", tuple(values.values()))


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What was left out since the first erasure. ``rows``: of files; ``deliveries``: of which something was; both
    counted each time they came. ``last_at``: ISO."""

    rows: int = 0
    deliveries: int = 0
    last_at: str | None = None


def suppressed(connection: sqlite3.Connection) -> Suppressed:
    """What was left out so far."""
    return Suppressed(**(marks.read_facts(connection, _COUNT) or {}))


def note_suppressed(connection: sqlite3.Connection, now: int, *, rows: int = 0, deliveries: int = 0) -> None:
    """Count what was left out. ``now``: microseconds."""
    if not rows and not deliveries:
        return
    before = suppressed(connection)
    found = {"rows": before.rows + rows, "deliveries": before.deliveries + deliveries, "last_at": iso_millis(now)}
    marks.put_facts(connection, _COUNT, found)
