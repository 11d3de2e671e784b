"""A vendor is one package that uses the hooks: a fourth one is known everywhere, and nothing else changes for it.

Its table is of change sets, so what is held for Customer.io's holds for it: whole files, in any order, by version.
"""

import asyncio
import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from promptsync.browse.serve import build_datasette, close
from promptsync.cli import main
from promptsync.cli.browse import browse_settings
from promptsync.cli.extended import with_plugins
from promptsync.config import load_config
from promptsync.drop.intake import DropIntake
from promptsync.engine.engine import Engine
from promptsync.loading.report import LoadRequest
from promptsync.testing import Kit

VENDOR = Path(__file__).parent / "fourth_vendor.py"
ROWS = "SELECT workspace_id, order_id, status, total, changed_at FROM acme_order ORDER BY order_id"
DAY = 86_400_000_000
FIRST = 1_770_192_000_000_000

Order = tuple[str, str, float, int]
"""ID, status, total, and how many days after the first it changed."""
FILES: Sequence[Sequence[Order]] = (
    [("a", "new", 10.0, 0), ("b", "new", 20.5, 0)],
    [("a", "paid", 10.0, 2), ("c", "new", 7.0, 1)],
    [("b", "gone", 20.5, 3), ("a", "packed", 11.0, 1)],
)
MERGED = [
    (3, "a", "paid", 10.0, "2026-02-06T08:00:00.000Z"),
    (3, "b", "gone", 20.5, "2026-02-07T08:00:00.000Z"),
    (3, "c", "new", 7.0, "2026-02-05T08:00:00.000Z"),
]


def write(folder: Path, number: int) -> Path:
    """A file of shop 3."""
    ids, statuses, totals, days = zip(*FILES[number], strict=True)
    columns = {
        "order_id": pa.array(ids),
        "status": pa.array(statuses),
        "total": pa.array(totals),
        "changed_at": pa.array([FIRST + day * DAY for day in days], pa.timestamp("us", tz="UTC")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"orders_3_{number}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def enabled(kit: Kit) -> Kit:
    """The kit with the vendor."""
    return kit.enable(VENDOR, folder="shop")


def rows(kit: Kit) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in kit.rows(ROWS)]


def test_a_vendor_is_small() -> None:
    assert len(VENDOR.read_text().splitlines()) < 150


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_its_change_sets_are_merged_by_version_in_any_order(kit: Kit, tmp_path: Path, order: Sequence[int]) -> None:
    paths = [write(tmp_path / "in", number) for number in range(3)]
    reports = [enabled(kit).load_file(paths[number]) for number in (*order, order[0])]
    assert [report.state for report in reports] == ["merged"] * 3 + ["unchanged"]
    assert {(report.table, report.workspace_id) for report in reports} == {("acme_order", 3)}
    assert rows(kit) == MERGED


def test_an_older_file_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    newer, older = write(tmp_path, 1), write(tmp_path, 0)
    enabled(kit).load_file(newer)
    before = rows(kit)
    assert (kit.load_file(older).updated, rows(kit)[0]) == (0, before[0])


def test_its_source_brings_a_file_that_the_drop_folder_takes(kit: Kit) -> None:
    engine = enabled(kit).engine
    for number in (2, 0, 1):
        write(kit.folder / "shop", number)
    (plugin,) = engine.plugins.extensions.plugins
    drop = kit.config.drop.folder
    assert engine.plugins.scheduled(plugin, plugin.declared.sources[0], drop) == "3 files fetched"
    (drop / "orders_3_4.parquet").touch()
    waiting = sorted(drop.rglob("*.parquet"), key=engine.age)
    assert [path.name for path in waiting][:3] == ["orders_3_0.parquet", "orders_3_1.parquet", "orders_3_2.parquet"]
    outcomes = [asyncio.run(DropIntake(engine)(path)) for path in waiting]
    assert [outcome.state for outcome in outcomes] == ["done"] * 3 + ["ignored"], "the last one is empty"
    assert rows(kit) == MERGED


def test_its_type_of_event_becomes_rows(kit: Kit) -> None:
    id_ = enabled(kit).post("acme/arrived", {"orgId": 9, "timestamp": FIRST // 1000, "orderId": "a"})
    (row,) = kit.rows("acme_arrival")
    assert row == {"event_id": id_, "item": 0, "org_id": 9, "order_id": "a", "at": "2026-02-04T08:00:00.000Z"}


def test_a_file_that_is_its_and_cannot_be_taken_is_refused_in_its_words(kit: Kit, tmp_path: Path) -> None:
    path = write(tmp_path, 0).rename(tmp_path / "orders_of_today.parquet")
    report = enabled(kit).load_file(path)
    assert (report.state, report.reason) == ("ignored", "unknown_name")
    assert report.error == "orders_of_today.parquet is not like orders_3_17.parquet: have Acme write it anew."


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A mirror that holds its orders."""
    file = tmp_path / "promptsync.toml"
    file.write_text(
        "[webhook]\nport = 0\nallow_unauthenticated = true\n[browse]\nport = 0\nanonymous = true\n"
        f'[plugins]\nfolder = "{VENDOR.parent}"\nenabled = ["fourth_vendor"]\n'
        '[plugins.fourth_vendor]\nfolder = "shop"\n'
    )
    with Engine(load_config(file)) as engine:
        reports = list(engine.load(LoadRequest(write(tmp_path / "in", number), "load") for number in range(3)))
    assert {report.state for report in reports} == {"merged"}
    return file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), *arguments], catch_exceptions=False)


def test_the_commands_know_its_table(config: Path) -> None:
    assert "Orders of Acme's shops" in run(config, "schema", "acme_order").stdout
    (stated,) = [t for t in json.loads(run(config, "schema", "--json").stdout) if t["table"] == "acme_order"]
    assert {column["name"]: column["from"] for column in stated["columns"]}["total"] == ["change set"]
    (state,) = json.loads(run(config, "status", "--json").stdout)["change_sets"]
    assert (state["table"], state["workspace_id"], state["newest"]) == ("acme_order", 3, "000000000000000002")
    reset = json.loads(run(config, "reset", "acme_order", "--yes", "--json").stdout)
    assert reset[0]["rows"] == 3


def test_the_pages_know_its_table(config: Path) -> None:
    async def ask() -> list[Any]:
        loaded = load_config(config)
        settings, end = with_plugins(browse_settings(loaded), loaded)
        datasette = build_datasette(settings)
        try:
            paths = ("/mirror", "/mirror/acme_order")
            return [await datasette.client.get(path, headers={"host": "localhost"}) for path in paths]
        finally:
            close(datasette)
            end()

    start, page = asyncio.run(ask())
    assert ">Acme<" in start.text and "acme_order" in start.text
    assert "Orders of Acme&#39;s shops, as they are now." in page.text and "packed" not in page.text
    assert "What is to be paid (in EUR)" in page.text
