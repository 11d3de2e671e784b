"""An export that is held keeps its file, and a person's word merges it: by its path, its number, wherever it lies."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from export_desk import Desk
from export_stage import SECOND, Stage

from promptsync.clock import parse_iso

BAD = "id,updatedAt,phone\n" + "".join(f"{n},perhaps,+1555{n:04d}\n" for n in range(10)) + "99,,+15559999\n"
"""Ten rows without a time, and a good one."""
MESSAGES = ("--from", "2026-02-01", "--to", "2026-02-02")


def held(desk: Desk, text: str = BAD) -> Path:
    """An export that was made and held; where its file lies."""
    desk.world.text = text
    result = desk.run("export", "request", "contacts", "--json")
    (job,) = json.loads(result.stdout)
    assert (result.exit_code, job["state"]) == (1, "failed")
    (path,) = (desk.folder / "data" / "exports").iterdir()
    assert desk.contacts() == [] and job["error"].endswith(str(path))
    return path


def merged(desk: Desk) -> None:
    assert [row[0] for row in desk.contacts()] == ["99"]
    assert desk.rows("SELECT state, error FROM sync_job") == [("loaded", None)]
    assert desk.rows("SELECT state, rejected, error FROM sync_file") == [("merged", 10, None)]
    assert desk.rows("SELECT DISTINCT class, line > 1 FROM sync_reject") == [("bad_time", 1)]


def test_the_sentence_names_the_first_bad_row_and_a_command_that_works(desk: Desk) -> None:
    held(desk)
    ((error,),) = desk.rows("SELECT error FROM sync_job")
    assert error.startswith("10 of its 11 rows cannot be read. The first, line 2, column updated_at: 'xxxxxxx' is no ")
    status = desk.run("status")
    assert status.exit_code == 1 and status.stdout.count("cannot be read") == 1
    command = shlex.split(error.partition("promptsync ")[2])
    assert desk.run(*command).exit_code == 1  # ten rejects
    merged(desk)
    assert "cannot be read" not in desk.run("status").stdout


@pytest.mark.parametrize(
    "stated", [(), ("--table", "qlara_contact"), ("--table", "qlara_contact", "--org", "1", "--as-of", "2026-02-01")]
)
def test_its_path_may_be_given_with_its_table(desk: Desk, stated: tuple[str, ...]) -> None:
    path = held(desk)
    (report,) = json.loads(desk.run("load", "--accept", str(path), *stated, "--json").stdout)
    assert (report["state"], report["table"], report["inserted"], report["rejected"]) == (
        "merged", "qlara_contact", 1, 10,
    )  # fmt: skip
    merged(desk)


def test_without_a_persons_word_it_stays_held(desk: Desk) -> None:
    path = held(desk)
    for args in (("load", str(path)), ("export", "resume"), ("export", "resume", "1")):
        result = desk.run(*args)
        assert result.exit_code == 1 and "10 of its 11 rows" in result.stderr, args
    assert desk.contacts() == [] and path.exists()
    assert desk.rows("SELECT state FROM sync_file") == [("held",)]
    assert desk.run("load", "--dry-run", "--accept", str(path)).exit_code == 1 and desk.contacts() == []


def test_the_job_can_be_accepted_by_its_number(desk: Desk) -> None:
    held(desk)
    assert desk.run("export", "resume", "7", "--accept").exit_code == 2
    result = desk.run("export", "resume", "1", "--accept")
    assert result.exit_code == 1 and "10 rows could not be merged" in result.stderr
    merged(desk)


def test_a_setting_that_was_changed_counts_when_it_is_tried_again(desk: Desk) -> None:
    held(desk)
    desk.write(desk.server.address, "[load]\nmax_bad_rows_share = 0.95\n")
    (job,) = json.loads(desk.run("export", "resume", "--json").stdout)
    assert job["state"] == "loaded"
    merged(desk)


def test_a_file_of_elsewhere_needs_its_time(desk: Desk, tmp_path: Path) -> None:
    saved = tmp_path / "from the website.csv"
    shutil.move(held(desk), saved)
    assert desk.run("load", "--accept", str(saved)).exit_code == 1
    said = desk.run("load", "--accept", str(saved), "--table", "qlara_contact")
    assert said.exit_code == 2 and "--as-of" in said.stderr
    when = ("--as-of", "2026-02-01T00:00:00Z")
    desk.run("load", "--accept", str(saved), "--table", "qlara_contact", *when)
    assert [row[0] for row in desk.contacts()] == ["99"]
    assert saved.exists()
    assert desk.run("load", str(saved), "--table", "opt_outs", *when).exit_code == 2


def test_what_was_rejected_can_be_tried_again_and_is_then_put_away(desk: Desk) -> None:
    path = held(desk)
    desk.run("load", "--accept", str(path))
    assert path.exists()
    path.write_text(BAD.replace("perhaps", "2026-02-01T00:00:00Z"))
    result = desk.run("rejects", "retry", "--json")
    assert json.loads(result.stdout)["left"] == 0 and result.exit_code == 0
    assert len(desk.contacts()) == 11 and not path.exists()


def test_rejects_that_are_discarded_let_the_file_go(desk: Desk) -> None:
    path = held(desk)
    desk.run("load", "--accept", str(path))
    desk.world.text = ""
    desk.run("export", "request", "contacts")
    assert path.exists()
    desk.run("rejects", "discard", "--all")
    desk.run("export", "request", "contacts")
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("id,id,phone\n1,2,+1555\n", ["1"]),
        ("id,phone\n1,+1555\n,\n", ["1"]),
        ('id,name\n1,a\n2,"b\n', ["1"]),
        ('id,name\n1,a\n2,"b"c\n3,d\n', ["1", "3"]),
    ],
)
def test_whatever_holds_an_export_can_be_accepted(desk: Desk, text: str, accepted: list[str]) -> None:
    path = held(desk, text)
    desk.run("load", "--accept", str(path))
    assert [row[0] for row in desk.contacts()] == accepted


def test_a_record_that_is_cut_is_held_though_its_transfer_was_whole(stage: Stage) -> None:
    stage.world.text = "id,name,phone\n1,a,+1555\n2,b"
    job = stage.one()
    assert (
        job["state"] == "failed" and "ends within the record at line 3" in job["error"] and "--accept" in job["error"]
    )
    (again,) = stage.exports.resume_by_hand([1], accept=True)
    assert (again["state"], again["rejected"]) == ("loaded", 1)
    assert [row[0] for row in stage.contacts()] == ["1"]


def test_an_export_of_next_week_is_held(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("id,phone\n1,+1555\n")
    stated = ("--table", "qlara_contact", "--as-of", "2062-02-01T00:00:00Z")
    result = desk.run("load", str(path), *stated)
    assert result.exit_code == 1 and "has not come yet" in result.stderr
    assert desk.run("load", "--accept", str(path), *stated).exit_code == 0


def test_no_row_is_believed_to_be_newer_than_its_export(stage: Stage) -> None:
    """A row of 2062 gives way to the next export's row, and one of before 1970 is as new as its export."""
    stage.world.contacts = [{"id": "7", "name": "old", "updatedAt": "2062-01-01T00:00:00Z"}]
    stage.one()
    now = parse_iso(stage.query("SELECT requested_at FROM sync_job")[0][0])
    stage.clock = lambda: now + 7 * 3600 * SECOND
    stage.open()
    stage.world.contacts = [{"id": "7", "name": "new", "updatedAt": "1969-01-01T00:00:00Z"}]
    stage.one()
    assert stage.query("SELECT name FROM qlara_contact") == [("new",)]
