"""Whether a backup can be restored: opened, whole, and with the rows that its manifest counts.

Owns the look at one backup. Without the private key only its digest can be checked, which finds what rots on a disk;
that is said.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync import __version__
from promptsync.backup.destination import Destination, need_room, workspace
from promptsync.backup.keys import opening
from promptsync.backup.names import Backup, Stored
from promptsync.backup.seal import unseal
from promptsync.clock import iso_millis
from promptsync.config import Config
from promptsync.errors import ConfigError, InputRefused, Unavailable
from promptsync.places.download import PartFile
from promptsync.store.backups import Manifest, count_rows, read_manifest
from promptsync.store.connect import open_copy
from promptsync.store.reading import first_damage

Emit = Callable[[dict[str, Any]], None]
LATEST: Final = "latest"
RESTORABLE: Final = "restorable"
INTACT: Final = "intact"
FAILED: Final = "failed"
RATIO: Final = 5
"""How many times as large as its backup a mirror usually is; if it is larger, the disk says so later."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. ``outcome``: restorable, intact (the digest is right, nobody could look inside) or failed.
    ``says``: in a sentence. ``differing``: tables with other rows than the manifest counts."""

    name: str
    at: str
    bytes: int | None
    outcome: str
    says: str
    rows: int | None = None
    differing: dict[str, tuple[int, int]] = field(default_factory=dict)


def choose(stored: Stored, name: str, where: str, until: int | None = None) -> Backup:
    """The backup of that name, or the newest for ``latest``. Raises ConfigError if there is none."""
    if name != LATEST:
        found = next((one for one in stored.backups if one.name == name), None)
        if found is None:
            raise ConfigError(f"There is no backup {name} at {where}; 'promptsync backup list' shows them.")
        return found
    newest = stored.newest(until)
    if newest is None:
        by = f" that was taken by {iso_millis(until)}" if until is not None and stored.backups else ""
        raise ConfigError(f"There is no backup{by} at {where}; 'promptsync backup' makes one.")
    return newest


def verify(
    config: Config, destination: Destination, name: str, identity: Path | None = None, emit: Emit = lambda _: None
) -> Verified:
    """Look at a backup, by its name or ``latest``. Damage is in what is returned.

    Raises ConfigError if there is no such backup or a key is wrong, Unavailable if the place cannot be reached.
    """
    stored, blobs = destination.look()
    backup = choose(stored, name, destination.name)
    keys = opening(config.backup, identity, config.mirror.database, blobs)
    at, size = iso_millis(backup.at), backup.item.size
    with workspace(config.mirror.database) as folder:
        need_room(folder, (size or 0) * (1 + (RATIO if keys else 0)), "Looking at a backup")
        sealed = folder / backup.name
        show = lambda done, of: emit({"progress": ["downloading", done, of]})  # noqa: E731
        destination.fetch([(backup.item, sealed)], show)
        try:
            digest = _check_digest(destination, backup, sealed)
            if not keys:
                says = "Its digest is right" if digest else "It is there, but has no digest to check it by"
                says = f"{says}; only the holder of the private key can verify further: --identity FILE."
                return Verified(backup.name, at, size, INTACT if digest else FAILED, says)
            unseal(sealed, folder / "copy.db", keys, lambda done: emit({"progress": ["decrypting", done, size or 0]}))
            sealed.unlink()
            emit({"progress": ["checking", 0, 0]})
            manifest, differing = check_copy(folder / "copy.db", deep=True)
        except InputRefused as error:
            return Verified(backup.name, at, size, FAILED, str(error))
    if differing:
        tables = ", ".join(
            f"{table} ({there:,} rows, {counted:,} counted)" for table, (there, counted) in differing.items()
        )
        return Verified(backup.name, at, size, FAILED, f"Rows are missing: {tables}.", differing=differing)
    rows = sum(manifest.rows.values())
    return Verified(
        backup.name, at, size, RESTORABLE, f"It is whole: {rows:,} rows in {len(manifest.rows)} tables.", rows
    )


def _check_digest(destination: Destination, backup: Backup, sealed: Path) -> bool:
    """Whether there is a digest. Raises InputRefused if it is another one."""
    stated = destination.digest_of(backup.digest) if backup.digest is not None else None
    if stated is not None and PartFile(sealed).digest("sha256") != stated:
        raise InputRefused("digest", f"{backup.name} is damaged: its SHA-256 is not the one beside it.")
    return stated is not None


def check_copy(copy: Path, *, deep: bool) -> tuple[Manifest, dict[str, tuple[int, int]]]:
    """The manifest of a decrypted copy, and tables with other counts: rows there, rows counted when it was made.

    Raises InputRefused if it is damaged, ConfigError if a newer promptsync made it.
    """
    try:
        with closing(open_copy(copy)) as connection:
            manifest = read_manifest(connection)
            if _numbers(manifest.version) > _numbers(__version__):
                raise ConfigError(
                    f"The backup was made by promptsync {manifest.version}, and this is {__version__}: install "
                    f"{manifest.version} or later, then try again."
                )
            damage = first_damage(connection, deep=deep, seconds=float("inf"))
            if damage != "ok":
                raise InputRefused("damaged", f"The database in the backup is damaged ({damage}); use another backup.")
            there = count_rows(connection)
    except (sqlite3.Error, Unavailable) as error:
        raise InputRefused(
            "damaged", f"The database in the backup cannot be read ({error}); use another one."
        ) from error
    tables = sorted(there.keys() | manifest.rows.keys())
    counts = {table: (there.get(table, 0), manifest.rows.get(table, 0)) for table in tables}
    return manifest, {table: pair for table, pair in counts.items() if pair[0] != pair[1]}


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version; what is added behind them does not count."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
