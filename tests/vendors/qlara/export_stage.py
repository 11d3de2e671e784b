"""A mirror, a configuration and a server that plays the export API, on a loop of its own."""

import asyncio
import csv
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faulty_qlara import BadDays, FaultyQlara

from promptsync.clock import MICROS, system_clock
from promptsync.config import Config
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.call import RetryPolicy
from promptsync.vendors.qlara.jobs import JobLimits
from promptsync.vendors.qlara.source import QlaraExports

KEY = "key-1234567890"
FAST = RetryPolicy(
    poll=(0.01, 0.03), tries=3, first_backoff=0.01, longest_backoff=0.03, longest_wait=5.0, answer_seconds=2.0,
    download_seconds=0.4,
)  # fmt: skip
LIMITS = JobLimits(deadline=400_000, attempts=6, settle=0)
CONTACTS = [
    {"id": "7", "phone": "+15550100", "First Name": "Ana", "tier": "gold", "updatedAt": "2026-02-01T10:00:00Z"},
    {"id": "8", "phone": "+15550101", "First Name": "Bo", "tier": "", "updatedAt": "2026-02-01T10:00:00Z"},
]
RANGE = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-03T00:00:00Z"}


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass
class World:
    """What the server exports."""

    contacts: list[dict[str, str]] = field(default_factory=lambda: [dict(row) for row in CONTACTS])
    messages: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""

    def rows(self, kind: str, asked: Mapping[str, Any]) -> str:
        if self.text:
            return self.text
        return as_csv(self.contacts if kind == "contacts" else self.messages)


@contextmanager
def serving(server: FaultyQlara) -> Iterator[FaultyQlara]:
    """The server on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def configure(folder: Path, address: str, **more: Any) -> Config:
    (folder / "key").write_text(KEY)
    section = {"base_url": address, "api_key": {"file": "key"}} | more
    return Config.read({"qlara": section}, folder)


class Stage:
    """One mirror and its exports. Opening it again is what a restart does."""

    def __init__(self, folder: Path, server: FaultyQlara, world: World, clock: Any = system_clock) -> None:
        self.folder, self.server, self.world, self.clock = folder, server, world, clock
        self.more: dict[str, Any] = {}
        self.policy, self.limits = FAST, LIMITS
        self.mirror: Mirror | None = None
        self.open()

    def open(self) -> "Stage":
        if self.mirror is not None:
            self.mirror.close()
        config = configure(self.folder, self.server.address, **self.more)
        self.stopping = threading.Event()
        config.mirror.database.parent.mkdir(exist_ok=True)
        self.mirror = Mirror(config.mirror.database, declared_schema())
        self.exports = QlaraExports(config, self.mirror, self.clock, self.stopping, self.policy, self.limits)
        return self

    @property
    def faults(self) -> BadDays:
        return self.server.faults

    def export(self, kind: str = "contacts", **asked: Any) -> list[dict[str, Any]]:
        return self.exports.carry_on(self.exports.request(kind, asked))

    def one(self, kind: str = "contacts", **asked: Any) -> dict[str, Any]:
        (row,) = self.export(kind, **asked)
        return row

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        assert self.mirror is not None
        with self.mirror.reading() as connection:
            return connection.execute(sql, values).fetchall()

    def contacts(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT id, phone, first_name FROM qlara_contact ORDER BY id")

    def close(self) -> None:
        assert self.mirror is not None
        self.mirror.close()


EXPECTED = [("7", "+15550100", "Ana"), ("8", "+15550101", "Bo")]
SECOND = MICROS
