"""The inbox from the command line: list, show, export, import and apply again."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_deliveries import customer, line, write
from cli_place import Place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.clock import MICROS, iso_micros, system_clock

LINES = (
    line("customer/added", customer(), "2026-02-04T08:00:00.000001Z"),
    line("broadcast/state", {"orgId": 1287, "bulkActionId": 7, "status": "PAUSED"}, "2026-02-04T08:00:01.000002Z"),
    line("quite/new", {"orgId": 1287}, "2026-02-04T08:00:02.000003Z"),
    line("message/added", "no JSON at all: Ünï\n", "2026-02-04T08:00:03.000004Z"),
    line("customer/modified", {"orgId": 1287, "customers": []}, "2026-02-04T09:00:00.500000+01:00"),
)
ROWS = ("contact", "contact_channel", "broadcast", "broadcast_change")


@pytest.fixture
def inbox(place: Place, tmp_path: Path) -> Place:
    assert place.run("events", "import", write(tmp_path / "in.jsonl", *LINES)).exit_code == 0
    return place


def told(place: Place, *args: object, code: int = 0) -> Any:
    result = place.run("events", *args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def contents(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    tables = {table: place.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ROWS}
    tables["inbox"] = place.rows("SELECT received_at, type, path, body, state, error FROM sync_event ORDER BY id")
    return tables


def test_list_and_its_filters(inbox: Place) -> None:
    assert [row["id"] for row in told(inbox, "list")] == [5, 4, 3, 2, 1]
    assert [row["id"] for row in told(inbox, "list", "--limit", "2")] == [5, 4]
    assert [row["error"] for row in told(inbox, "list", "--failed")] == ["the body is not JSON"]
    assert [row["type"] for row in told(inbox, "list", "--state", "unknown_type")] == ["quite/new"]
    assert [row["id"] for row in told(inbox, "list", "--type", "broadcast/state")] == [2]
    assert told(inbox, "list", "--type", "broadcast/state", "--failed") == []
    assert len(inbox.run("events", "list").stdout.splitlines()) == 2 + len(LINES)


def test_show_one_whole(inbox: Place) -> None:
    assert told(inbox, "show", "4")["body"] == "no JSON at all: Ünï\n"
    words = inbox.run("events", "show", "2").stdout
    assert "path: broadcast/state\n" in words and '"bulkActionId": 7' in words
    assert re.search(r"(?m)^observed_at: 20\d\d-\d\d-\d\dT[\d:.]+Z$", words)
    assert "observed_at" not in inbox.run("events", "show", "4").stdout  # never read


def test_a_suffix_is_part_of_the_path_not_of_the_type(place: Place) -> None:
    place.run("events", "import", "-", stdin=line("contactAction/spring", {"orgId": 1287, "bulkActionId": 7}))
    assert (told(place, "show", "1")["type"], told(place, "show", "1")["path"]) == (
        "contactAction",
        "contactAction/spring",
    )
    (exported,) = place.run("events", "export", "-").stdout.splitlines()
    assert json.loads(exported)["type"] == "contactAction"


def test_another_mirror_from_an_export(inbox: Place, make_place: Callable[..., Place], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert inbox.run("events", "export", out).exit_code == 0
    other = make_place("other")
    assert told(other, "import", out) == {"imported": 5, "known": 0, "refused": 0}
    assert contents(other) == contents(inbox)
    assert contents(other)["contact_channel"]
    again = tmp_path / "again.jsonl"
    assert other.run("events", "export", again).exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_the_same_line_twice_is_one_delivery(inbox: Place, tmp_path: Path) -> None:
    before = contents(inbox)
    assert told(inbox, "import", write(tmp_path / "again.jsonl", *LINES, *LINES)) == {
        "imported": 0,
        "known": 10,
        "refused": 0,
    }
    assert contents(inbox) == before


def test_the_same_body_at_another_time_is_another(inbox: Place, tmp_path: Path) -> None:
    later = line("customer/added", customer(), "2026-02-04T08:00:00.000002Z")
    assert told(inbox, "import", write(tmp_path / "later.jsonl", later)) == {"imported": 1, "known": 0, "refused": 0}


def test_import_keeps_the_time_of_receipt(inbox: Place) -> None:
    assert told(inbox, "show", "5")["received_at"] == "2026-02-04T08:00:00.500000Z"


def test_a_line_may_not_claim_any_year(place: Place, tmp_path: Path) -> None:
    """Each that does is named, and the others are imported."""
    soon = iso_micros(system_clock() + 200 * MICROS)
    times = ["2062-02-04T08:00:00.000000Z", soon, "1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00.000000Z"]
    lines = [line("customer/added", customer(n + 1), at) for n, at in enumerate(times)]
    result = place.run("events", "import", write(tmp_path / "in.jsonl", lines[0], "", *lines[1:]))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Line 1 is left out: nothing was received at 2062-02-04T08:00:00.000000Z.",
        "Line 4 is left out: nothing was received at 1999-12-31T23:59:59.999999Z.",
    ]
    assert result.stdout == "2 deliveries imported, 0 were there already, 2 left out.\n"
    assert place.rows("SELECT id FROM contact ORDER BY 1") == [(2,), (4,)]


def test_from_standard_input_to_standard_output(place: Place) -> None:
    text = "\n\n".join(LINES)
    assert place.run("events", "import", "-", stdin=text).exit_code == 0
    result = place.run("events", "export", "-")
    assert [json.loads(one)["path"] for one in result.stdout.splitlines()] == [json.loads(one)["path"] for one in LINES]
    assert result.stderr == "5 deliveries written.\n"


def test_an_empty_inbox_is_an_empty_file(place: Place, tmp_path: Path) -> None:
    assert told(place, "import", write(tmp_path / "in.jsonl")) == {"imported": 0, "known": 0, "refused": 0}
    place.run("load", "--dry-run", tmp_path / "in.jsonl")
    assert place.run("events", "export", tmp_path / "out.jsonl").exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == ""
    for group in ("events", "export", "rejects"):
        assert place.run(group, "list").stdout == "There are none.\n", group


def test_replay_changes_no_row(inbox: Place) -> None:
    before = contents(inbox)
    assert told(inbox, "replay", "--all", code=1) == {"replayed": 5, "failed": 1}
    assert told(inbox, "replay", "--type", "quite/new")["replayed"] == 1
    assert told(inbox, "replay", "--failed", code=1)["replayed"] == 2
    assert told(inbox, "replay", "--since", "2026-02-04T08:00:01Z", code=1)["replayed"] == 3
    assert told(inbox, "replay", "--id", "5")["replayed"] == 1
    assert inbox.run("events", "replay", "--id", "4711").exit_code == 2
    assert contents(inbox) == before


BAD = ["{}", "[]", "nonsense", "\"text\"", line("a", "b", "yesterday"), '{"received_at": 1, "type": "a", "body": "b"}',
       '{"received_at": "2026-02-04", "type": "a", "body": {"orgId": 1}}']  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_a_line_that_is_no_delivery(place: Place, bad: str) -> None:
    result = place.run("events", "import", "-", stdin=f"{LINES[0]}\n{bad}\n")
    assert result.exit_code == 2 and result.stderr.startswith("promptsync: Line 2 is no delivery")
    assert "Traceback" not in result.stderr and result.stderr.count("\n") == 1


def test_bytes_that_are_no_text(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    result = place.run("events", "import", tmp_path / "bytes")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_any_body_survives(make_place: Callable[..., Place], tmp_path_factory: Any, body: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    one, two = make_place(f"{folder.name}a"), make_place(f"{folder.name}b")
    one.run("events", "import", "-", stdin=line("customer/added", body))
    one.run("events", "export", folder / "out")
    two.run("events", "import", folder / "out")
    assert two.rows("SELECT body FROM sync_event") == [(body,)]
