"""Checks of the machine: permissions, room, SQLite, ports.

Owns the decisions, pure, and the few calls that observe what they need. Never opens the database or the files beside
it: their permissions and presence are read from the folder.
"""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from promptsync.errors import size_in_words, user_name
from promptsync.plugins.declared import Finding, note, ok, problem
from promptsync.status.problems import LOW_DISK
from promptsync.store.erased import key_path
from promptsync.store.owner import give_back, strangers

_OTHERS, _OTHERS_WRITE = 0o007, 0o002
_SAFE_SQLITE, _OLDEST_SQLITE = (3, 51, 3), (3, 39, 0)


class Port(Enum):
    """What a port was seen to be."""

    FREE = "free"
    TAKEN = "taken"
    REFUSED = "refused"  # this user or machine cannot listen there


def check_private(check: str, path: Path, mode: int, what: str) -> Finding:
    """A file that only its owner and group should open. ``mode``: its permission bits."""
    if mode & _OTHERS:
        return problem(check, f"Everyone on this machine can open {path}, {what}; run: chmod o= {path}")
    return ok(check, f"{path} is closed to others ({mode:04o}).")


def check_folder(check: str, folder: Path, made_by: str) -> Finding:
    """A folder that must be there, or can be made, and be writable only for us."""
    if not folder.exists():
        above = next(parent for parent in folder.absolute().parents if parent.exists())
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            return note(check, f"{folder} is not there yet; {made_by} makes it.")
        return problem(check, f"{folder} is not there and {above} is not writable; make it for the daemon's user.")
    if not folder.is_dir():
        return problem(check, f"{folder} is not a folder; move it away or name another place in the configuration.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem(check, f"{folder} is not writable for this user; give it to the user of the daemon.")
    if folder.stat().st_mode & _OTHERS_WRITE:
        return problem(check, f"Everyone on this machine can put files into {folder}; run: chmod o-w {folder}")
    return ok(check, f"{folder} is writable.")


def check_room(folder: Path, free: int, database: int, low: int = LOW_DISK) -> Finding:
    """``free``, ``database`` (its size) and ``low`` in bytes; below ``low`` the daemon calls itself not ready."""
    room = f"{size_in_words(free)} free in {folder}"
    if free < low:
        return problem("disk", f"Only {room}: make room, or deliveries will be refused.")
    if free < database:
        size = size_in_words(database)
        return note("disk", f"{room}, less than the mirror has ({size}): a copy of it would not fit.")
    return ok("disk", f"{room}.")


def check_sqlite(version: tuple[int, ...]) -> Finding:
    """``version``: of the SQLite that Python uses."""
    name = ".".join(map(str, version))
    if version < _OLDEST_SQLITE:
        return problem("sqlite", f"SQLite {name} is too old: at least 3.39 is needed; use a newer Python or system.")
    if version < _SAFE_SQLITE:
        return note(
            "sqlite",
            f"SQLite {name}: before 3.51.3 two writing connections could damage a database in WAL mode. promptsync "
            "keeps to one writer, which is the safe way; let no other program write the mirror.",
        )
    return ok("sqlite", f"SQLite {name}.")


def check_companions(database: Path) -> Finding:
    """The ``-wal`` and ``-shm`` without which a reader that may not write the folder cannot open the mirror."""
    lacking = [suffix for suffix in ("-wal", "-shm") if not Path(f"{database}{suffix}").exists()]
    if lacking:
        names = " and ".join(f"{database.name}{suffix}" for suffix in lacking)
        return note(
            "wal", f"{names} is not there: 'browse' under a user of its own cannot read until the daemon has run once."
        )
    return ok("wal", f"{database.name}-wal and -shm are there, so that others can read.")


def check_owner(database: Path, owner: str, strangers: Sequence[Path]) -> Finding:
    """``strangers``: files of the mirror that belong to another user, by whom the daemon would be locked out."""
    if strangers:
        names = " and ".join(path.name for path in strangers)
        return problem(
            "owner",
            f"{names} of the mirror of {owner} belong{'s' if len(strangers) == 1 else ''} to another user, so that it "
            f"cannot be written; run: {give_back(owner, strangers)}",
        )
    return ok("owner", f"Every file of {database} belongs to {owner}.")


def check_webhook_port(host: str, port: int, state: Port, *, daemon: bool) -> Finding:
    """``daemon``: ours runs, and should be what has the port."""
    place = f"{host}, port {port}"
    if state is Port.REFUSED:
        return problem("port", f"It is not possible to listen on {place}; choose another webhook.host or webhook.port.")
    if port == 0:
        return note("port", "webhook.port is 0: every start takes another port, and no proxy can know it.")
    if daemon and state is Port.FREE:
        return problem("port", f"The daemon runs, but nothing listens on {place}; restart it after changing the port.")
    if not daemon and state is Port.TAKEN:
        return problem("port", f"Another program has {place}; end it or choose another webhook.port.")
    return ok("port", f"The daemon listens on {place}." if daemon else f"{place} is free for the daemon.")


def check_browse_port(host: str, port: int, state: Port) -> Finding:
    """What has the port cannot be known: most likely the pages themselves."""
    place = f"{host}, port {port}"
    if state is Port.REFUSED:
        return problem("browse", f"It is not possible to listen on {place}; choose another browse.host or browse.port.")
    if state is Port.TAKEN:
        return note("browse", f"{place} is in use: by 'promptsync browse', or by another program.")
    return ok("browse", f"{place} is free for the pages.")


def look_at_port(host: str, port: int) -> Port:
    """Listen there for an instant."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return Port.FREE
    except OSError as error:
        return Port.TAKEN if error.errno == errno.EADDRINUSE else Port.REFUSED


def check_files(config_file: Path, database: Path) -> Iterator[Finding]:
    """Permissions of the configuration and of the mirror."""
    mode = config_file.stat().st_mode & 0o777
    yield check_private("configuration file", config_file, mode, "which says where secrets are kept")
    if database.exists():
        yield check_private("mirror file", database, database.stat().st_mode & 0o777, "which holds personal data")
        yield check_companions(database)
        yield check_owner(database, user_name(database.stat().st_uid), strangers(database))
    key = key_path(database)
    if key.exists():
        yield check_private("key of the erased", key, key.stat().st_mode & 0o777, "by which erased people are kept out")
