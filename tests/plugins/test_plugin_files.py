"""Files that a plugin reads are judged as every other file: times, bad rows, and the words for both."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptsync import Claims, FileKind, hookimpl
from promptsync.clock import MICROS, iso_millis, system_clock
from promptsync.loading.files import FileReport
from promptsync.testing import Kit

HOUR = 3600 * MICROS
Line = Callable[[Claims, int], None]


def named(claims: Claims, number: int) -> None:
    claims.row("contact", number).told("name", claims.at, f"Name {number}")


def spoiled(claims: Claims, number: int) -> None:
    claims.problems.append("the phone is no number")
    named(claims, number)


def dated(at: int) -> Line:
    def line(claims: Claims, number: int) -> None:
        claims.row("contact", number).told("name", at, "typo")

    return line


class People:
    """A plugin that reads files of people: one row for each line, as its entry in ``lines`` says."""

    def __init__(self, kit: Kit) -> None:
        self.kit, self.lines, self.at = kit, list[Line](), system_clock() - HOUR
        kit.enable(self, "people")

    @hookimpl
    def file_kinds(self) -> list[FileKind]:
        return [FileKind("people", "people_*.txt", self.decode)]

    def decode(self, path: Path) -> Iterator[Claims]:
        for number in map(int, path.read_text().split()):
            claims = Claims(0, 1, self.at, [])
            self.lines[number - 1](claims, number)
            yield claims

    def load(self, lines: list[Line], *, accept: bool = False) -> FileReport:
        self.lines = lines
        file = self.kit.folder / "people_1.txt"
        file.write_text("".join(f"{number}\n" for number in range(1, len(lines) + 1)))
        return self.kit.load_file(file, accept=accept)


@pytest.fixture
def people(kit: Kit) -> People:
    return People(kit)


@pytest.mark.parametrize(
    ("bad", "good", "state"), [(1, 38, "merged"), (9, 300, "merged"), (12, 300, "held"), (2, 2, "held")]
)
def test_a_share_of_bad_rows_with_a_floor_holds_the_file(
    kit: Kit, people: People, bad: int, good: int, state: str
) -> None:
    lines = [named] * good + [spoiled] * bad
    report = people.load(lines)
    assert (report.state, report.rejected, report.rows) == (state, bad, good)
    if state == "held":
        assert f"The first, row {good + 1} of contact: the phone is no number." in str(report.error)
        assert "promptsync load --accept" in str(report.error)
        assert not kit.rows("contact") and any("people_1.txt" in problem for problem in kit.problems())
        report = people.load(lines, accept=True)
    assert (report.state, report.rejected) == ("merged", bad)
    assert len(kit.rows("contact")) == bad + good
    kept = kit.rows('SELECT "class", "table", line, reason FROM sync_reject ORDER BY line')
    first = {"class": "plugin", "table": "contact", "line": good + 1, "reason": "the phone is no number"}
    assert (len(kept), kept[0]) == (bad, first)
    assert [row["rejected"] for row in kit.rows("SELECT rejected FROM sync_file WHERE state = 'merged'")] == [bad]


@pytest.mark.parametrize(("hours", "state"), [(23, "merged"), (25, "held"), (300_000, "held"), (10**9, "held")])
def test_a_time_that_has_not_come_holds_the_file(kit: Kit, people: People, hours: int, state: str) -> None:
    at = system_clock() + hours * HOUR
    report = people.load([named, dated(at), named])
    assert report.state == state
    if state == "held":
        assert "Its row 2 of contact says what is so at " in str(report.error)
        assert hours > 25 or iso_millis(at) in str(report.error)
        assert not kit.rows("contact")
        assert people.load([named, dated(at), named], accept=True).state == "merged"


def test_the_time_of_a_list_that_has_not_come_holds_it_too(people: People) -> None:
    def listed(claims: Claims, number: int) -> None:
        claims.full_lists.append((number, "tags", system_clock() + 48 * HOUR))

    report = people.load([named, listed])
    assert report.state == "held" and "Its row 2 says" in str(report.error)


def test_a_row_that_is_none_is_named(kit: Kit, people: People) -> None:
    def broken(claims: Claims, number: int) -> None:
        claims.row("contact", number).group("name", 1 << 70, "x")

    report = people.load([named] * 600 + [broken])
    assert report.state == "failed" and not kit.rows("contact")
    assert "a claim on contact has a version that is none (row 601 of what it read)" in str(report.error)
