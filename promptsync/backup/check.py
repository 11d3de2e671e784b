"""Checks of the backups for ``doctor``: does the key fit, can the place be written, how old is what is there.

Owns the questions and the sentences. Writes one small file at the place and removes it again.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from promptsync.backup.destination import Destination, write_small
from promptsync.backup.keys import parse_identities, parse_recipient
from promptsync.backup.names import Stored
from promptsync.clock import iso_millis
from promptsync.config import Config
from promptsync.errors import ConfigError, PromptsyncError, size_in_words
from promptsync.places.patience import Patience
from promptsync.plugins.declared import Finding, note, ok, problem

_PROBE = "promptsync-doctor.age"


def check_backup(config: Config, *, daemon: bool) -> Iterator[Finding]:
    """Everything that can be asked of ``[backup]``. ``daemon``: one runs, which may have secrets that we have not."""
    if not config.backup.on:
        yield note("backup", "No backups are made: set backup.recipient or backup.passphrase.")
        return
    yield from _keys(config)
    folder = Destination(config.backup).folder
    if folder is not None and not folder.exists() and folder.parent.is_dir():
        yield note("backup", f"{folder} is not there yet; the first backup makes it.")
        return
    try:
        stored = _look_and_write(config)
    except ConfigError as error:
        yield (note if daemon else problem)("backup", f"The place of the backups: {error}")
    except PromptsyncError as error:
        yield problem("backup", f"The place of the backups: {error}")
    else:
        yield from _ages(stored, Destination(config.backup).name)


def _keys(config: Config) -> Iterator[Finding]:
    backup = config.backup
    try:
        recipient = parse_recipient(backup.recipient) if backup.recipient else None
    except ConfigError as error:
        yield problem("backup", str(error))
        return
    if backup.identity is None:
        if recipient is not None:
            yield note("backup", "The private key is not on this machine: drills check the digest only. Keep it safe.")
        return
    try:
        keys = parse_identities(backup.identity.reveal(), "backup.identity")
    except ConfigError:
        return  # the check of the secrets says so, or that only the service can see it
    if recipient is not None and str(recipient) not in {str(key.to_public()) for key in keys}:
        yield problem("backup", "backup.identity does not belong to backup.recipient: it opens no backup.")
    else:
        yield ok("backup", "The private key fits.")


def _look_and_write(config: Config) -> Stored:
    """What is at the place, once a small file was written there and removed again."""
    destination = Destination(config.backup, patience=Patience(20))
    with tempfile.TemporaryDirectory(prefix="promptsync-") as folder:
        probe = write_small(Path(folder) / "probe", b"A test by promptsync doctor.\n")
        destination.put([(_PROBE, probe)], _PROBE)
    destination.remove(destination.find(_PROBE))
    return destination.look()[0]


def _ages(stored: Stored, where: str) -> Iterator[Finding]:
    newest = stored.newest()
    if newest is None:
        yield note("backup", f"{where} can be written; no backup is there yet.")
        return
    size = size_in_words(newest.item.size or 0)
    segments = f"; deliveries up to {iso_millis(stored.segments[-1].to)}" if stored.segments else ""
    yield ok("backup", f"{where} can be written; the newest backup is of {iso_millis(newest.at)} ({size}){segments}.")
