"""What is held of a person, as a command shows and hands it over, and forgetting them, with a daemon and without."""

import asyncio
import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_place import Place

from tests.daemons import running

BO, AL, TWIN, CY = 7301, 7302, 7303, 7304
PHONE, SHARED = "+12125550173", "+12125550184"


@pytest.fixture
def club(place: Place, tmp_path: Path) -> Place:
    """Four contacts: two of them share a number, one is at Qlara too."""
    contacts = tmp_path / "contact_1_2026-02-04T00-00-00-0800Z.csv"
    contacts.write_text(
        "id,display_name,phone,is_opted_out\n"
        f"{BO},Bo Canary,{PHONE},false\n{AL},Al,{SHARED},false\n"
        f"{TWIN},Al again,{SHARED},false\n{CY},=Cy,+12125550195,false\n"
    )
    messages = tmp_path / "message_1_2026-02-04T00-00-00-0800Z.csv"
    messages.write_text(
        "id,contact_id,content,contact_phone,is_outgoing,created_timestamp\n"
        + "".join(f"{id_ * 10},{id_},{id_} says canary,,false,2026-02-03T00:00:00Z\n" for id_ in (BO, AL, TWIN, CY))
    )
    people = tmp_path / "people.csv"
    people.write_text("id,phone,name\nq1,12125550173,Bo at Qlara\n")
    assert place.run("load", contacts, messages).exit_code == 0
    loaded = place.run("load", people, "--table", "qlara_contact", "--as-of", "2026-02-04T00:00:00Z")
    assert loaded.exit_code == 0, loaded.output
    return place


def test_everything_is_shown_and_nothing_is_changed(club: Place) -> None:
    shown = club.run("person", "--phone", "(212) 555-0173")
    assert shown.exit_code == 0
    assert f"contact {BO}" in shown.output and "Bo at Qlara" in shown.output and "7301 says canary" in shown.output
    assert "Al" not in shown.output
    document = json.loads(club.run("person", "--contact", BO, "--json").stdout)
    assert document["identifiers"] == {"contact": [str(BO)], "phone": [PHONE], "qlara_id": ["q1"]}
    assert {name: len(rows) for name, rows in document["tables"].items()} == {
        "contact": 1,
        "message": 1,
        "qlara_contact": 1,
    }
    assert "_rev" not in document["tables"]["contact"][0]
    tried = club.run("erase", "--contact", BO, "--dry-run", "--json")
    assert tried.exit_code == 0 and json.loads(tried.stdout)["tables"] == {
        "contact": 1,
        "message": 1,
        "qlara_contact": 1,
    }
    assert (
        club.run("person", "--contact", BO, "--json").stdout
        == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    )


