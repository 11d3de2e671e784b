"""The mirror of a released version: what goes into it, what comes after it, and how its fixture is made.

Each release leaves ``fixtures/<version>.db.gz``, the mirror that it makes of ``before``, and ``<version>.json``, its
fingerprints by table. They are never made again: what later versions open is what that version wrote. With a version
that has none yet:

    python tests/store/released.py
"""

import csv
import gzip
import json
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from promptsync import __version__
from promptsync.cli import main

FIXTURES = Path(__file__).with_name("fixtures")

_CONTACT = (
    "org_id,id,display_name,phone,is_opted_out,opt_out_timestamp,created_timestamp,updated_timestamp,country_code,"
    "area_code,country_postal_code,region,timezone"
)
_MESSAGE = (
    "org_id,id,created_timestamp,contact_id,content,is_outgoing,is_successful,error_message,error_code,sent_timestamp,"
    "contact_phone,org_phone,broadcast_id,is_broadcast,team_member_id,is_mms,is_whisper,is_billable,segments"
)


def before(folder: Path) -> None:
    """Two nights, of which the second has a column that nobody declared and lacks one, deliveries and a change set."""
    _night(folder, "contact", 3, _CONTACT, [_contact(n, f"Name {n}", 1) for n in range(1, 9)])
    _night(folder, "message", 3, _MESSAGE, [_message(n, 2) for n in range(1, 41)])
    _night(folder, "contact", 4, _CONTACT, [_contact(n, f"Name {n}", 1) for n in range(2, 10)])
    later = [[*_message(n, 2)[:-1], "warm"] for n in range(1, 44)]
    _night(folder, "message", 4, _MESSAGE.replace("segments", "mood"), later)
    _deliveries(folder, 4, [("message/status", _status(41, "SENT")), ("customer/optOut", _opt_out(3))])
    _people(folder, 1, [("a", "ada@club.example", False), ("b", "bo@club.example", False)])


def after(folder: Path) -> None:
    """The next night, again without and with those columns, the next delivery of each kind and the next change set."""
    _night(folder, "contact", 5, _CONTACT, [_contact(n, f"Name {n}" if n < 5 else f"New {n}", 4) for n in range(2, 11)])
    _night(folder, "message", 5, _MESSAGE + ",mood", [[*_message(n, 3 + n % 2), "cold"] for n in range(5, 47)])
    _deliveries(folder, 5, [("message/status", _status(41, "DELIVERED")), ("message/status", _status(45, "FAILED"))])
    _people(folder, 2, [("b", "bo@new.example", False), ("c", "cy@club.example", True)])


def play(home: Path, part: str) -> None:
    """Load everything of a part (``before``, ``after``) into the mirror of ``home``, as a person would."""
    files = home / part
    files.mkdir(parents=True)
    {"before": before, "after": after}[part](files)
    home.joinpath("promptsync.toml").write_text('[mirror]\ndatabase = "mirror.db"\ntimezone = "America/Los_Angeles"\n')
    for command in (["load", str(files)], ["events", "import", str(home / f"{part}.jsonl")]):
        done = CliRunner().invoke(main, ["--config", str(home / "promptsync.toml"), *command], catch_exceptions=False)
        assert done.exit_code == 0, done.output


def versions() -> list[str]:
    """The versions that have left a mirror."""
    return sorted(path.name.removesuffix(".db.gz") for path in FIXTURES.glob("*.db.gz"))


def lay(version: str, home: Path) -> Path:
    """Put the mirror of a version into ``home``; returns the database."""
    home.mkdir()
    path = home / "mirror.db"
    path.write_bytes(gzip.decompress((FIXTURES / f"{version}.db.gz").read_bytes()))
    return path


def facts(version: str) -> dict[str, dict[str, str]]:
    """The fingerprints of a version, by table."""
    found: dict[str, dict[str, str]] = json.loads((FIXTURES / f"{version}.json").read_text())
    return found


def _contact(n: int, name: str, day: int) -> list[object]:
    updated = f"2026-02-{day:02d}T12:00:00.000-0800"
    return [1, n, name, f"1555010{n:04d}", "false", "", "2025-01-01T00:00:00.000-0800", updated, 1, 555, "US", "CA", ""]


def _message(n: int, segments: int) -> list[object]:
    at, text = f"2026-02-02T10:{n:02d}:00.000-0800", f"Text, number {n}"
    return [
        1,
        n,
        at,
        n % 8 + 1,
        text,
        "true",
        "true",
        "",
        "",
        at,
        "",
        "",
        "",
        "false",
        7,
        "false",
        "false",
        "true",
        segments,
    ]


def _status(id_: int, status: str) -> dict[str, object]:
    return {"orgId": 1, "timestamp": 1_770_220_000_000 + id_, "message": {"id": id_, "status": status}}


def _opt_out(id_: int) -> dict[str, object]:
    return {
        "orgId": 1,
        "customers": [{"id": id_}],
        "optOutType": "GLOBAL",
        "optOut": True,
        "timestamp": 1_770_220_000_000,
    }


def _night(folder: Path, table: str, day: int, header: str, rows: Iterable[list[object]]) -> None:
    with gzip.open(folder / f"{table}_1_2026-02-{day:02d}T00-00-00-0800Z.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def _deliveries(folder: Path, day: int, deliveries: Iterable[tuple[str, dict[str, object]]]) -> None:
    lines = [
        {"received_at": f"2026-02-{day:02d}T18:00:00.{n:06d}Z", "type": type_, "path": type_, "body": json.dumps(body)}
        for n, (type_, body) in enumerate(deliveries)
    ]
    folder.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _people(folder: Path, sequence: int, people: list[tuple[str, str, bool]]) -> None:
    ids, addresses, suppressed = (list(column) for column in zip(*people, strict=True))
    cells = {
        "workspace_id": [7] * len(ids),
        "customer_id": ids,
        "internal_customer_id": ids,
        "deleted": [False] * len(ids),
        "suppressed": suppressed,
        "updated_at": pa.array([1_770_000_000_000 + sequence] * len(ids), pa.timestamp("ms")),
        "email_addr": addresses,
    }
    pq.write_table(pa.table(cells), folder / f"people_v5_7_{sequence:018d}.parquet")


def make() -> None:
    """Write the fixture of this version. Refuses if it is there: a released mirror is never made again."""
    target = FIXTURES / f"{__version__}.db.gz"
    if target.exists():
        raise SystemExit(f"{target.name} is there already")
    with tempfile.TemporaryDirectory() as name:
        play(Path(name), "before")
        with closing(sqlite3.connect(Path(name) / "mirror.db")) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rows = connection.execute(
                "SELECT substr(name, 8), value FROM sync_state WHERE name GLOB 'schema:*' ORDER BY 1"
            )
            tables = [f"{json.dumps(table)}: {value}" for table, value in rows]
        target.write_bytes(gzip.compress((Path(name) / "mirror.db").read_bytes(), 9, mtime=0))
    (FIXTURES / f"{__version__}.json").write_text("{\n" + ",\n".join(tables) + "\n}\n")


if __name__ == "__main__":
    make()
