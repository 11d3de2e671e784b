"""The block index saves work and changes nothing: with it deleted before every night the rows are the same."""

import ast
import gzip
import hashlib
import inspect
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.clock import MICROS, iso_millis
from promptsync.events.apply import EventApplier
from promptsync.loading import content_blocks
from promptsync.loading.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.loading.known_blocks import FirstPass
from promptsync.merge.block_index import BlockIndex, Stretches
from promptsync.merge.guards import Guards
from promptsync.model.delivery import Delivery
from promptsync.store import ledger
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS
from tests.kinds import file_kinds

_DAY = 86_400 * MICROS
_START = 1_770_192_000 * MICROS  # 2026-02-04T08:00:00Z
_HEADER = "id,created_timestamp,content,is_outgoing,is_successful,contact_id\n"
_SPOILED = ["none", "unsorted", "doubled", "bad row", "fewer columns", "stray quote"]


@dataclass
class Night:
    """One file and what is delivered after it. ``rows``: id to content."""

    rows: dict[int, str]
    spoiled: str = "none"
    statuses: list[tuple[int, int, str]] = field(default_factory=list)  # message, hours after the night, status


def _file(folder: Path, number: int, night: Night) -> Path:
    at = _START + number * _DAY
    lines = [
        f'{key},{iso_millis(_START - _DAY)},"{text}",true,{str(key % 7 != 0).lower()},{key % 5 + 1}\n'
        for key, text in night.rows.items()
    ]
    if night.spoiled == "unsorted" and len(lines) > 3:
        lines[1], lines[-2] = lines[-2], lines[1]
    if night.spoiled == "doubled" and lines:
        lines.insert(len(lines) // 2, lines[len(lines) // 2])
    if night.spoiled == "bad row":
        lines.insert(len(lines) // 2, "4711,not a time,x,true,true,1\n")
    if night.spoiled == "stray quote":
        lines.insert(len(lines) // 2, f'{max(night.rows) + 1},{iso_millis(at)},5" of snow,true,true,1\n')
    header = _HEADER
    if night.spoiled == "fewer columns":
        header = header.replace(",contact_id", "")
        lines = [line.rpartition(",")[0] + "\n" for line in lines]
    stamp = iso_millis(at)[:19].replace(":", "-")
    path = folder / f"message_9_{stamp}Z.csv.gz"
    path.write_bytes(gzip.compress((header + "".join(lines)).encode(), 1, mtime=0))
    return path


def _loader(folder: Path, empty: Path) -> tuple[Mirror, FileLoader, EventApplier]:
    shutil.copyfile(empty, folder / "mirror.db")
    mirror = Mirror(folder / "mirror.db", declared_schema())
    loader = FileLoader(mirror, LoadSettings(ZoneInfo("UTC"), Guards(0.0, 1.0)), lambda: _START)
    return mirror, loader, EventApplier(mirror, HANDLERS, touched=loader.touched)


def _deliver(mirror: Mirror, applier: EventApplier, number: int, night: Night) -> None:
    for turn, (key, hours, status) in enumerate(night.statuses):
        at = _START + number * _DAY + hours * 3600 * MICROS
        message = {"id": key, "status": status, "userType": "TEAM_MEMBER", "userId": 3, "content": f"told {hours}"}
        body = json.dumps({"orgId": 9, "timestamp": at // 1000, "message": message})
        received = _START + 40 * _DAY + number * 1000 + turn
        mirror.writer.run(lambda c, b=body, r=received: insert_event(c, Delivery("message/status", b), r))
    while mirror.writer.run(applier.apply_some):
        pass


def _rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    shown = [row[1] for row in connection.execute("PRAGMA table_info(message)") if not row[1].startswith("_")]
    columns = ", ".join([*shown, "_absent_since", "_in_snapshot"])
    return connection.execute(f"SELECT {columns} FROM message ORDER BY id").fetchall()


def _live(
    folder: Path, empty: Path, nights: list[Night], before: Callable[[Mirror], None]
) -> tuple[list[object], list[FileReport]]:
    folder.mkdir()
    mirror, loader, applier = _loader(folder, empty)
    kinds = file_kinds()
    reports = []
    try:
        for number, night in enumerate(nights):
            before(mirror)
            reports.append(loader.load(kinds.at_door(LoadRequest(_file(folder, number, night), "test"))))
            _deliver(mirror, applier, number, night)
        with mirror.reading() as connection:
            return list(_rows(connection)), reports
    finally:
        mirror.close()


def _forget(mirror: Mirror) -> None:
    mirror.writer.run(lambda connection: connection.execute("UPDATE sync_snapshot SET blocks = NULL") and None)


def _nights(seed: int, count: int, spoiled: list[str]) -> list[Night]:
    rng = random.Random(seed)
    rows = {key: f"text {key}" for key in range(150, 150 + rng.randrange(900, 2_000))}
    nights = []
    for number in range(count):
        for key in rng.sample(sorted(rows), 2):
            rows[key] = rng.choice([f"changed {number}", "a\n500,b", "", "1,2 \n"])
        lost = rng.choice([0, 1, 250])
        begin = rng.randrange(len(rows))
        for key in sorted(rows)[begin : begin + lost]:
            del rows[key]
        top = max(rows)
        rows |= {top + n: f"new {number}" for n in range(1, rng.randrange(2, 40))}
        rows[rng.randrange(1, top)] = "back again"
        rows = dict(sorted(rows.items()))
        told = [*rng.sample(sorted(rows), 6), top + 5000]
        statuses = [(key, rng.randrange(-30, 40), rng.choice(["SENT", "DELIVERED", "QUEUED"])) for key in told]
        nights.append(Night(dict(rows), spoiled[number % len(spoiled)], statuses))
    return nights


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10_000),
    st.integers(3, 5),
    st.lists(st.sampled_from(["none"] * 12 + _SPOILED), min_size=5, max_size=5),
)
def test_without_the_index_the_rows_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, empty: Path, seed: int, count: int, spoiled: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    nights = _nights(seed, count, spoiled)
    with_index, reports = _live(folder / "with", empty, nights, lambda _: None)
    without, plain = _live(folder / "without", empty, nights, _forget)
    assert with_index == without
    counted = [(r.state, r.rows, r.inserted, r.updated, r.unchanged, r.absent, r.rejected) for r in reports]
    assert counted == [(r.state, r.rows, r.inserted, r.updated, r.unchanged, r.absent, r.rejected) for r in plain]


def test_unchanged_stretches_are_not_read(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    unknown = FirstPass.unknown

    def watched(self: FirstPass) -> object:
        pieces = list(unknown(self))
        read.append(sum(map(len, pieces)))
        return iter(pieces)

    monkeypatch.setattr(FirstPass, "unknown", watched)
    rows = {key: f"text {key}" for key in range(1, 5000)}
    nights = [Night(rows), Night(rows | {2500: "changed"})]
    _, reports = _live(tmp_path / "one", empty, nights, lambda _: None)
    assert (reports[1].updated, reports[1].unchanged, reports[1].rows) == (1, 4998, 4999)
    assert len(read) == 1
    assert read[0] < 15_000  # of about 300,000 bytes


def test_an_index_survives_being_stored() -> None:
    numbers = np.arange(3)
    digests = np.arange(6, dtype=np.uint64).reshape(3, 2)
    some = Stretches(numbers[:1], numbers[1:2], digests[1:2])
    index = BlockIndex(b"i" * 16, digests, numbers, numbers + 1, numbers + 2, numbers + 3, some)
    blob = b"".join(index.parts())
    again = BlockIndex.read(BytesIO(blob).read, len(blob))
    assert again is not None
    assert b"".join(again.parts()) == blob
    assert [again.stretches.at, again.stretches.count] == [[0], [1]]
    assert [again.rows.tolist(), again.sizes.tolist()] == [[2, 3, 4], [3, 4, 5]]
    assert BlockIndex.read(BytesIO(b"something else").read, 14) is None
    assert BlockIndex.read(BytesIO(blob + b"x").read, len(blob) + 1) is None
    assert BlockIndex.read(BytesIO(b"x" + blob[1:]).read, len(blob)) is None


def test_an_index_is_none_any_more_by_a_page_of_the_log(tmp_path: Path, empty: Path) -> None:
    rows = {key: f"text {key}" for key in range(1, 60_000)}
    shutil.copyfile(empty, tmp_path / "mirror.db")
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    try:
        loader = FileLoader(mirror, LoadSettings(ZoneInfo("UTC"), Guards(0.0, 1.0)), lambda: _START)
        loader.load(file_kinds().at_door(LoadRequest(_file(tmp_path, 0, Night(rows)), "test")))

        def index(connection: sqlite3.Connection) -> BlockIndex | None:
            return ledger.blocks_of_newest(connection, "message", 9)

        found = mirror.writer.run(index)
        assert found is not None and sum(map(len, found.parts())) > 200_000
        mirror.writer.run(lambda c: c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), bare=True)
        mirror.writer.run(lambda c: ledger.void_blocks(c, "message", 9))
        assert (tmp_path / "mirror.db-wal").stat().st_size < 20_000
        assert mirror.writer.run(index) is None
        mirror.writer.run(lambda c: ledger.void_blocks(c, "message", 9))
        mirror.writer.run(lambda c: ledger.keep_blocks(c, "message", 9, (1, _START), None))
        assert mirror.writer.run(lambda c: c.execute("SELECT count(blocks) FROM sync_snapshot").fetchone()) == (0,)
    finally:
        mirror.close()


READS_CELLS = (
    *("formats.cells", "formats.times", "formats.csv.block", "formats.csv.dialect", "formats.csv.encoding"),
    *("formats.csv.header", "formats.csv.quote_places", "formats.csv.reader"),
    *("formats.csv.records", "formats.csv.row_typing", "formats.csv.text", "formats.csv.time_spelling"),
)
"""What decides which values the bytes of a snapshot mean."""
READ_AS = (b"4", "c7a2648e9298813e")
"""The version of the block index, and a digest of these modules as they were when it was last looked at."""


def test_the_version_of_the_index_changes_with_how_cells_are_read() -> None:
    trees = [ast.parse(inspect.getsource(import_module(f"promptsync.{name}"))) for name in READS_CELLS]
    digest = hashlib.sha256("".join(map(_meaning, trees)).encode()).hexdigest()[:16]
    assert (content_blocks._VERSION, digest) == READ_AS, (
        f"The modules that read cells have changed: their digest is {digest} now. If a cell of any file may be read "
        "differently, raise _VERSION in loading/content_blocks.py: else blocks that were read in the old way are taken "
        "for known. Then state both in READ_AS."
    )


def _meaning(node: object) -> str:
    """A syntax tree as text, the same whatever comments, docstrings and spacing it has and whichever Python it is."""
    if isinstance(node, list):
        kept = [one for one in node if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
        return "[" + ",".join(map(_meaning, kept)) + "]"
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return type(node).__name__ + "(" + ",".join(f"{name}={_meaning(value)}" for name, value in fields) + ")"
    return repr(node)
