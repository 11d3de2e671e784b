"""Every hook of the plugin, asked as promptsync asks it."""

import os
from pathlib import Path

import pytest

from promptsync import ConfigError, PluginError
from promptsync.testing import Kit

PLUGIN = Path(__file__).parent / "shifts.py"
LIST = """id,phone,starts_at,place
1,(415) 555-0001,2026-02-07T09:00:00Z,Library
2,,2026-02-07T13:00:00Z,<Town Hall>
"""


@pytest.fixture
def desk(kit: Kit) -> Kit:
    (kit.folder / "desk.csv").write_text(LIST)
    return kit.enable(PLUGIN, list="desk.csv")


def test_shifts_are_fetched_and_the_newer_file_counts(desk: Kit) -> None:
    (report,) = desk.fetch("desk")
    assert (report.state, report.inserted) == ("merged", 2)
    list_ = desk.folder / "desk.csv"
    list_.write_text(LIST.replace("2,,", "2,+1 415 555 0002,"))
    os.utime(list_, (2_000_000_000, 2_000_000_000))
    (report,) = desk.fetch("desk")
    assert (report.inserted, report.updated, report.unchanged) == (0, 2, 0)
    assert desk.rows("SELECT id, digits FROM shift") == [
        {"id": 1, "digits": "4155550001"},
        {"id": 2, "digits": "14155550002"},
    ]


def test_it_shows_and_checks_what_is_open(desk: Kit) -> None:
    assert [finding.says for finding in desk.check()] == ["No shifts are known yet."]
    desk.fetch("desk")
    assert desk.page("open") == "<ul><li>2026-02-07T13:00:00.000Z &lt;Town Hall&gt;</li></ul>"
    assert desk.command("shifts").output == "2026-02-07T13:00:00.000Z <Town Hall>\n"
    assert desk.command("shifts", "--place", "Library").output == ""
    assert [finding.level.value for finding in desk.check()] == ["ok"]


def test_what_cannot_be_read_is_a_reject(desk: Kit) -> None:
    (desk.folder / "desk.csv").write_text("id,phone,starts_at,place\n3,,soon,Library\n")
    (report,) = desk.fetch("desk")
    assert report.rejected == 1
    assert [row["reason"] for row in desk.rows("sync_reject")] == ["starts_at is no time"]
    (desk.folder / "desk.csv").unlink()
    with pytest.raises(PluginError, match="FileNotFoundError"):
        desk.fetch("desk")


def test_rows_about_a_person_are_found_by_the_number(desk: Kit) -> None:
    desk.fetch("desk")
    assert desk.about({"phone": ["+4155550001"]}) == {"shift": [(1,)]}


def test_a_list_of_another_kind_is_refused(kit: Kit) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.shifts\.list must name a \.csv file"):
        kit.enable(PLUGIN, list="desk.txt").engine  # noqa: B018
