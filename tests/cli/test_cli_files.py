"""What a person does about a held or ignored file ends it, and nothing is green before that."""

import json
import re
import shutil
from pathlib import Path

import pytest
from cli_place import Place

from promptsync.daemon.operations import OPERATIONS
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest

HEADER = "id,name\n"
NIGHT = "org_2026-02-04T00-00-00-0800Z.csv"
LATER = "org_2026-02-04T06-30-00-0800Z.csv"
NEXT = "org_2026-02-05T00-00-00-0800Z.csv"
ROWS = "".join(f"{number},Green Valley {number}\n" for number in range(30))
BAD = "".join(f"{number},one,cell too many\n" for number in range(20))


@pytest.fixture
def held(place: Place) -> Path:
    """The file of a night of which most rows are bad, where the drop folder holds it."""
    (place.folder / "drop/held").mkdir(parents=True)
    path = place.folder / "drop/held" / NIGHT
    path.write_text(HEADER + ROWS + BAD)
    Path(f"{path}.reason.txt").write_text("why")
    with Engine(place.config) as engine:
        (report,) = engine.load([LoadRequest(path, "drop")])
    assert report.state == "held", report
    assert _waiting(place) == [NIGHT]
    return path


def _waiting(place: Place) -> list[str]:
    """Names in ``files list``, which must be what ``status`` calls a problem."""
    done = place.run("files", "list", "--json")
    names = [file["name"] for file in json.loads(done.stdout)]
    assert done.exit_code == bool(names)
    problems = [one for one in json.loads(place.run("status", "--json").stdout)["problems"] if "files discard" in one]
    assert [problem.split(" is ")[0] for problem in problems] == names
    return names


def _id(place: Place) -> str:
    return str(json.loads(place.run("files", "list", "--json").stdout)[0]["id"])


@pytest.mark.parametrize(("name", "over"), [(NIGHT, True), (LATER, True), (NEXT, False)])
def test_another_file_of_the_night_ends_it_and_one_of_the_next_does_not(
    place: Place, held: Path, name: str, over: bool
) -> None:
    other = place.folder / name
    other.write_text(HEADER + ROWS)
    assert place.run("load", other).exit_code == 0
    assert (_waiting(place) == []) == over


def test_one_that_is_gone_is_over_and_one_that_is_back_is_not(place: Place, held: Path) -> None:
    held.rename(held.with_suffix(".away"))
    assert _waiting(place) == []
    held.with_suffix(".away").rename(held)
    assert _waiting(place) == [NIGHT]


def test_accepting_merges_it_and_takes_it_out_of_held(place: Place, held: Path) -> None:
    done = place.run("files", "accept", _id(place))
    assert done.exit_code == 0 and f"{NIGHT}: merged" in done.stdout
    assert _waiting(place) == []
    assert [path.name for path in (place.folder / "drop").rglob("org_*")] == [NIGHT]
    assert (place.folder / "drop" / NIGHT).exists(), "the daemon moves it to done"


def test_discarding_deletes_what_lies_in_the_drop_folder_and_asks_first(place: Place, held: Path) -> None:
    asked = place.run("files", "discard", _id(place))
    assert asked.exit_code == 1 and held.exists()
    done = place.run("files", "discard", _id(place), "--yes", "--json")
    assert json.loads(done.stdout) == {"discarded": 1, "deleted": 1}
    assert not list((place.folder / "drop/held").iterdir())
    assert _waiting(place) == []


def test_what_lies_elsewhere_is_left_there(place: Place) -> None:
    path = place.folder / NIGHT
    path.write_text(HEADER + ROWS + BAD)
    assert place.run("load", path).exit_code == 1
    shown = place.run("files", "show", _id(place)).stdout
    assert f"path: {path}" in shown and re.search(r"(?m)^error: .*20.*50", shown)
    assert place.run("files", "discard", _id(place), "--yes").exit_code == 0
    assert path.exists() and _waiting(place) == []
    assert place.run("files", "discard", "1", "--yes").exit_code == 2


def test_a_typing_mistake_leaves_no_state(place: Place) -> None:
    other = place.folder / "README.md"
    other.write_text("# Notes\n")
    assert place.run("load", other).exit_code == 1
    assert _waiting(place) == []


def test_an_ignored_file_in_the_drop_folder_is_over_once_it_is_gone(place: Place) -> None:
    notes = place.folder / "drop/notes.txt"
    notes.parent.mkdir(exist_ok=True)
    notes.write_text("hello")
    with Engine(place.config) as engine:
        (report,) = engine.load([LoadRequest(notes, "drop")])
        assert report.state == "ignored"
        again = OPERATIONS["discard-files"](engine, {"ids": [report.file_id]}, lambda _: None)
    assert again == {"discarded": 1, "deleted": 1} and not notes.exists()
    assert _waiting(place) == []


def test_a_link_in_the_drop_folder_leads_nowhere(place: Place, held: Path) -> None:
    """A folder that became a link since: what it leads to is not deleted."""
    number = _id(place)
    elsewhere = place.folder / "elsewhere"
    shutil.move(held.parent, elsewhere)
    (place.folder / "drop/held").symlink_to(elsewhere)
    assert place.run("files", "discard", number, "--yes").exit_code != 0
    assert (elsewhere / NIGHT).exists()
