"""The place that backups go to and come from, and the folder beside the mirror that they are made in.

Owns opening it, what is there, and what is left of work that was killed. Each function opens the place anew: copying
and compressing take minutes, in which a connection would go stale. Not for the event loop's thread.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from promptsync.backup.names import DIGEST, Stored, sort_out
from promptsync.config import BackupConfig
from promptsync.errors import ConfigError, InputRefused, MirrorFull, Unavailable, size_in_words
from promptsync.fetch.sources import place_settings
from promptsync.places.download import Bounds, download, with_retries
from promptsync.places.opening import open_place
from promptsync.places.patience import Patience, unless_stopped
from promptsync.places.place import Item, Place, PlaceSettings, public_name
from promptsync.places.safe_http import Gone

_WORK: Final = "backup-work-"
_SMALL: Final = 64 << 10
_SPARE: Final = 256 << 20
_MOST: Final = 1 << 42
_AT_ONCE: Final = 8

T = TypeVar("T")


class Destination:
    """``location``: another one than ``[backup]`` names, where nothing is removed. ``patience``: with one that does
    not answer. ``stopping``: set to have every call end soon, with Unavailable."""

    def __init__(
        self,
        config: BackupConfig,
        location: str | None = None,
        patience: Patience | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self._config, self._location = config, location or config.location
        self._bounds = Bounds(most=_MOST, attempts=3, md5=False, patience=patience or Patience())
        self.configured = location is None
        self._stopping = stopping or threading.Event()
        self.name = public_name(self._location)

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; None if it is elsewhere."""
        return None if "://" in self._location else Path(self._location)

    def make(self) -> None:
        """Make the folder, if it is one and only its last part lacks. Raises Unavailable."""
        folder = self.folder
        if folder is None or folder.is_dir():
            return
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise Unavailable(f"The folder {folder} cannot be made ({error.strerror}); is it mounted?") from error

    def look(self) -> tuple[Stored, list[bytes]]:
        """What is there, and the contents of the key files."""

        async def steps(place: Place) -> tuple[Stored, list[bytes]]:
            stored = sort_out(await _items(place))
            return stored, [await _small(place, item) for item in stored.keys]

        return self._run(steps)

    def find(self, key: str) -> list[Item]:
        """The item with this key, if it is there."""

        async def steps(place: Place) -> list[Item]:
            return [item for item in await _items(place) if item.key == key]

        return self._run(steps)

    def put(self, files: Sequence[tuple[str, Path]], tidy: str) -> None:
        """Store files under their names, in order, after removing what killed runs left under ``tidy``."""

        async def steps(place: Place) -> None:
            await place.tidy(tidy)
            for name, path in files:
                await place.put(name, path)

        self._run(steps)

    def fetch(
        self, wanted: Iterable[tuple[Item, Path]], progress: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        """Download items to files, several at once; those that are there are not fetched again."""
        lacking = [(item, path) for item, path in wanted if not path.is_file()]

        async def run() -> None:
            turn = asyncio.Semaphore(_AT_ONCE)
            async with open_place(self._settings()) as place, asyncio.TaskGroup() as tasks:

                async def one(item: Item, path: Path) -> None:
                    async with turn:
                        await download(place, item, path, self._bounds, progress)

                for item, path in lacking:
                    tasks.create_task(one(item, path))

        self._wait(run)

    def digest_of(self, item: Item) -> str | None:
        """The SHA-256 that the file beside a backup states, hex; None if it states none."""

        async def steps(place: Place) -> bytes:
            return await _small(place, item)

        first = self._run(steps).decode("ascii", "replace").split()[:1]
        return first[0].lower() if first and len(first[0]) == 64 else None

    def remove(self, items: Sequence[Item]) -> None:
        """Delete items; one that is gone already is no matter."""

        async def steps(place: Place) -> None:
            for item in items:
                with suppress(Gone):
                    await place.remove(item)

        if items:
            self._run(steps)

    def _settings(self) -> PlaceSettings:
        """What opens it; its secrets are read each time. Raises ConfigError."""
        return replace(place_settings(self._config), location=self._location)

    def _run(self, steps: Callable[[Place], Awaitable[T]]) -> T:
        async def once() -> T:
            async with open_place(self._settings()) as place:
                return await steps(place)

        async def run() -> T:
            return await with_retries(once, self._bounds)

        return self._wait(run)

    def _wait(self, run: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result, or the first error, whoever of several raised it."""
        try:
            return asyncio.run(unless_stopped(run(), self._stopping))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group


async def _items(place: Place) -> list[Item]:
    async with aclosing(place.pages()) as pages:  # type: ignore[type-var]
        return [item async for page in pages for item in page]


async def _small(place: Place, item: Item) -> bytes:
    content = bytearray()
    async with aclosing(place.read(item)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            content += piece
            if len(content) > _SMALL:
                raise InputRefused("too_large", f"{item.key} is larger than such a file can be; remove it.")
    return bytes(content)


def digest_line(name: str, sha256: str) -> tuple[str, bytes]:
    """The name and content of the file with a backup's digest."""
    return name + DIGEST, f"{sha256}  {name}\n".encode()


@contextmanager
def workspace(database: Path) -> Iterator[Path]:
    """A folder of one's own beside the mirror, mode 0700; it goes at the end, and what killed runs left at once."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        _clean(database.parent)
        folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=database.parent))
    except OSError as error:
        raise MirrorFull(f"{database.parent} cannot be written ({error.strerror}); make it writable.") from error
    try:
        with (folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clean(parent: Path) -> None:
    for folder in parent.glob(f"{_WORK}*"):
        with suppress(OSError), (folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def need_room(folder: Path, wanted: int, what: str) -> None:
    """Raises MirrorFull if ``wanted`` bytes would not fit into ``folder``. ``what``: what needs them, in words."""
    free = shutil.disk_usage(folder).free
    if free < wanted + _SPARE:
        raise MirrorFull(
            f"{what} needs {size_in_words(wanted + _SPARE)} in {folder}, and {size_in_words(free)} are free: make room."
        )


def write_small(path: Path, content: bytes) -> Path:
    """A small file to be stored, mode 0600."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    return path


def location_of(given: str) -> str:
    """A location that was given by hand: a path becomes whole. Raises ConfigError for what nothing is stored at."""
    scheme = given.partition("://")[0] if "://" in given else ""
    if scheme in ("http", "https"):
        raise ConfigError(f"{public_name(given)} is a web server, which only hands out files; give a folder.")
    if scheme not in ("", "s3", "gs", "az", "sftp"):
        raise ConfigError(f"{scheme}:// is not known; give a folder, or s3://, gs://, az:// or sftp://.")
    return given if scheme else str(Path(given).expanduser().absolute())
