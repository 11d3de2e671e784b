"""Nightly exports: names, headers and spelling as the specification says, and the vendor's known quirk."""

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from promptsync.clock import parse_iso
from promptsync.demo.prompt.snapshot import message_row, stamp, write_night
from promptsync.demo.world.time import midnight, midnight_before, midnights
from promptsync.demo.world.world import DAY, World
from promptsync.errors import Unavailable

HEADERS = {
    "org": "id,created_timestamp,subdomain,name",
    "contact": "id,created_timestamp,updated_timestamp,is_opted_out,opt_out_timestamp,phone,display_name,country_code,"
    "area_code,country_postal_code,region,timezone",
    "contact_data": "id,managed,created_timestamp,updated_timestamp,contact_id,key,value",
    "contact_tag": "id,created_timestamp,updated_timestamp,contact_id,name,deleted_timestamp",
    "opt_out": "id,created_timestamp,contact_id,org_phone,type",
    "opt_in": "id,created_timestamp,contact_id,org_phone,type",
    "message": "id,created_timestamp,sent_timestamp,content,is_mms,is_outgoing,is_broadcast,is_successful,is_billable,"
    "error_code,error_message,is_whisper,segments,contact_phone,contact_id,org_phone,broadcast_id,team_member_id",
    "broadcast": "id,created_timestamp,description,is_p2p,is_scrub,is_advanced_targeting,start_timestamp,"
    "finish_timestamp,num_contacts,num_sent,num_errors,num_opt_outs,num_responded,num_replied_to_reply,num_skipped,"
    "num_canceled,contact_list_ids",
}


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def night(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("night")
    paths = write_night(world, folder, midnight_before(world.present))
    assert sorted(paths) == sorted(path for path in folder.rglob("*") if path.is_file())
    return dict(zip(HEADERS, paths, strict=True))


def test_the_specified_headers(night: dict[str, Path]) -> None:
    for table, path in night.items():
        assert gzip.decompress(path.read_bytes()).decode().splitlines()[0] == HEADERS[table]


def test_names_and_folders(world: World, tmp_path: Path) -> None:
    paths = write_night(world, tmp_path, midnight(date(2025, 12, 4)), ("org", "message"))
    names = [str(path.relative_to(tmp_path)) for path in paths]
    assert names == ["org_2025-12-04T00-00-00-0800Z.csv.gz", "1287/message_1287_2025-12-04T00-00-00-0800Z.csv.gz"]


def test_stamps_follow_daylight_saving() -> None:
    assert stamp(midnight(date(2026, 3, 8))) == "2026-03-08T00-00-00-0800Z"
    assert stamp(midnight(date(2026, 3, 9))) == "2026-03-09T00-00-00-0700Z"
    assert stamp(midnight(date(2025, 11, 2))) == "2025-11-02T00-00-00-0700Z"
    assert stamp(midnight(date(2025, 11, 3))) == "2025-11-03T00-00-00-0800Z"
    assert midnight(date(2026, 3, 9)) - midnight(date(2026, 3, 8)) == 23 * 3600 * 1_000_000
    assert len(list(midnights(midnight(date(2026, 3, 7)), midnight(date(2026, 3, 10))))) == 3


def cells(rows: list[dict[str, str]], part: str) -> Iterator[str]:
    return (cell for row in rows for name, cell in row.items() if part in name)


def test_cells_are_spelled_as_the_vendor_does(night: dict[str, Path]) -> None:
    for path in night.values():
        rows = read(path)
        assert rows
        assert set(cells(rows, "is_")) <= {"true", "false"}
        for cell in cells(rows, "timestamp"):
            assert cell == "" or (cell.endswith("Z") and cell[10] == "T" and parse_iso(cell) > 0)
        keys = [(int(row["id"]), row.get("managed", "")) for row in rows]
        assert keys == sorted(set(keys))


def test_what_stops_at_midnight_and_what_runs_on(world: World, night: dict[str, Path]) -> None:
    as_of = midnight_before(world.present)
    for table in ("message", "broadcast", "opt_out", "opt_in"):
        assert all(parse_iso(row["created_timestamp"]) <= as_of for row in read(night[table]))
    assert len(read(night["message"])) == sum(m.at <= as_of for m in world.log.messages)
    late = 0
    for begin in midnights(world.start, world.present):
        late += sum(begin < c.updated(begin + 3600 * 10**6) for c in world.log.contacts)
    assert late > 0  # so that the hour after midnight is simulated at all


def test_texts_survive(world: World, night: dict[str, Path]) -> None:
    content = {int(row["id"]): row["content"] for row in read(night["message"])}
    assert any("\n" in text for text in content.values())
    assert all((content.get(m.id) or None) == m.content for m in world.log.messages if m.id in content)


def test_sent_is_never_corrected_to_undelivered(world: World) -> None:
    frozen = corrected = 0
    for message in world.log.messages:
        ending = message.ending
        if ending is None or ending.status != "UNDELIVERED":
            continue
        assert message.sent is not None
        row = message_row(message, midnight_before(ending.at + 3 * DAY))
        crossed = midnight_before(ending.at - 1) >= message.sent
        assert row["is_successful"] is crossed
        assert (row["error_code"] is None) is crossed
        assert row["is_billable"] is True
        frozen, corrected = frozen + crossed, corrected + (not crossed)
    assert frozen
    assert corrected


def test_the_same_night_has_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for run in ("a", "b"):
        small = World(5, contacts=40, messages=300)
        contents.append([p.read_bytes() for p in write_night(small, tmp_path / run, midnight_before(small.present))])
    assert contents[0] == contents[1]


def test_a_folder_that_cannot_be_written_is_said_so(world: World, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Unavailable, match="write"):
        write_night(world, blocked, midnight_before(world.present))
