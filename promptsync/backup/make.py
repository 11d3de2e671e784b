"""Making a backup: a copy of the mirror, compressed and encrypted, stored, and old ones removed.

Owns the order of the steps. The plain copy is beside the mirror for as long as it takes to encrypt it, and nowhere
else. The mirror is only read; what is put on record is handed back.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from promptsync import __version__
from promptsync.backup.destination import Destination, digest_line, need_room, workspace, write_small
from promptsync.backup.erased import seal_list
from promptsync.backup.keys import sealing
from promptsync.backup.names import ERASED, Stored, backup_name, superfluous
from promptsync.backup.seal import Sealed, pieces_of, seal
from promptsync.clock import MICROS, Clock, iso_millis
from promptsync.config import Config
from promptsync.errors import PromptsyncError, Unavailable
from promptsync.store.backups import copy_pages, write_manifest
from promptsync.store.connect import open_reader

Emit = Callable[[dict[str, Any]], None]
_SHARE: Final = 1.5
"""A copy and its encrypted form together need less than that many times the mirror's size."""
KEEP_ELSEWHERE: Final = "the configuration, the secrets that it names, the plugins, and above all the backup's own key"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made. ``at``: ISO; ``rows``: of all tables; ``removed``: files that were too old; ``why_not``:
    why they could not be removed."""

    name: str
    at: str
    place: str
    bytes: int
    plain_bytes: int
    rows: int
    seconds: float
    removed: int = 0
    why_not: str | None = None


def make_backup(config: Config, destination: Destination, clock: Clock, emit: Emit = lambda _: None) -> Made:
    """Make a backup of the mirror and store it. Emits ``progress``. Raises what is wrong with key, disk or place."""
    database, begun = config.mirror.database, time.monotonic()
    if not database.exists():
        raise Unavailable(f"There is no mirror at {database} yet; 'promptsync run' or 'promptsync load' makes it.")
    destination.make()
    stored, key_files = destination.look()
    whom = sealing(config.backup, database, key_files)
    plain_bytes = database.stat().st_size
    with workspace(database) as folder:
        need_room(folder, int(_SHARE * plain_bytes), "A backup")
        copy = folder / "copy.db"
        with closing(open_reader(database)) as reader:
            at = copy_pages(reader, copy, clock, lambda done, of: emit({"progress": ["copying", done, of]}))
        at = -(-at // MICROS) * MICROS
        manifest = write_manifest(copy, iso_millis(at), __version__)
        size, name = copy.stat().st_size, backup_name(at)
        show = lambda done: emit({"progress": ["encrypting", done, size]})  # noqa: E731
        sealed = seal(pieces_of(copy), folder / name, whom.recipients, show)
        copy.unlink()
        forgotten = seal_list(database, folder, whom)
        emit({"progress": ["storing", 0, sealed.bytes]})
        _store(destination, stored, name, sealed, whom.key_file)
        if forgotten is not None:
            destination.put([(ERASED, forgotten[0].path)], "erased.")
    removed, why_not = 0, None
    try:
        removed = remove_superfluous(config, destination) if destination.configured else 0
    except PromptsyncError as error:
        why_not = str(error)
    seconds = round(time.monotonic() - begun, 1)
    rows = sum(manifest.rows.values())
    return Made(name, iso_millis(at), destination.name, sealed.bytes, size, rows, seconds, removed, why_not)


def _store(
    destination: Destination, stored: Stored, name: str, sealed: Sealed, key_file: tuple[str, bytes] | None
) -> None:
    """The key first, without which the backup is worth nothing; the digest last."""
    files = []
    if key_file is not None and key_file[0] not in {item.key for item in stored.keys}:
        files.append((key_file[0], write_small(sealed.path.with_name("key"), key_file[1])))
    files.append((name, sealed.path))
    digest, line = digest_line(name, sealed.sha256)
    files.append((digest, write_small(sealed.path.with_name("digest"), line)))
    destination.put(files, "mirror-")


def remove_superfluous(config: Config, destination: Destination) -> int:
    """Remove backups and segments that need not be kept; returns how many files that were."""
    stored, _ = destination.look()
    keep = config.backup.keep
    goes = superfluous(stored, keep.daily, keep.weekly, config.mirror.timezone)
    destination.remove(goes)
    return len(goes)
