"""What is received between backups: shipped in small encrypted files, and read again.

Owns the form of a segment and how far the mirror's deliveries are shipped. A line is a JSON object: a delivery as
``events export`` writes it, or of another kind, an object with one key; readers hand on kinds that they do not know.
The mark of what was shipped is set after the segment is stored: after a kill in between the same deliveries are shipped
twice, which is harmless, since importing them twice is.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptsync.backup.destination import Destination, workspace, write_small
from promptsync.backup.erased import list_is_shipped, ship_list
from promptsync.backup.keys import Sealing, sealing
from promptsync.backup.names import segment_name
from promptsync.backup.seal import seal
from promptsync.clock import Clock, iso_micros, parse_iso
from promptsync.config import Config
from promptsync.errors import InputRefused
from promptsync.store.backups import SHIPPED, oldest_unshipped, unshipped
from promptsync.store.marks import put_facts, read_facts
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_MOST_BYTES: Final = 64 << 20
_FIELDS: Final = ("received_at", "type", "path", "body")


@dataclass(frozen=True, slots=True)
class Shipped:
    """What was shipped. ``bytes``: of all segments."""

    deliveries: int
    segments: int
    bytes: int


class Shipping:
    """Ships what a mirror receives. The key is read once, and what is at the place looked for once."""

    def __init__(self, config: Config, mirror: Mirror, destination: Destination, clock: Clock) -> None:
        self._config, self._mirror, self._destination, self._clock = config, mirror, destination, clock
        self._whom: Sealing | None = None

    def ship(self) -> Shipped | None:
        """Ship everything that was received since the last time, and the list of the erased if it has changed; None if
        nothing was received. Raises what is wrong with key, disk or place: what was stored by then is on record."""
        if not list_is_shipped(self._mirror):
            ship_list(self._mirror, self._destination, self._ready())
        done = Shipped(0, 0, 0)
        while (count := self._ship_one()) is not None:
            done = Shipped(done.deliveries + count[0], done.segments + 1, done.bytes + count[1])
        return done if done.segments else None

    def _ship_one(self) -> tuple[int, int] | None:
        """Deliveries in the next segment, and its bytes; None if there is nothing to ship."""
        with self._mirror.reading() as connection:
            if oldest_unshipped(connection) is None:
                return None
            mark = read_facts(connection, SHIPPED)
        whom = self._ready()
        with workspace(self._config.mirror.database) as folder:
            batch = _Batch(mark["received_at"] if mark else "")
            with self._mirror.reading_apart() as connection, closing(unshipped(connection)) as deliveries:  # type: ignore[type-var]
                sealed = seal(batch.lines(deliveries), folder / "segment", whom.recipients)
            after = parse_iso(mark["to"] if mark else batch.first_at) - (0 if mark else 1)
            to = max(self._clock(), after + 1)
            name = segment_name(after, to)
            self._destination.put([(name, sealed.path)], "received-")
        mark = {"id": batch.last_id, "received_at": batch.last_at, "to": iso_micros(to), "name": name}
        mark |= {"bytes": sealed.bytes}
        self._mirror.writer.run(lambda connection: put_facts(connection, SHIPPED, mark), Lane.IDLE)
        return batch.count, sealed.bytes

    def _ready(self) -> Sealing:
        """Whom to encrypt to; the key file of a passphrase is beside the segments then."""
        if self._whom is None:
            self._destination.make()
            stored, blobs = self._destination.look()
            whom = sealing(self._config.backup, self._config.mirror.database, blobs)
            if whom.key_file is not None and whom.key_file[0] not in {item.key for item in stored.keys}:
                with workspace(self._config.mirror.database) as folder:
                    path = write_small(folder / "key", whom.key_file[1])
                    self._destination.put([(whom.key_file[0], path)], "passphrase-")
            self._whom = whom
        return self._whom


class _Batch:
    """Deliveries of one segment, as they are read: the last of them, and how many."""

    def __init__(self, last_at: str) -> None:
        self.count, self.last_id, self.last_at, self.first_at = 0, 0, last_at, ""

    def lines(self, deliveries: Iterator[dict[str, Any]]) -> Iterator[bytes]:
        """A line for each, until that is enough for one segment."""
        size = 0
        for one in deliveries:
            line = json.dumps({name: one[name] for name in _FIELDS}, ensure_ascii=False).encode() + b"\n"
            size += len(line)
            self.count, self.last_id = self.count + 1, one["id"]
            self.first_at, self.last_at = self.first_at or one["received_at"], max(self.last_at, one["received_at"])
            yield line
            if size > _MOST_BYTES:
                return


def read_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a decrypted segment. Raises InputRefused for one that is no object."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise TypeError
            except (ValueError, TypeError, RecursionError):
                raise InputRefused("line", f"Line {number} of {path.name} is no JSON object; it is damaged.") from None
            yield line


def is_delivery(line: Mapping[str, Any]) -> bool:
    """Whether a line is a delivery that can be imported."""
    return all(isinstance(line.get(name), str) for name in _FIELDS)
