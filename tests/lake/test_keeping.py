"""What is kept in a lake for a limited time only, from outside."""

import json
import time
from pathlib import Path

import pytest

from promptsync.clock import iso_millis, system_clock
from promptsync.config import load_config
from promptsync.lake.opening import open_lake
from tests.merge.files import write_file
from tests.merge.model import File
from tests.merge.world_values import NIGHTS

from .home import Home

COLUMNS = ("id", "contact_id", "is_outgoing", "content", "created_timestamp", "updated_timestamp", "is_mms")
OLD, NEW = "2026-01-05T08:00:00.000Z", iso_millis(system_clock() - 86_400_000_000)
KEPT = '[retention]\nmessage_content = "30 days"\nconsole_log = "30 days"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.run("init")
    return home


def night(home: Home, number: int) -> None:
    """Two messages, one of them old, and lines of a console's log that came with them."""
    rows = tuple((n, 1, 1, f"said {n}", at, None, 0) for n, at in ((1, OLD), (2, NEW)))
    write_file(home.incoming, File("message", 1, NIGHTS[number], COLUMNS, rows))
    lines = [
        {"received_at": at.replace("Z", "000Z"), "path": "console/log", "body": json.dumps({"orgId": 1, "message": at})}
        for at in (OLD, NEW)
    ]
    (home.incoming.parent / "deliveries" / f"{number}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def state(home: Home) -> tuple[dict[int, str | None], list[str]]:
    return {r["id"]: r["content"] for r in home.rows("message")}, sorted(r["message"] for r in home.rows("console_log"))


def swept(home: Home) -> dict[str, int]:
    result = home.run("run", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, int] = json.loads(result.stdout)["swept"]
    return found


def test_what_is_too_old_goes_and_does_not_come_again(home: Home) -> None:
    """Rows of what happened, texts of rows that stay, and rejects; until they are kept for longer again."""
    reject = {"class": "x", "table": "contact", "name": "x", "reason": "x"}
    old = [reject | {"rejected_at": OLD}, reject | {"rejected_at": NEW}]
    open_lake(load_config(home.config)).ledger.add("sync_reject", old)
    night(home, 0)
    assert swept(home) == {"rejects": 1}  # after 90 days, which is the default
    assert [row["rejected_at"] for row in home.rows("sync_reject")] == [NEW]
    whole = {1: "said 1", 2: "said 2"}, [OLD, NEW]
    assert state(home) == whole
    kept = Home(home.folder, KEPT)
    assert swept(kept) == {"message_content": 1, "console_log": 1}
    left = {1: None, 2: "said 2"}, [NEW]
    assert state(home) == left and len(home.rows("message")) == 2
    night(home, 1)
    assert swept(kept) == {} and state(home) == left
    longer = Home(home.folder)
    night(home, 2)
    assert swept(longer) == {} and state(home) == whole


def test_nothing_goes_by_a_clock_that_has_jumped(home: Home) -> None:
    night(home, 0)
    swept(home)
    kept, keeping = Home(home.folder, KEPT), home.folder / "lake" / "keeping.json"
    said = json.loads(keeping.read_text())
    keeping.write_text(json.dumps(said | {"clock": {"at": int(time.time() - 9 * 86_400) * 1_000_000}}))
    assert swept(kept) == {} and state(home)[1] == [OLD, NEW]
    keeping.write_text("[]")
    assert swept(kept) == {"message_content": 1, "console_log": 1}
    Home(home.folder, '[retention]\nconsole_lgo = "30 days"\n')
    assert "retention.console_lgo is nothing that can be kept" in home.run("run").stderr
