"""The object store, or folder, that a lake is in.

Owns where things are below the lake's location, and moving files between there and this machine. Every name is used
once, so that whoever reads sees a whole file or none; only ``keeping.json`` and erasing write over what is there, each
file as a whole.

    deliveries/   webhook deliveries as JSON Lines, as they are exported; listeners and people put them there
    incoming/     files that a person puts there: nightly exports, change sets, exports of the Qlara account
    tables/       a folder for each Delta table, promptsync's own included
    parts/        claims of a run under way, where several machines make them
    lake.json     what was decided when the lake was made
    erased.key    what the list of erased people is made with, once there is one
    erasing.json  an erasure that is to be carried out, until it is
    keeping.json  up to when has been swept what is kept for a limited time
"""

import asyncio
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import obstore
from obstore.store import LocalStore

from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.places.object_listing import MISSING, Store
from promptsync.places.objects import object_store, translated
from promptsync.places.place import PlaceSettings, public_name
from promptsync.whole_file import PRIVATE, sync_folder, write_whole

DELIVERIES: Final = "deliveries"
INCOMING: Final = "incoming"
TABLES: Final = "tables"
PARTS: Final = "parts"
_SETTINGS: Final = "lake.json"
_MODE: Final = 0o640


class Storage:
    """One lake's storage. ``settings``: of its location."""

    def __init__(self, settings: PlaceSettings) -> None:
        self.settings = settings
        self.name = public_name(settings.location)
        self.folder = None if "://" in settings.location else Path(settings.location)
        self._store: Store | LocalStore
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self.folder, mkdir=True)
        else:
            self._store = object_store(settings)

    def below(self, part: str) -> PlaceSettings:
        """The settings of a part of it as a place of its own."""
        return replace(self.settings, location=f"{self.settings.location.rstrip('/')}/{part}")

    def table_url(self, table: str) -> str:
        """Where a Delta table is, as Delta's readers spell it."""
        return f"{self.settings.location.rstrip('/')}/{TABLES}/{table}"

    @property
    def options(self) -> dict[str, str]:
        """What opens the store for Delta's readers."""
        known = self.settings
        scheme = known.location.partition("://")[0]
        if scheme == "s3":
            given = {
                "AWS_ACCESS_KEY_ID": known.access_key,
                "AWS_SECRET_ACCESS_KEY": known.secret_key,
                "AWS_REGION": known.region or ("us-east-1" if known.endpoint else None),
                "AWS_ENDPOINT_URL": known.endpoint,
                "AWS_ALLOW_HTTP": "true" if (known.endpoint or "").startswith("http://") else None,
            }
        elif scheme == "gs":
            key = known.private_key.decode() if known.private_key else None
            given = {"GOOGLE_SERVICE_ACCOUNT_KEY": key}
        elif scheme == "az":
            given = {"AZURE_STORAGE_ACCOUNT_NAME": known.access_key, "AZURE_STORAGE_ACCOUNT_KEY": known.secret_key}
        else:
            given = {}
        return {name: value for name, value in given.items() if value is not None}

    def put(self, key: str, source: Path | bytes) -> None:
        """Store a file of this machine, or some bytes."""
        with self.reaching(key):
            obstore.put(self._store, key, source)

    def get(self, key: str, target: Path) -> Path:
        """A file of the lake on this machine: itself if it is in a folder, else copied to ``target``."""
        if self.folder is not None:
            return self.folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.reaching(key), target.open("wb") as file:
            for piece in obstore.get(self._store, key).stream(min_chunk_size=1 << 20):
                file.write(piece)
        return target

    def keys(self, prefix: str) -> list[str]:
        """Everything whose key begins so."""
        with self.reaching(prefix):
            return [one["path"] for page in obstore.list(self._store, prefix=prefix) for one in page]

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders below one."""
        with self.reaching(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        return sorted(one.rstrip("/").rsplit("/", 1)[-1] for one in found)

    def read(self, key: str) -> bytes | None:
        """What is stored; None if nothing is."""
        with self.reaching(key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except MISSING:
                return None

    def write_once(self, key: str, content: bytes) -> bool:
        """Store what nobody else may read, unless something is there already; returns whether it was stored."""
        with self.reaching(key):
            try:
                obstore.put(self._store, key, content, mode="create")
            except obstore.exceptions.AlreadyExistsError:
                return False
        if self.folder is not None:
            (self.folder / key).chmod(PRIVATE)
        return True

    def rewrite(self, key: str, content: bytes) -> None:
        """Store other content under a name that is there, in a folder with the time that it had."""
        path = self.folder / key if self.folder is not None else None
        with self.reaching(key):
            status = path.stat() if path else None
            obstore.put(self._store, key, content)
            if path and status:
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete files; one that is not there any more is none the less gone."""
        for key in sorted(keys):
            with self.reaching(key), suppress(*MISSING):
                obstore.delete(self._store, key)

    def open(self, key: str) -> BinaryIO:
        """A file of the lake, of which only what is read is fetched. Raises Unavailable, as reading it does."""
        if self.folder is not None:
            return (self.folder / key).open("rb")
        with self.reaching(key):
            reader = obstore.open_reader(self._store, key)
        return io.BufferedReader(_Remote(self, key, reader), 1 << 20)

    def remove_below(self, part: str, before: float = float("inf")) -> None:
        """Delete the files below a part of the lake that were stored before this time, in seconds since 1970."""
        with self.reaching(part):
            for some in obstore.list(self._store, part):
                if gone := [one["path"] for one in some if one["last_modified"].timestamp() < before]:
                    obstore.delete(self._store, gone)
        if self.folder is not None:
            _remove_empty(self.folder / part)

    async def add(self, key: str, content: bytes) -> None:
        """Store something new; it is durable once this returns."""
        if self.folder is not None:
            with self.reaching(key):
                await asyncio.to_thread(_write, self.folder / key, content)
            return
        with self.reaching(key):
            await obstore.put_async(self._store, key, content)

    def read_settings(self) -> dict[str, Any] | None:
        """What was decided when the lake was made; None if there is none here. Raises ConfigError if it is damaged."""
        content = self.read(_SETTINGS)
        if content is None:
            return None
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not {"format", "buckets"} <= found.keys():
            raise ConfigError(
                f"{_SETTINGS} at {self.name} is damaged: write it anew with 'promptsync lake init', after you have "
                "taken it away; [lake] buckets must be what it was."
            )
        return found

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write that down."""
        with self.reaching(_SETTINGS):
            obstore.put(self._store, _SETTINGS, json.dumps(settings, indent=2).encode())

    def make_folders(self) -> None:
        """The folders that people put files into, where folders have to be made."""
        if self.folder is not None:
            for part in (DELIVERIES, INCOMING, TABLES):
                (self.folder / part).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def reaching(self, key: str) -> Iterator[None]:
        """Whatever goes wrong with a file within becomes an error of promptsync."""
        missing: PromptsyncError = ConfigError(f"{self.name} has no {key}; was it removed?")
        if key.startswith(f"{PARTS}/"):
            missing = Unavailable("Somebody is being erased, and claims of this run went, too; run it again.")
        with translated(self.name, missing, f" for {key}"):
            yield


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the lake, wherever that is; it can be sent to other machines."""

    storage: Storage
    key: str

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.key.rsplit("/", 1)[-1]

    def open(self, _: str = "rb") -> BinaryIO:
        """Its content, of which only what is read is fetched."""
        return self.storage.open(self.key)


class _Remote(io.RawIOBase):
    """An object as a file."""

    def __init__(self, storage: Storage, key: str, reader: "obstore.ReadableFile") -> None:
        self._storage, self._key, self._reader = storage, key, reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def readinto(self, into: Any) -> int:
        with self._storage.reaching(self._key):
            found = bytes(self._reader.read(len(into)))
        into[: len(found)] = found
        return len(found)


def _remove_empty(folder: Path) -> None:
    """Remove a folder's folders without files, and itself if it is one. Another run may be about to fill one."""
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        with suppress(OSError):
            path.rmdir()


def _write(path: Path, content: bytes) -> None:
    """A new file, on the disk with its name. Raises OSError."""
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, _MODE)
    for folder in made:
        sync_folder(folder.parent)