def test_a_file_for_each_table(club: Place, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    done = club.run("person", "--contact", CY, "--csv", folder)
    assert done.exit_code == 0 and "2 files are in" in done.output
    assert sorted(path.name for path in folder.iterdir()) == ["contact.csv", "message.csv"]
    with (folder / "contact.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["display_name"] == "'=Cy" and row["phone"] == "+12125550195"
    assert (folder / "contact.csv").stat().st_mode & 0o077 == 0
    assert club.run("person", "--contact", CY, "--csv", folder).exit_code == 2


def test_what_is_not_certain_is_asked_for(club: Place) -> None:
    shown = club.run("person", "--contact", AL)
    assert shown.exit_code == 1
    assert f"{SHARED} is also that of contact {TWIN} (Al again)" in shown.output
    assert f"add --contact {TWIN}." in shown.output
    alone = club.run("erase", "--contact", AL, "--yes", "--json")
    assert alone.exit_code == 1 and json.loads(alone.stdout)["tables"] == {"contact": 1, "message": 1}
    assert club.rows("SELECT id FROM contact ORDER BY 1") == [(BO,), (TWIN,), (CY,)]


def test_both_are_forgotten_if_somebody_says_so(club: Place) -> None:
    done = club.run("erase", "--contact", AL, stdin="y\ny\n")
    assert done.exit_code == 0, done.output
    assert "Is this the same person?" in done.output and "Remove all of this for good?" in done.output
    assert club.rows("SELECT id FROM contact ORDER BY 1") == [(BO,), (CY,)]
    kept = club.run("erase", "--contact", BO, stdin="n\n")
    assert kept.exit_code == 1 and club.rows("SELECT count(*) FROM contact") == [(2,)]


@pytest.mark.parametrize("daemon", [False, True])
async def test_forgotten_for_good(club: Place, daemon: bool) -> None:
    words = (b"Canary", PHONE[1:].encode(), b"7301 says")
    before = club.database.read_bytes()
    assert all(word in before for word in words)
    command = ("erase", "--phone", PHONE, "--yes", "--json")
    if daemon:
        async with running(club.config):
            done = await asyncio.to_thread(club.run, *command)
            assert club.database.with_name("mirror.db-wal").stat().st_size == 0
            left = club.database.read_bytes()
    else:
        done = club.run(*command)
        left = club.database.read_bytes()
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["tables"] == {"contact": 1, "message": 1, "qlara_contact": 1}
    assert (result["id"], result["log_emptied"], result["remains"]) == (1, True, False)
    assert not any(word in left for word in words)
    listed = club.run("erase", "list")
    assert listed.exit_code == 0 and "contact 1, message 1, qlara_contact 1" in listed.output
    assert not any(word.decode() in listed.output for word in words)
    assert "Nothing is held" in club.run("erase", "--phone", PHONE, "--yes").output


async def test_the_file_is_written_anew_only_while_no_daemon_runs(club: Place) -> None:
    async with running(club.config):
        refused = await asyncio.to_thread(club.run, "erase", "--compact")
    assert refused.exit_code == 3 and "stop it" in refused.stderr
    assert club.run("erase", "--compact").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 2),
        (("--contact", "x", "--yes"), 2),
        (("--contact", "1", "--gone-at-vendor"), 2),
        (("--contact", "1", "--json"), 2),
        (("--contact", "99999", "--yes"), 0),
        (("--gone-at-vendor", "--yes"), 0),
    ],
)
def test_wrong_use(club: Place, options: tuple[str, ...], code: int) -> None:
    assert club.run("erase", *options).exit_code == code


def test_everyone_who_is_gone_at_the_vendor(club: Place, tmp_path: Path) -> None:
    path = tmp_path / "people_v5_7_1.parquet"
    gone = {
        "internal_customer_id": ["c1", "c2"],
        "deleted": [True, False],
        "email_addr": ["bo@x.example", "cy@x.example"],
    }
    pq.write_table(pa.table(gone | {"updated_at": [1, 1], "customer_id": ["1", "2"]}), path)
    attributes = tmp_path / "attributes_v5_7_1.parquet"
    phone = {"internal_customer_id": ["c1"], "attribute_name": ["phone"], "attribute_value": [PHONE], "timestamp": [1]}
    pq.write_table(pa.table(phone), attributes)
    assert club.run("load", path, attributes).exit_code == 0
    done = club.run("erase", "--gone-at-vendor", "--yes", "--json")
    assert done.exit_code == 0, done.output
    tables = {"cio_attributes": 1, "cio_people": 1, "contact": 1, "message": 1, "qlara_contact": 1}
    assert json.loads(done.stdout)["tables"] == tables
    assert club.rows("SELECT internal_customer_id FROM cio_people") == [("c2",)]
    (listed,) = json.loads(club.run("erase", "list", "--json").stdout)
    assert (listed["why"], listed["tables"]) == ("gone", tables)


def test_tables_that_nobody_declares_are_named(club: Place) -> None:
    with closing(sqlite3.connect(club.database)) as connection:
        connection.execute("CREATE TABLE club_card (holder INTEGER)")
    shown = club.run("person", "--contact", BO)
    assert shown.exit_code == 1
    assert "club_card were not looked at: enable the plugin whose they are" in shown.output
