"""Whom backups are encrypted to, and what opens them.

Owns the reading of age keys and the key of a passphrase. A passphrase does not encrypt the backups themselves: making a
key of it takes a second or two and much memory, each time, and there is a segment each minute. It encrypts an age
identity, in a small file beside the backups, which the ``age`` tool takes as ``-i`` and asks the passphrase for.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyrage  # type: ignore[import-untyped]

from promptsync.backup.names import key_name
from promptsync.backup.seal import Key, Recipient
from promptsync.config import BackupConfig, Secret
from promptsync.errors import ConfigError, MirrorFull
from promptsync.whole_file import write_whole

_MAGIC: Final = b"age-encryption.org/"
_PRIVATE: Final = "AGE-SECRET-KEY-"


@dataclass(frozen=True, slots=True)
class Sealing:
    """Whom to encrypt to. ``key_file``: the name and content of the file that must be beside the backups, if any."""

    recipients: tuple[Recipient, ...] = field(repr=False)
    key_file: tuple[str, bytes] | None = field(default=None, repr=False)


def kept_key(database: Path) -> Path:
    """Where this machine keeps its copy of the passphrase's key file."""
    return database.with_name("backup-key.age")


def sealing(config: BackupConfig, database: Path, at_place: Iterable[bytes]) -> Sealing:
    """Whom ``[backup]`` says to encrypt to. ``at_place``: key files that are beside the backups.

    A passphrase's key is the one kept beside the mirror, else one at the place, else a new one. Raises ConfigError.
    """
    recipients = [parse_recipient(config.recipient)] if config.recipient else []
    if config.passphrase is None:
        if not recipients:
            raise ConfigError(
                'No backup is made without a key: set recipient = "age1..." or passphrase = { file = "..." } in '
                "[backup]; 'age-keygen -o backup.key' makes a key and prints its recipient."
            )
        return Sealing(tuple(recipients))
    passphrase, kept = _passphrase(config.passphrase), kept_key(database)
    files = [kept.read_bytes()] if kept.is_file() else []
    for blob in (*files, *at_place):
        if (key := _open_key_file(blob, passphrase)) is not None:
            break
    else:
        key = pyrage.x25519.Identity.generate()
        blob = pyrage.passphrase.encrypt(f"# public key: {key.to_public()}\n{key}\n".encode(), passphrase)
    if blob not in files:
        _keep(kept, blob)
    public = key.to_public()
    name = key_name(hashlib.sha256(str(public).encode()).hexdigest())
    return Sealing((*recipients, public), (name, blob))


def opening(config: BackupConfig, identity: Path | None, database: Path, at_place: Iterable[bytes]) -> list[Key]:
    """Every key there is: of the file ``identity``, of ``backup.identity``, and what the passphrase opens.

    Raises ConfigError for one that is named and cannot be read.
    """
    keys = []
    if identity is not None:
        try:
            keys += parse_identities(identity.read_bytes(), str(identity))
        except OSError as error:
            raise ConfigError(f"{identity} cannot be read ({error.strerror}); name the file with the key.") from error
    if config.identity is not None:
        keys += parse_identities(config.identity.reveal(), f"backup.identity {config.identity}")
    if config.passphrase is not None:
        passphrase, kept = _passphrase(config.passphrase), kept_key(database)
        blobs = {*([kept.read_bytes()] if kept.is_file() else []), *at_place}
        keys += [key for blob in blobs if (key := _open_key_file(blob, passphrase)) is not None]
    return keys


def parse_recipient(text: str) -> Recipient:
    """An age public key. Raises ConfigError."""
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise ConfigError(
            "backup.recipient is mistyped and no age public key; copy it again: age-keygen -y backup.key"
        ) from None


def parse_identities(content: bytes, where: str) -> list[Key]:
    """The keys in an identity file, as ``age-keygen`` writes one. Raises ConfigError, which repeats nothing of it."""
    if content.startswith((_MAGIC, b"-----BEGIN AGE")):
        raise ConfigError(f"{where} is itself encrypted; decrypt it first: age -d FILE > backup.key")
    lines = [line.strip() for line in content.decode("ascii", "replace").splitlines()]
    try:
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith(_PRIVATE)]
    except pyrage.IdentityError:
        keys = []
    if not keys:
        raise ConfigError(f"{where} holds no age identity: a line that begins with {_PRIVATE}1.")
    return keys


def _passphrase(secret: Secret) -> str:
    try:
        return secret.reveal().decode()
    except UnicodeDecodeError:
        raise ConfigError(f"the secret {secret} is not UTF-8 text") from None


def _open_key_file(blob: bytes, passphrase: str) -> Key | None:
    """The key in it; None if this is not its passphrase."""
    try:
        return parse_identities(pyrage.passphrase.decrypt(blob, passphrase), "the key file")[0]
    except (pyrage.DecryptError, OSError):
        return None


def _keep(path: Path, blob: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, blob)
    except OSError as error:
        raise MirrorFull(f"{path} cannot be written ({error.strerror}); make room or make it writable.") from error
