"""A machine whose mirror is backed up: deliveries and nights arrive, segments are shipped, it is lost and restored."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import tomlkit

from promptsync.backup.destination import Destination
from promptsync.backup.make import Made, make_backup
from promptsync.backup.restore import Request, Restored, restore
from promptsync.backup.segments import Shipping
from promptsync.clock import iso_micros, system_clock
from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest
from promptsync.merge.sql import quote
from promptsync.model.delivery import Delivery
from promptsync.store.connect import open_reader
from promptsync.store.inbox import insert_event
from promptsync.vendors.prompt.event_types import type_of_path

KEY = pyrage.x25519.Identity.generate()
BEGUN = system_clock() - 3600 * 1_000_000


@dataclass
class Home:
    """``folder``: of its configuration; ``place``: where its backups go."""

    folder: Path
    place: Path
    settings: dict[str, Any] = field(default_factory=dict)
    _open: Engine | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.place.mkdir(exist_ok=True)
        self.key = self.folder / "backup.key"
        self.key.write_text(f"# made by a test\n{KEY}\n")

    @property
    def config(self) -> Config:
        return Config.read({"backup": self._backup}, self.folder)

    @property
    def _backup(self) -> dict[str, Any]:
        backup = {"location": str(self.place), "recipient": str(KEY.to_public()), "identity": {"file": "backup.key"}}
        return {key: value for key, value in (backup | self.settings).items() if value is not None}

    def write_config(self, more: str = "") -> Path:
        """The same configuration as a file, for a process of its own. ``more``: other sections."""
        path = self.folder / "promptsync.toml"
        path.write_text(tomlkit.dumps({"backup": self._backup}) + more)
        path.chmod(0o600)
        return path

    @property
    def database(self) -> Path:
        return self.config.mirror.database

    @property
    def destination(self) -> Destination:
        return Destination(self.config.backup)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The open mirror; within another such block the same one."""
        if self._open is not None:
            yield self._open
            return
        with Engine(self.config) as engine:
            self._open = engine
            try:
                yield engine
            finally:
                self._open = None

    def receive(self, *numbers: int) -> None:
        """Deliveries, each with a time of receipt of its own."""
        with self.engine() as engine:
            for number in numbers:
                receive(engine, number)
            engine.apply_pending()

    def load(self, *paths: Path) -> None:
        with self.engine() as engine:
            for report in engine.load([LoadRequest(path, "load") for path in paths]):
                assert report.state in ("merged", "unchanged"), report

    def ship(self) -> None:
        with self.engine() as engine:
            Shipping(self.config, engine.mirror, self.destination, system_clock).ship()

    def backup(self) -> Made:
        return make_backup(self.config, self.destination, system_clock)

    def restore(self, name: str = "latest", **options: Any) -> Restored:
        return restore(self.config, self.destination, Request(name, **options), system_clock)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return rows(self.database)

    def found(self, words: str) -> list[int]:
        """Ids of messages that search finds."""
        with closing(open_reader(self.database)) as connection:
            sql = "SELECT rowid FROM message_fts WHERE message_fts MATCH ? ORDER BY 1"
            return [row[0] for row in connection.execute(sql, (words,))]

    @property
    def backups(self) -> list[Path]:
        return sorted(self.place.glob("mirror-*.age"))

    @property
    def segments(self) -> list[Path]:
        return sorted(self.place.glob("received-*.age"))


def receive(engine: Engine, number: int) -> None:
    message = {"id": number % 40, "content": f"hello number{number}", "createdTimestamp": 1_774_639_484_493 + number}
    user = {"id": number % 7, "displayName": f"Jane {number}", "userType": "CUSTOMER"}
    body = {"orgId": 1, "message": message | {"userId": number % 7, "status": "RECEIVED"}, "user": user}
    at = BEGUN + number * 1000
    delivery = Delivery("message/added", json.dumps(body), {}, at, type_of_path("message/added"))
    engine.mirror.writer.run(lambda connection: insert_event(connection, delivery, at))


def when(number: int) -> str:
    """When a delivery was received, ISO."""
    return iso_micros(BEGUN + number * 1000)


def rows(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a mirror says of the account: every vendor's table, without the numbers of revisions, and the deliveries."""
    with closing(open_reader(database)) as connection:
        names = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sync_*'"
        tables = [name for (name,) in connection.execute(f"{names} AND name NOT GLOB '[_s]*qlite*'")]
        found = {table: sorted(_rows(connection, table), key=repr) for table in tables}
        found["sync_event"] = connection.execute(
            "SELECT received_at, type, path, body, state FROM sync_event ORDER BY received_at"
        ).fetchall()
    return found


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    described = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    columns = ", ".join(quote(name) for (name,) in described if name not in ("_rev", "event_id"))
    return connection.execute(f"SELECT {columns} FROM {quote(table)}").fetchall()
