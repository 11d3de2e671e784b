"""Files from the command line: load, dry run, held files, rejects, and what status says then."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_deliveries import customer, line, write
from cli_place import Place

TABLES = ("org", "contact", "contact_data", "contact_tag", "opt_out", "opt_in", "message", "broadcast")


def told(place: Place, *args: object, code: int = 0) -> Any:
    result = place.run(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def counts(place: Place) -> dict[str, int]:
    return {table: place.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def contacts(folder: Path, bad: int = 0, rows: int = 200, day: int = 4) -> Path:
    """An export of contacts; the first ``bad`` rows cannot be read."""
    lines = [f"{n},{'perhaps' if n <= bad else 'true'},+1312555{n:04d}\n" for n in range(1, rows + 1)]
    path = folder / f"contact_1287_2026-02-{day:02d}T00-00-00-0800Z.csv"
    path.write_text("id,is_opted_out,phone\n" + "".join(lines))
    return path


def test_load_and_load_again(place: Place, night: Path) -> None:
    first = told(place, "load", night)
    assert {file["state"] for file in first} == {"merged"}
    found = counts(place)
    assert found == {file["table"]: file["rows"] for file in first} and found["message"] == 300
    again = told(place, "load", night)
    assert {file["state"] for file in again} == {"unchanged"}
    assert counts(place) == found


def test_a_dry_run_writes_no_row(place: Place, night: Path) -> None:
    files = told(place, "load", "--dry-run", night)
    assert {(file["state"], file["inserted"] - file["rows"]) for file in files} == {("would merge", 0)}
    assert set(counts(place).values()) == {0}
    assert place.rows("SELECT * FROM sync_file") == place.rows("SELECT * FROM sync_snapshot") == []
    assert {file["state"] for file in told(place, "load", night)} == {"merged"}


def test_what_a_name_does_not_say(place: Place, tmp_path: Path) -> None:
    path = contacts(tmp_path).rename(tmp_path / "people.csv")
    assert [file["state"] for file in told(place, "load", path, code=1)] == ["ignored"]
    stated = ("--table", "contact", "--org", "1287", "--as-of", "2026-02-04T08:00:00Z")
    (file,) = told(place, "load", path, *stated)
    assert (file["state"], file["as_of"], file["org_id"]) == ("merged", "2026-02-04T08:00:00.000Z", 1287)


def test_nothing_to_load(place: Place, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = place.run("load", tmp_path / "empty")
    assert result.exit_code == 1 and result.stdout == "There was no file to load.\n"


def test_a_held_file_waits_for_a_person(place: Place, tmp_path: Path) -> None:
    told(place, "load", contacts(tmp_path))
    fewer = contacts(tmp_path, rows=20, day=5)
    result = place.run("load", fewer)
    assert result.exit_code == 1 and "--accept" in result.stderr and "held" in result.stdout
    assert any(fewer.name in says for says in told(place, "status", code=1)["problems"])
    (file,) = told(place, "load", "--accept", fewer)
    assert (file["state"], file["absent"]) == ("merged", 180)
    assert not any(fewer.name in says for says in told(place, "status", code=1)["problems"])


def test_a_held_file_is_named_once(place: Place, tmp_path: Path) -> None:
    junk = tmp_path / "people_v5_7_241600000000311123.parquet"
    junk.write_text("no parquet")
    result = place.run("load", junk)
    assert result.exit_code == 1 and result.stderr.count(junk.name) == 1
    (says,) = (says for says in told(place, "status", code=1)["problems"] if junk.name in says)
    assert says.count(junk.name) == 1 and "held (is no parquet file" in says and ".)" not in says


@pytest.fixture
def rejected(place: Place, tmp_path: Path) -> Place:
    """A row that cannot be read and a delivery of another organization."""
    told(place, "load", contacts(tmp_path, bad=1), code=1)
    other = line("customer/added", customer(7, org=99))
    assert place.run("events", "import", write(tmp_path / "in.jsonl", other)).exit_code == 0
    return place


def test_rejects_are_listed_and_shown(rejected: Place) -> None:
    found = told(rejected, "rejects", "list", code=1)
    assert {(one["class"], one["line"]) for one in found} == {("bad_boolean", 2), ("org_collision", None)}
    assert len(told(rejected, "rejects", "list", "--class", "bad_boolean", code=1)) == 1
    assert told(rejected, "rejects", "list", "--class", "nope") == []
    (row,) = (one["id"] for one in found if one["class"] == "bad_boolean")
    assert told(rejected, "rejects", "show", row)["original"] == "1,perhaps,+13125550001"
    assert "original: 1,perhaps,+13125550001\n" in rejected.run("rejects", "show", row).stdout
    words = rejected.run("rejects", "list").stdout
    assert "contact_1287_2026-02-04T00-00-00-0800Z.csv" in words
    assert any("2 rejected" in says for says in told(rejected, "status", code=1)["problems"])


def test_retry_after_the_file_was_put_right(rejected: Place, tmp_path: Path) -> None:
    result = told(rejected, "rejects", "retry", code=1)
    assert (result["deliveries"], len(result["files"]), result["gone"]) == (1, 1, [])
    contacts(tmp_path)
    told(rejected, "rejects", "retry", code=1)
    assert rejected.rows("SELECT phone FROM contact WHERE id = 1") == [("+13125550001",)]


def test_retry_of_a_file_that_is_gone(rejected: Place, tmp_path: Path) -> None:
    contacts(tmp_path).unlink()
    result = rejected.run("rejects", "retry")
    assert result.exit_code == 1 and "is no longer there" in result.stdout


def test_discard(rejected: Place) -> None:
    first = told(rejected, "rejects", "list", code=1)[0]["id"]
    assert told(rejected, "rejects", "discard", first) == {"discarded": 1}
    assert told(rejected, "rejects", "discard", first) == {"discarded": 0}
    assert told(rejected, "rejects", "discard", "--all") == {"discarded": 1}
    assert rejected.run("rejects", "list").stdout == "There are none.\n"


def test_status_in_words_and_data(place: Place, night: Path, tmp_path: Path) -> None:
    told(place, "load", night)
    place.edit(r"^#\[alerts\]\n#stale_after = .*", '[alerts]\nstale_after = "36500 days"')
    result = place.run("status")
    assert result.exit_code == 0 and result.stdout.startswith("The mirror is up to date.\n")
    assert told(place, "status")["fresh"] is True
    lines = (line("quite/new", {"orgId": 1287}), line("message/added", "no JSON", "2026-02-04T08:00:01.000000Z"))
    place.run("events", "import", write(tmp_path / "in.jsonl", *lines))
    result = place.run("status")
    assert result.exit_code == 1 and "1 of unknown type, 1 failed" in result.stdout
    assert "event type quite/new" in result.stdout
    place.edit("^stale_after = .*", 'stale_after = "1 hours"')
    assert any("newer exports are missing" in says for says in told(place, "status", code=1)["problems"])
    quiet = place.run("--quiet", "status")
    assert (quiet.exit_code, quiet.output) == (1, "")


def test_an_export_of_a_time_that_has_not_come_waits_for_a_person(place: Place, tmp_path: Path) -> None:
    """By a typing error in a name or by hand; accepted, it is no sign of freshness and said while it lasts."""
    typo = contacts(tmp_path).rename(tmp_path / "contact_1287_2062-02-05T00-00-00-0800Z.csv")
    by_hand = ("--table", "contact", "--org", "1287", "--as-of", "2036-02-04T08:00:00Z")
    for asked in ((typo,), (contacts(tmp_path, day=6), *by_hand)):
        (file,) = told(place, "load", *asked, code=1)
        assert file["state"] == "held" and "has not come yet" in file["error"], file
    assert counts(place)["contact"] == 0
    right = contacts(tmp_path)
    assert told(place, "load", right)[0]["state"] == "merged"
    assert told(place, "load", "--accept", typo)[0]["state"] == "merged"
    status = told(place, "status", code=1)
    (contact,) = status["tables"]
    assert (contact["newest"], contact["future"]) == ("2026-02-04T08:00:00.000Z", "2062-02-05T08:00:00.000Z")
    assert any("2062-02-05" in problem and "doctor --repair" in problem for problem in status["problems"])


def test_as_many_other_rows_are_no_replacement(place: Place, tmp_path: Path) -> None:
    told(place, "load", contacts(tmp_path))
    other = contacts(tmp_path, day=5)
    other.write_text("id,is_opted_out\n" + "".join(f"{n},true\n" for n in range(1001, 1201)))
    (file,) = told(place, "load", other, code=1)
    assert file["state"] == "held" and "lacks 200 of the 200 rows" in file["error"]
    assert str(other) in file["error"]  # the command works as printed
    assert told(place, "load", "--accept", other)[0]["absent"] == 200


def test_rows_that_cannot_be_read_are_not_missing(place: Place, tmp_path: Path) -> None:
    """A quarter of the rows have a bad cell and stand there: none is absent, and nothing is held."""
    told(place, "load", contacts(tmp_path, rows=32))
    (file,) = told(place, "load", contacts(tmp_path, bad=8, rows=32, day=5), code=1)
    assert (file["state"], file["rejected"], file["absent"]) == ("merged", 8, 0)


def test_a_second_export_of_one_night_is_said_to_differ(place: Place, tmp_path: Path) -> None:
    path = contacts(tmp_path, rows=20)
    told(place, "load", path)
    path.write_text(path.read_text().replace("true,+13125550001", "false,+13125550001"))
    (file,) = told(place, "load", path, code=1)
    assert (file["state"], file["differing"]) == ("merged", 1)
    problems = told(place, "status", code=1)["problems"]
    (problem,) = [text for text in problems if "differs" in text]
    assert problem.endswith(f"promptsync load --corrects {path}")
    assert place.rows("SELECT is_opted_out FROM contact WHERE id = 1") == [(1,)]
    told(place, "load", "--corrects", path)
    assert place.rows("SELECT is_opted_out FROM contact WHERE id = 1") == [(0,)]
    problems = told(place, "status", code=1)["problems"]
    assert not [text for text in problems if "differs" in text]


def test_only_a_nightly_export_can_be_corrected(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "people_v5_1_241600000000000001.parquet"
    path.write_bytes(b"")
    result = place.run("load", "--corrects", path)
    assert result.exit_code == 2 and "nightly" in result.stderr


def test_a_wrong_zone_is_named(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "contact_1287_2026-02-04T00-00-00-0800Z.csv"
    path.write_text("id,updated_timestamp\n1,2026-02-04 08:30:00\n")  # meant in UTC, half an hour after the stamp
    told(place, "load", path)
    findings = told(place, "doctor", code=1)["findings"]
    assert next(f["says"] for f in findings if f["check"] == "time zone").startswith("1 rows of contact_1287")
