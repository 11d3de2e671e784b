"""A mirror that was poisoned by times of the future: after the repair it is as one that never met them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from promptsync.clock import MICROS, parse_iso
from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event

NOW = parse_iso("2026-11-28T12:00:00Z")
DAY = 24 * 3_600 * MICROS


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    (tmp_path / "promptsync.toml").write_text("[webhook]\nallow_unauthenticated = true\n[browse]\nanonymous = true\n")
    with Engine(load_config(tmp_path / "promptsync.toml"), clock=lambda: NOW) as engine:
        yield engine


def export(folder: Path, stamp: str, *rows: str) -> Path:
    path = folder / f"contact_1_{stamp}T00-00-00Z.csv.gz"
    path.write_bytes(
        gzip.compress(("id,display_name,is_opted_out\n" + "".join(f"{row}\n" for row in rows)).encode(), mtime=0)
    )
    return path


def receive(engine: Engine, at: int, type_: str, **body: Any) -> None:
    delivery = Delivery(type_, json.dumps({"orgId": 1} | body), {}, at)
    engine.mirror.writer.run(lambda connection: insert_event(connection, delivery, at))
    engine.apply_pending()


def contacts(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.mirror.reading() as connection:
        sql = "SELECT id, display_name, is_opted_out, _absent_since FROM contact ORDER BY id"
        return connection.execute(sql).fetchall()


def load(engine: Engine, *paths: Path) -> list[str]:
    return [report.state for report in engine.load([LoadRequest(path, "load", accept=True) for path in paths])]


def test_an_accepted_export_of_the_future_is_taken_back(engine: Engine, tmp_path: Path) -> None:
    first, typo = (
        export(tmp_path, "2026-11-26", "1,Ana,false", "2,Ben,false"),
        export(tmp_path, "2062-11-27", "1,X,false"),
    )
    last = export(tmp_path, "2026-11-28", "1,Ana,true", "2,Bea,false")
    load(engine, first, typo, last)
    assert contacts(engine)[0][1:3] == ("X", 0) and contacts(engine)[1][3]  # wrong, and Ben counts as absent
    done = engine.loader.repair()
    assert [snapshot[2][:4] for snapshot in done.snapshots] == ["2062"] and done.files == 3
    assert load(engine, first, last) == ["merged", "merged"]
    assert contacts(engine) == [(1, "Ana", 1, None), (2, "Bea", 0, None)]
    assert load(engine, export(tmp_path, "2026-11-29", "1,Ana,true")) == ["merged"]
    assert contacts(engine)[1][3] == "2026-11-29T00:00:00.000Z"


def test_deliveries_received_while_the_clock_was_ahead_are_dated_anew(engine: Engine, tmp_path: Path) -> None:
    receive(engine, NOW - DAY, "customer/added", customer={"id": 1, "displayName": "Ana"})
    receive(engine, NOW + 3_650 * DAY, "customer/added", customer={"id": 1, "displayName": "wrong"})
    receive(engine, NOW - DAY // 2, "customer/added", customer={"id": 1, "displayName": "Bea"})
    assert contacts(engine) == [(1, "wrong", None, None)]
    done = engine.loader.repair()
    engine.apply_pending()
    assert (done.rows, done.deliveries, done.replayed) == ({"contact": 1}, 1, 3)
    assert contacts(engine) == [(1, "Bea", None, None)]
    with engine.mirror.reading() as connection:
        received = [at for (at,) in connection.execute("SELECT received_at FROM sync_event ORDER BY id")]
    assert received == sorted(set(received)) and received[-1] < "2027"
    assert load(engine, export(tmp_path, "2026-11-29", "1,Cleo,false")) == ["merged"]
    assert contacts(engine) == [(1, "Cleo", 0, None)]


def test_a_sound_mirror_is_left_as_it_is(engine: Engine, tmp_path: Path) -> None:
    load(engine, export(tmp_path, "2026-11-28", "1,Ana,false"))
    receive(engine, NOW, "customer/added", customer={"id": 1, "displayName": "Bea"})
    with engine.mirror.reading() as connection:
        before = list(connection.iterdump())
    assert not engine.loader.repair().anything
    with engine.mirror.reading() as connection:
        assert list(connection.iterdump()) == before
