"""The folder in which a mirror is restored, how far that has come, and the last step: into the mirror's place.

Owns ``<database>.restoring`` and the moves. The mirror that was there is moved aside with its log, never deleted or
written over. Whatever is killed in between, the same step done again ends the same.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync.backup.destination import write_small
from promptsync.clock import Clock, iso_micros, iso_millis
from promptsync.errors import MirrorFull
from promptsync.store.connect import leave_for_readers
from promptsync.store.erased import key_path
from promptsync.store.wal import log_size
from promptsync.whole_file import sync_folder

_FILES: Final = ("-wal", "-shm", "")
"""What is moved aside, in this order: without its database a log is no danger to another one."""


@dataclass
class Progress:
    """How far a restore has come, kept in its folder. ``counted``: rows by table in the manifest; ``aside``: where the
    mirror that was in the way goes."""

    name: str
    until: int | None
    wanted: str
    at: int = 0
    version: str = ""
    shipped_to: int | None = None
    counted: dict[str, int] = field(default_factory=dict)
    imported: dict[str, Any] | None = None
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it. ``tables``: of each the rows in the backup, and now. ``deliveries``: from segments, that were
    new; ``left_out``: received after ``until``; ``refused``: cannot have been received when they say. ``gaps``: ISO
    times between which a segment is missing; ``unreadable``: segments that are damaged, each with a sentence.
    ``erased``: identifiers of erased people that the backup still held; ``not_erased``: why some may still be there.
    ``aside``: where the mirror that was there is now."""

    backup: str
    at: str
    database: str
    tables: dict[str, tuple[int, int]]
    segments: int
    deliveries: int
    left_out: int
    refused: int
    gaps: list[tuple[str, str]]
    unreadable: list[str]
    erased: int
    not_erased: str | None
    aside: str | None
    resumed: bool


class Work:
    """The folder of a restore."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.folder = database.with_name(f"{database.name}.restoring")
        self.copy = self.folder / "mirror.db"
        self._state = self.folder / "state.json"

    def read(self) -> Progress | None:
        """How far an earlier run came; None if there was none."""
        try:
            return Progress(**json.loads(self._state.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def clear(self) -> None:
        """Delete it; first what says that it can be gone on with."""
        with writing(self.folder):
            self._state.unlink(missing_ok=True)
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def close(self) -> None:
        """Delete it once the copy is in its place; last what says so."""
        with writing(self.folder):
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path != self._state:
                    path.unlink()
            self._state.unlink()
            self.folder.rmdir()

    def begin(self) -> None:
        """An empty folder, mode 0700."""
        with writing(self.folder):
            self.folder.mkdir(mode=0o700, parents=True)

    def write(self, progress: Progress) -> None:
        """Keep it, whole or not at all."""
        part = self._state.with_name("state.part")
        with writing(self.folder):
            write_small(part, json.dumps(asdict(progress)).encode())
            part.replace(self._state)

    def placed(self, progress: Progress) -> bool:
        """Whether the copy is in the mirror's place."""
        return progress.imported is not None and not self.copy.exists() and self.database.exists()

    def sealed(self, name: str) -> Path:
        """Where a file from the destination is downloaded to."""
        return self.folder / "sealed" / name


def place(work: Work, progress: Progress, clock: Clock) -> None:
    """Move aside what is in the way, then the copy into its place."""
    database = work.database
    if log_size(work.copy):
        progress.imported = None
        work.write(progress)
        raise MirrorFull(f"{work.copy} could not be closed; make room, then restore again: it goes on from here.")
    with writing(work.folder):
        for suffix in ("-wal", "-shm"):  # of the copy, empty
            Path(f"{work.copy}{suffix}").unlink(missing_ok=True)
        in_way = database.exists() or Path(f"{database}-wal").exists()
        if in_way and (progress.aside is None or Path(progress.aside).exists()):
            stamp = iso_micros(clock()).replace(":", "").replace(".", "-")
            progress.aside = f"{database}.before-{stamp}"
            work.write(progress)
        if progress.aside is not None:
            for suffix in _FILES:
                with suppress(FileNotFoundError):
                    Path(f"{database}{suffix}").rename(f"{progress.aside}{suffix}")
        with suppress(FileNotFoundError):
            key_path(work.copy).rename(key_path(database))
        work.copy.rename(database)
        sync_folder(database.parent)


def finish(work: Work, progress: Progress, *, resumed: bool) -> Restored:
    """The mirror is in its place: leave what readers need, clear up, and say what came of it."""
    done = dict(progress.imported or {})
    with writing(work.folder):
        leave_for_readers(work.database)
        _give_to_owner(work.database)
    work.close()
    done.pop("last")
    tables = {name: (progress.counted.get(name, 0), rows) for name, rows in done.pop("tables").items()}
    missing = [(a, b) for a, b in done.pop("gaps")]
    return Restored(
        backup=progress.name,
        at=iso_millis(progress.at),
        database=str(work.database),
        tables=tables,
        gaps=missing,
        aside=progress.aside,
        resumed=resumed,
        **done,
    )


def _give_to_owner(database: Path) -> None:
    """What root has restored belongs to whom the folder belongs to, or the daemon could not open it."""
    if os.geteuid() != 0:
        return
    folder = database.parent.stat()
    for path in (*(f"{database}{suffix}" for suffix in (*_FILES, ".lock")), str(key_path(database))):
        with suppress(FileNotFoundError):
            os.chown(path, folder.st_uid, folder.st_gid)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MirrorFull(
            f"{folder.parent} cannot be written ({error.strerror}); make room or make it writable, then restore again."
        ) from error
