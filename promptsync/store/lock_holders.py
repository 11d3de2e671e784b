"""Who holds SQLite's locks on the mirror, as far as this machine reports it.

Owns the reading of /proc/locks. In WAL mode a reader holds a shared lock on one of five bytes of the ``-shm`` file for
as long as its transaction is open, and a writer an exclusive one on another (SQLite, "WAL-mode File Format", 2.3.1).
The file is only ever looked at, never opened (see connect.py).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_LOCKS = Path("/proc/locks")
_WRITE = (120, 120)
_READ_MARKS = (123, 127)
_TWICE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """A process. ``name``: as the kernel has it, at most 15 characters."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}, process {self.pid}"


def pids_with(text: str, mode: str, file: str, span: tuple[int, int]) -> set[int]:
    """Processes with a lock of ``mode`` (READ, WRITE) on any of ``span`` (bytes, both included) of a file. Pure: the
    kernel reports neighbouring bytes together.

    ``text``: of /proc/locks; ``file``: as it stands there, major and minor number of the device and inode.

    >>> pids_with("1: POSIX  ADVISORY  READ 77 fd:00:1234 124 124", "READ", "fd:00:1234", (123, 127))
    {77}
    """
    found = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) != 8 or words[1] != "POSIX" or words[3] != mode or words[5] != file:
            continue
        pid, start, end = int(words[4]), int(words[6]), words[7]
        if pid > 0 and start <= span[1] and (end == "EOF" or int(end) >= span[0]):
            found.add(pid)
    return found


def holders(database: Path, mode: str, span: tuple[int, int]) -> frozenset[Holder]:
    """Who holds such a lock on the ``-shm`` of a database just now; empty where the machine does not say."""
    try:
        there = database.with_name(database.name + "-shm").stat()
        text = _LOCKS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    file = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
    return frozenset(Holder(pid, _name(pid)) for pid in pids_with(text, mode, file, span))


def other_writer(database: Path) -> Holder | None:
    """Which other process has begun to write the database and not finished, if the machine tells."""
    found = holders(database, "WRITE", _WRITE)
    return next((holder for holder in found if holder.pid != os.getpid()), None)


def locked_sentence(database: Path) -> str:
    """Why nothing can be written while another program holds the write lock, who that is, and what to do."""
    return (
        f"The mirror is locked by {other_writer(database) or 'another program'}, which has begun to write it and not "
        "finished: save or close what is open there, then try again."
    )


def lasting_readers(database: Path) -> tuple[Holder, ...]:
    """Who has had a transaction open for a moment at least: short readings come and go. Blocking."""
    first = holders(database, "READ", _READ_MARKS)
    if not first:
        return ()
    time.sleep(_TWICE_SECONDS)
    stayed = first & holders(database, "READ", _READ_MARKS)
    return tuple(sorted(stayed, key=lambda holder: holder.pid))


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"
