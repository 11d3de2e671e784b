"""Secrets: where a secret is kept, and opening it when it is needed.

Owns the three ways to name one (``env``, ``file``, ``credential``) and reading the bytes. Nothing is
opened at loading, so that a program that needs one section needs the secrets of no other. The bytes appear in no
``repr`` and in no error.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from promptsync.config.values import suggest
from promptsync.errors import ConfigError

WAYS = ("env", "file", "credential")
_THREE_WAYS = '{ env = "NAME" }, { file = "path" } or { credential = "name" }'
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Secret:
    """A place where a secret is kept; its value is read by ``reveal``, each time anew.

    ``kind``: one of ``WAYS``. ``name``: what stands behind it. ``folder``: where a relative file is looked for.
    """

    kind: str
    name: str
    folder: Path

    def __repr__(self) -> str:
        return f'{{ {self.kind} = "{self.name}" }}'

    def reveal(self) -> bytes:
        """The secret without its trailing line end. Raises ConfigError when it is missing, empty or cannot be read."""
        if self.kind == "env":
            value = os.environb.get(os.fsencode(self.name))
            if value is None:
                raise ConfigError(f"the environment variable {self.name} is not set, it should hold a secret")
        else:
            value = _read(self._path())
        value = value.rstrip(b"\r\n")
        if not value:
            raise ConfigError(f"the secret {self} is empty, put a value there")
        return value

    def problems(self) -> list[str]:
        """What a person should put right, as sentences: it cannot be opened, or others may read its file."""
        try:
            self.reveal()
        except ConfigError as error:
            return [str(error)]
        if self.kind == "file" and stat.S_IMODE(self._path().stat().st_mode) & 0o007:
            return [f"everyone on this machine can open {self._path()}, run: chmod o= {self._path()}"]
        return []

    def file(self) -> Path | None:
        """The file that ``reveal`` reads; None if there is none."""
        try:
            return None if self.kind == "env" else self._path()
        except ConfigError:
            return None

    def _path(self) -> Path:
        if self.kind == "file":
            return self.folder / self.name
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ConfigError(
                f"{self} is passed by systemd and CREDENTIALS_DIRECTORY is not set; add LoadCredential={self.name}:"
                "PATH to the unit"
            )
        return Path(folder) / self.name


def parse_secret(value: object, info: ValidationInfo) -> Secret:
    """The secret that a TOML table names. Raises ValueError, which never repeats what was given."""
    return named_secret(value, info.context["folder"] if info.context else Path())


def named_secret(value: object, folder: Path) -> Secret:
    """The same, relative files being looked for in ``folder``."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"must not be the secret itself, say where it is kept: {_THREE_WAYS}")
    if "encrypted" in value:
        raise ValueError(
            'is { encrypted }, which is no more: write { credential = "name" }, which systemd decrypts '
            "(LoadCredentialEncrypted=), or { file }; 'promptsync secret set' does either"
        )
    unknown = [key for key in value if key not in WAYS]
    if unknown:
        raise ValueError(f"has an unknown way '{unknown[0]}'{suggest(unknown[0], WAYS)}; write {_THREE_WAYS}")
    if len(value) != 1:
        raise ValueError(f"must name one place: {_THREE_WAYS}")
    ((kind, name),) = value.items()
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"must name the place as text: {_THREE_WAYS}")
    if kind == "env" and "=" in name:
        raise ValueError("must name an environment variable, its name has no '='")
    if kind == "credential" and ("/" in name or name in (".", "..")):
        raise ValueError("must name a systemd credential alone, without a folder")
    return Secret(kind, name, folder)


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path} should hold a secret and is not a file")
        with path.open("rb") as file:
            value = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"the secret in {path} cannot be read: {error.strerror}; 'promptsync secret set' puts one there"
        ) from error
    if len(value) > _MAX_BYTES:
        raise ConfigError(f"{path} is too large for a secret (over {_MAX_BYTES} bytes)")
    return value


SecretField = Annotated[Secret, BeforeValidator(parse_secret)]
