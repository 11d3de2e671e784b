"""Whom ``lake erase`` is about, where that is not certain."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from promptsync.cli import main
from tests.merge.files import write_file
from tests.merge.model import File
from tests.merge.world_values import NIGHTS

from .home import Home

PHONE = "+14155550123"
COLUMNS = ("id", "display_name", "phone")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two organizations with a contact each, who have one number; and one that both claim."""
    home = Home(tmp_path)
    home.run("init")
    for org, row in ((1, (71, "Ann", PHONE)), (2, (82, "Bob", PHONE))):
        write_file(home.incoming, File("contact", org, NIGHTS[0], COLUMNS, (row, (90, f"Cy {org}", None))))
    assert home.run("run").exit_code == 0
    return home


def names(home: Home) -> list[str]:
    return sorted(row["display_name"] for row in home.rows("contact"))


def test_a_number_that_two_share_is_asked_about(home: Home) -> None:
    result = home.run("erase", "--phone", PHONE, "--dry-run")
    assert result.exit_code == 1
    assert f"{PHONE} is shared" in result.output or f"{PHONE} is also that of" in result.output
    result = home.run("erase", "--contact", 71, "--yes")
    assert result.exit_code == 1 and "is also that of contact 82 (Bob)" in result.output
    assert names(home) == ["Bob", "Cy 1", "Cy 2"]


def test_it_is_the_same_person_if_that_is_said(home: Home) -> None:
    arguments = ["--config", str(home.config), "lake", "erase", "--contact", "71"]
    result = CliRunner().invoke(main, arguments, input="y\nn\n")
    assert "Is this the same person?" in result.output and names(home) == ["Ann", "Bob", "Cy 1", "Cy 2"]
    assert CliRunner().invoke(main, arguments, input="y\ny\n").exit_code == 0 and names(home) == ["Cy 1", "Cy 2"]


def test_an_organization_says_which_of_them_is_meant(home: Home) -> None:
    left = home.folder / "lake" / "tables" / "message" / "_bucket=1" / "killed.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a run that was killed before the table's first commit")
    assert "has no contact" in home.run("erase", "--phone", PHONE, "--org", 3, "--dry-run").stderr
    assert home.run("erase", "--phone", PHONE, "--org", 2, "--yes").exit_code == 1
    assert names(home) == ["Ann", "Cy 1", "Cy 2"] and not left.exists()
    result = home.run("erase", "--contact", 90, "--yes")
    assert result.exit_code == 1 and "contact 90 is claimed by organizations 1 and 2" in result.output
    assert names(home) == ["Ann"]


@pytest.mark.parametrize(
    "arguments", [(), ("--undo", 1, "--contact", 7), ("--json", "--contact", 7), ("--undo", 7, "--yes")]
)
def test_what_cannot_be_is_said(home: Home, arguments: tuple[object, ...]) -> None:
    result = home.run("erase", *arguments)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1


def test_they_come_back_once_it_is_undone(home: Home) -> None:
    """With what is new from then on."""
    home.run("erase", "--contact", 90, "--yes")
    nights = [File("contact", 1, at, COLUMNS, ((71, "Ann", PHONE), (90, "Cy", None))) for at in NIGHTS[1:3]]
    write_file(home.incoming, nights[0])
    assert home.run("run").exit_code == 0 and names(home) == ["Ann", "Bob"]
    assert home.run("erase", "--undo", 1, "--yes").exit_code == 0
    write_file(home.incoming, nights[1])
    assert home.run("run").exit_code == 0 and names(home) == ["Ann", "Bob", "Cy"]
    assert json.loads(home.run("erase", "list", "--json").stdout)[0]["undone_at"]


def test_a_list_without_its_key_stops_everything(home: Home) -> None:
    """Else they would come back."""
    home.run("erase", "--contact", 71, "--yes")
    key = home.folder / "lake" / "erased.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.rename(home.folder / "elsewhere")
    for command in (("run",), ("erase", "--contact", 82, "--yes"), ("pull", 1, home.folder / "pulled")):
        result = home.run(*command)
        assert result.exit_code == 2 and "erased.key at" in result.stderr
    key.write_text("ab" * 32)
    assert "is another key" in home.run("run").stderr
    (home.folder / "elsewhere").rename(key)
    assert home.run("run").exit_code == 0


def test_a_list_that_was_made_with_another_key_stays_with_its_mirror(home: Home, tmp_path: Path) -> None:
    home.run("erase", "--contact", 71, "--yes")
    night = write_file(
        tmp_path / "mirror", File("contact", 1, NIGHTS[1], COLUMNS, ((72, "Dee", None), (90, "Cy", None)))
    )
    for command in (("load", night), ("erase", "--contact", 90, "--yes")):
        assert CliRunner().invoke(main, ["--config", str(home.config), *map(str, command)]).exit_code == 0
    result = home.run("push")
    assert (
        result.exit_code == 1
        and "Erasures that stay with the mirror, as the lake's list has another key: 1." in result.stderr
    )
    assert "Dee" in names(home) and len(json.loads(home.run("erase", "list", "--json").stdout)) == 1


def test_whoever_is_gone_at_the_vendor_goes(home: Home) -> None:
    stamp = pa.array([NIGHTS[0]] * 2, pa.timestamp("us", "UTC"))
    people = {"workspace_id": [7, 7], "internal_customer_id": ["0300aa", "0300bb"], "updated_at": stamp}
    people |= {"customer_id": ["ann", "eve"], "deleted": [False, True], "suppressed": [False, False]}
    pq.write_table(
        pa.table(people | {"email_addr": ["ann@club.example", "eve@club.example"]}),
        home.incoming / "people_v5_7_1.parquet",
    )
    assert home.run("run").exit_code == 0
    assert home.run("erase", "--gone-at-vendor", "--yes").exit_code == 0
    assert [row["customer_id"] for row in home.rows("cio_people")] == ["ann"] and len(names(home)) == 4
    assert json.loads(home.run("erase", "list", "--json").stdout)[0]["why"] == "gone"
    assert "Nothing is held" in home.run("erase", "--gone-at-vendor", "--yes").output
