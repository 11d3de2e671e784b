"""A lake in a folder, run by the command line, and what its tables hold."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from deltalake import DeltaTable

from promptsync.cli import main
from promptsync.clock import parse_iso
from promptsync.lake.lines import event_id
from promptsync.model import Role
from promptsync.model.delivery import Delivery
from promptsync.vendors import declared_schema


@dataclass(frozen=True)
class Home:
    """``folder``: of the configuration; the lake is in ``lake`` below it unless ``location`` says otherwise."""

    folder: Path
    more: str = ""
    location: str = "lake"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'[mirror]\ntimezone = "{self.zone}"\n[lake]\nlocation = "{self.location}"\nbuckets = 4\n{self.more}'
        )

    @property
    def config(self) -> Path:
        return self.folder / "promptsync.toml"

    @property
    def incoming(self) -> Path:
        return self.folder / "lake" / "incoming"

    def run(self, *args: object) -> Result:
        """``promptsync lake`` with these arguments."""
        arguments = ["--config", str(self.config), "lake", *map(str, args)]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    def rows(self, table: str, options: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """The rows of a table, as any reader of Delta sees them; none if there is no such table."""
        lake = self.location if options else str(self.folder / self.location)
        where = f"{lake}/tables/{table}"
        if not DeltaTable.is_deltatable(where, options):
            return []
        return DeltaTable(where, storage_options=options).to_pyarrow_table().to_pylist()


def differing(home: Home, mirror: Path) -> set[str]:
    """The tables in which a lake and a mirror do not hold the very same rows. What happened is numbered by digests of
    the deliveries there, one after the other here; what only the mirror keeps of a row for itself is left out."""
    found = set()
    with closing(sqlite3.connect(f"file:{mirror}?mode=ro", uri=True)) as connection:
        received = connection.execute("SELECT id, path, body, received_at FROM sync_event").fetchall()
        ids = {n: event_id(Delivery(path, body, received_at=parse_iso(at))) for n, path, body, at in received}
        for table in declared_schema():
            if table.role is Role.OWN:
                continue
            cursor = connection.execute(f'SELECT * FROM "{table.name}"')
            names = [column[0] for column in cursor.description]
            shown = [name for name in names if not name.startswith("_") or name == "_absent_since"]
            numbered = "event_id" if table.role is Role.HAPPENED else ""
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
            here = Counter(tuple(ids[row[n]] if n == numbered else row[n] for n in shown) for row in rows)
            there = Counter(tuple(row.get(n) for n in shown) for row in home.rows(table.name))
            found |= {table.name} if here != there else set()
    return found


def unlike(one: Path, other: Path) -> set[str]:
    """The tables in which two mirrors differ; what happened may be numbered otherwise, for the same deliveries."""
    return {name for name, rows in _contents(one).items() if rows != _contents(other)[name]}


def _contents(mirror: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    found = {}
    with closing(sqlite3.connect(f"file:{mirror}?mode=ro", uri=True)) as connection:
        events = dict.fromkeys([0])
        for n, *said in connection.execute("SELECT id, received_at, path, body, state, error FROM sync_event"):
            events[n] = tuple(said)
        found["sync_event"] = Counter(events.values())
        for table in declared_schema():
            if table.role is Role.OWN and table.name not in ("day_count", "sync_full_list"):
                continue
            cursor = connection.execute(f'SELECT * FROM "{table.name}"')
            names = [column[0] for column in cursor.description]
            shown = sorted(n for n in names if not n.startswith("_") or n in ("_absent_since", "_in_snapshot"))
            numbered = "event_id" if table.role is Role.HAPPENED else ""
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
            found[table.name] = Counter(
                tuple(events[row[n]] if n == numbered else row[n] for n in shown) for row in rows
            )
    return found
