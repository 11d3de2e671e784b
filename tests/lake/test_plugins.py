"""A lake with plugins that handle deliveries, filter what is merged and read files of their own has a mirror's rows."""

import gzip
import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptsync.cli import main
from promptsync.clock import parse_iso
from promptsync.config import load_config
from promptsync.errors import ConfigError
from promptsync.lake.lines import event_id
from promptsync.lake.opening import make_lake, open_lake
from promptsync.merge.version import PER_MICRO
from promptsync.model.delivery import Delivery

from .home import Home

PLUGINS = Path(__file__).parents[2] / "plugins"
ENABLED = ("pledges", "shifts", "card_numbers")
NEWEST = 1_770_000_000
"""Of the file of shifts, seconds since 1970."""

FAILING = """
from promptsync import hookimpl

@hookimpl
def event_handlers(settings):
    def fail(fields, claims):
        raise KeyError("dollars")
    return {"pledge/added": fail}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "plugins").mkdir()
    for name in ENABLED:
        shutil.copy(PLUGINS / f"{name}.py", tmp_path / "plugins")
    listed = tmp_path / "shifts.csv"
    listed.touch()
    enabled = f"[plugins]\nenabled = {json.dumps(ENABLED)}\n[plugins.shifts]\nlist = {str(listed)!r}\n"
    home = Home(tmp_path, enabled)
    assert home.run("init").exit_code == 0
    return home


def delivery(minute: int, type_: str, **said: object) -> str:
    body = json.dumps({"orgId": 1, **said})
    return json.dumps({"received_at": f"2026-02-03T12:{minute:02d}:00.000001Z", "type": type_, "body": body}) + "\n"


def fill(home: Home) -> Path:
    """The same into the lake and into a mirror; where that is."""
    content = "my card is 4111 1111 1111 1111"
    said = {"id": 5, "content": content, "userType": "CUSTOMER", "userId": 7, "status": "RECEIVED"}
    lines = [
        delivery(1, "pledge/added", contactId=7, dollars=25),
        delivery(2, "pledge/added", contactId=7, dollars=40),
        delivery(3, "pledge/added", dollars=1),
        delivery(4, "message/added", message=said),
        delivery(5, "pledge/taken", contactId=7),
    ]
    rows = f"id,content,status,contact_id\n1,{content},SENT,7\n2,hello,SENT,7\n"
    night = home.incoming / "message_1_2026-02-04T08-00-00Z.csv.gz"
    night.write_bytes(gzip.compress(rows.encode()))
    shifts = home.incoming / "shifts.csv"
    shifts.write_text("".join(f"{n},+1312555{n:04d},2026-03-0{1 + n % 9}T08:00:00Z,Hall {n}\n" for n in range(1, 40)))
    shifts.write_text(f"id,phone,starts_at,place\n{shifts.read_text()}40,,someday,Nowhere\n")
    os.utime(shifts, (NEWEST, NEWEST))
    deliveries = home.incoming.parent / "deliveries" / "all.jsonl"
    deliveries.write_text("".join(lines))
    for command in (("load", night, shifts), ("events", "import", deliveries), ("apply",)):
        result = CliRunner().invoke(main, ["--config", str(home.config), *map(str, command)], catch_exceptions=False)
        assert command == ("apply",) or result.exit_code in (0, 1), result.output
    return home.folder / "data" / "mirror.db"


def rows_of(mirror: Path, table: str) -> Counter[str]:
    """A mirror's rows, with what happened numbered as in a lake."""
    with closing(sqlite3.connect(f"file:{mirror}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        received = connection.execute("SELECT id, path, body, received_at FROM sync_event").fetchall()
        ids = {n: event_id(Delivery(path, body, received_at=parse_iso(at))) for n, path, body, at in received}
        found = [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
    return Counter(shown(row | ({"event_id": ids[row["event_id"]]} if table == "pledge" else {})) for row in found)


def shown(row: dict[str, object]) -> str:
    return repr(sorted((k, v) for k, v in row.items() if v is not None and (k[0] != "_" or k == "_absent_since")))


def test_rows_are_those_of_a_mirror_with_the_same_plugins(home: Home) -> None:
    mirror = fill(home)
    result = home.run("run")
    assert result.exit_code == 1 and "shifts.csv" in result.output
    for table, count in {"pledge": 2, "contact": 1, "message": 3, "shift": 40}.items():
        expected = rows_of(mirror, table)
        assert expected.total() == count, table
        assert Counter(map(shown, home.rows(table))) == expected, table
    contents = [row["content"] or "" for row in home.rows("message")]
    assert sum("[card number]" in text for text in contents) == 2 and not any("4111" in text for text in contents)
    assert {row["_shift_at"] // PER_MICRO for row in home.rows("shift")} == {NEWEST * 1_000_000}
    assert [row["reason"] for row in home.rows("sync_reject") if row["class"] == "plugin"] == ["starts_at is no time"]
    assert home.run("run").exit_code == 0 and "0 files, 0 tables" in home.run("run").output


def test_a_delivery_whose_handler_fails_is_a_reject_and_the_others_are_merged(home: Home) -> None:
    (home.folder / "plugins" / "pledges.py").write_text(FAILING)
    lines = [
        delivery(1, "pledge/added", contactId=7),
        delivery(2, "customer/optOut", customer={"id": 7}, type="GLOBAL"),
    ]
    (home.incoming.parent / "deliveries" / "all.jsonl").write_text("".join(lines))
    assert home.run("run").exit_code == 1
    assert [row["id"] for row in home.rows("contact")] == [7]
    (reject,) = home.rows("sync_reject")
    assert "pledges" in reject["reason"] and "KeyError" in reject["reason"]


def test_what_a_paused_plugin_has_not_seen_is_merged_and_said(home: Home) -> None:
    (home.folder / "plugins" / "pledges.py").write_text(FAILING.replace("pledge/added", "customer/optOut"))
    lines = [delivery(n, "customer/optOut", customer={"id": n}, type="GLOBAL") for n in range(1, 41)]
    (home.incoming.parent / "deliveries" / "all.jsonl").write_text("".join(lines))
    assert home.run("run").exit_code == 1
    reasons = [row["reason"] for row in home.rows("sync_reject") if row["class"] == "delivery"]
    without = [reason for reason in reasons if "is merged without what that makes of it" in reason]
    merged = [row["id"] for row in home.rows("contact")]
    assert len(reasons) == 40 and len(without) == len(merged) and 0 < len(merged) < 40


def test_a_cluster_does_not_have_them(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    shutil.copy(PLUGINS / "pledges.py", tmp_path / "plugins")
    home = Home(tmp_path, 'engine = "spark"\n[plugins]\nenabled = ["pledges"]\n')
    config = load_config(home.config)
    make_lake(config)
    with pytest.raises(ConfigError, match=r"\(pledges\) are called by \[lake\] engine duckdb alone"):
        open_lake(config)
