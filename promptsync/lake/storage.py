"""The object store, or folder, that a lake is in.

Owns where things are below the lake's location, and moving files between there and this machine. Nothing is ever
written over but ``lake.json``: every other name is used once, so that whoever reads sees a whole file or none.

    deliveries/   webhook deliveries as JSON Lines, as they are exported; listeners and people put them there
    incoming/     files that a person puts there: nightly exports, change sets, exports of the Qlara account
    tables/       a folder for each Delta table, promptsync's own included
    lake.json     what was decided when the lake was made
"""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import LocalStore

from promptsync.errors import ConfigError
from promptsync.places.object_listing import MISSING, Store
from promptsync.places.objects import object_store, translated
from promptsync.places.place import PlaceSettings, public_name
from promptsync.whole_file import PRIVATE, sync_folder, write_whole

DELIVERIES: Final = "deliveries"
INCOMING: Final = "incoming"
TABLES: Final = "tables"
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
        with self._reaching(key):
            obstore.put(self._store, key, source)

    def get(self, key: str, target: Path) -> Path:
        """A file of the lake on this machine: itself if it is in a folder, else copied to ``target``."""
        if self.folder is not None:
            return self.folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reaching(key), target.open("wb") as file:
            for piece in obstore.get(self._store, key).stream(min_chunk_size=1 << 20):
                file.write(piece)
        return target

    def keys(self, prefix: str) -> list[str]:
        """Everything whose key begins so."""
        with self._reaching(prefix):
            return [one["path"] for page in obstore.list(self._store, prefix=prefix) for one in page]

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders below one."""
        with self._reaching(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        return sorted(one.rstrip("/").rsplit("/", 1)[-1] for one in found)

    def read(self, key: str) -> bytes | None:
        """What is stored; None if nothing is."""
        with self._reaching(key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except MISSING:
                return None

    def write_once(self, key: str, content: bytes) -> bool:
        """Store what nobody else may read, unless something is there already; returns whether it was stored."""
        with self._reaching(key):
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
        with self._reaching(key):
            status = path.stat() if path else None
            obstore.put(self._store, key, content)
            if path and status:
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete files; one that is not there any more is none the less gone."""
        for key in sorted(keys):
            with self._reaching(key), suppress(*MISSING):
                obstore.delete(self._store, key)

    async def add(self, key: str, content: bytes) -> None:
        """Store something new; it is durable once this returns."""
        if self.folder is not None:
            with self._reaching(key):
                await asyncio.to_thread(_write, self.folder / key, content)
            return
        with self._reaching(key):
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
        with self._reaching(_SETTINGS):
            obstore.put(self._store, _SETTINGS, json.dumps(settings, indent=2).encode())

    def make_folders(self) -> None:
        """The folders that people put files into, where folders have to be made."""
        if self.folder is not None:
            for part in (DELIVERIES, INCOMING, TABLES):
                (self.folder / part).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _reaching(self, key: str) -> Iterator[None]:
        with translated(self.name, ConfigError(f"{self.name} has no {key}; was it removed?"), f" for {key}"):
            yield


def _write(path: Path, content: bytes) -> None:
    """A new file, on the disk with its name. Raises OSError."""
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content, _MODE)
    for folder in made:
        sync_folder(folder.parent)
