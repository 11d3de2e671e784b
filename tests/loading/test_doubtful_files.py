"""Nightly files that leave something open: held with the line, and what accepting makes of them."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from promptsync.clock import MICROS
from promptsync.loading.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from tests.kinds import file_kinds

HEADER = "id,created_timestamp,content,contact_id"
NOW = 1_770_300_000 * MICROS
QUOTED = '2,2026-02-01T10:00:00Z,"a screen of 15\\"",7'


class Nights:
    """Files of one table, night after night, into one mirror."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror = Mirror(folder / "mirror.db", declared_schema())
        self.loader = FileLoader(self.mirror, LoadSettings(ZoneInfo("UTC")), lambda: NOW)
        self.kinds = file_kinds()
        self._day = 1

    def load(self, text: str, *, accept: bool = False, packed: bool = True) -> FileReport:
        self._day += 1
        name = f"message_1044_2026-01-{self._day:02d}T00-00-00Z.csv{'.gz' if packed else ''}"
        path = self.folder / name
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if packed else text.encode())
        return self.loader.load(self.kinds.at_door(LoadRequest(path, "test", accept=accept)))

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.mirror.reading() as connection:
            return [tuple(row) for row in connection.execute(sql)]

    def absent(self) -> object:
        return self.rows("SELECT count(*) FROM message WHERE _absent_since IS NOT NULL")[0][0]


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    nights = Nights(tmp_path)
    yield nights
    nights.mirror.close()


def text(rows: dict[int, str] | None = None, count: int = 60, end: str = "\n") -> str:
    """A night's file, some rows of it replaced."""
    lines = [(rows or {}).get(n, f"{n},2026-02-01T10:00:00Z,text {n},7") for n in range(1, count + 1)]
    return "\n".join([HEADER, *lines]) + end


def test_a_quote_out_of_place_holds_the_file_and_no_row_is_absent(nights: Nights) -> None:
    assert nights.load(text()).state == "merged"
    report = nights.load(text({40: QUOTED.replace("2,", "40,", 1)}))
    assert report.state == "held"
    assert report.error
    assert "line 41" in report.error
    assert "backslashes" in report.error
    assert "load --accept " in report.error
    assert "message_1044" in report.error.partition("load --accept ")[2]
    assert nights.absent() == 0


def test_accepted_the_doubtful_record_is_a_reject(nights: Nights) -> None:
    assert nights.load(text()).state == "merged"
    report = nights.load(text({40: '40,2026-02-01T10:00:00Z,"5" pipe",7'}), accept=True)
    assert (report.state, report.rows, report.rejected, nights.absent()) == ("merged", 59, 1, 0)
    assert nights.rows("SELECT class, line, original FROM sync_reject") == [
        ("quoting", 41, b'40,2026-02-01T10:00:00Z,"5" pipe",7')
    ]
    assert nights.rows("SELECT content, _absent_since FROM message WHERE id = 40") == [("text 40", None)]


@pytest.mark.parametrize("packed", [True, False])
def test_a_last_record_that_is_cut_holds_the_file(nights: Nights, packed: bool) -> None:
    assert nights.load(text()).state == "merged"
    cut = text({60: "60,2026-02-01T10:0"}, end="")
    report = nights.load(cut, packed=packed)
    assert report.state == "held"
    assert report.error
    assert "ends within" in report.error
    again = nights.load(cut, accept=True, packed=packed)
    assert (again.state, again.rejected, nights.absent()) == ("merged", 1, 0)


def test_a_quote_that_is_never_closed_can_be_accepted_too(nights: Nights) -> None:
    report = nights.load(text({60: '60,2026-02-01T10:00:00Z,"text'}))
    assert report.state == "held"
    assert "line 61" in str(report.error)
    assert nights.load(text({60: '60,2026-02-01T10:00:00Z,"text'}), accept=True).rejected == 1


def test_lines_are_the_file_s_where_most_of_it_needs_no_reading(nights: Nights) -> None:
    named = text(count=400).replace(HEADER, HEADER + ",").replace(",7\n", ",7,\n")
    assert nights.load(named).state == "merged"
    report = nights.load(named.replace("text 399,7,", "text 399,7,x"))
    assert report.state == "held"
    assert "line 400 " in str(report.error)


@pytest.mark.parametrize(
    ("change", "drift"),
    [
        (lambda text: text.replace(",", "\t").encode(), [("separator", "message", "tabs")]),
        (lambda text: ("sep=;\n" + text.replace(",", ";")).encode(), [("separator", "message", "semicolons")]),
        (lambda text: text.encode("utf-16"), [("encoding", "message", "UTF-16")]),
        (lambda text: text.encode("utf-8-sig"), []),
    ],
)
def test_another_dialect_is_read_and_said(
    nights: Nights, change: Callable[[str], bytes], drift: list[tuple[str, str, str]]
) -> None:
    path = nights.folder / "message_1044_2026-01-20T00-00-00Z.csv.gz"
    for night, count in ((20, 50), (21, 60), (22, 61)):  # the first, and two that need no whole reading
        path = nights.folder / f"message_1044_2026-01-{night}T00-00-00Z.csv.gz"
        path.write_bytes(gzip.compress(change(text(count=count)), mtime=0))
        report = nights.loader.load(nights.kinds.at_door(LoadRequest(path, "test")))
        assert (report.state, report.rows, report.error) == ("merged", count, None)
    assert nights.rows('SELECT kind, "table", name FROM sync_drift') == drift
    assert nights.rows("SELECT count(*), max(content) FROM message") == [(61, "text 9")]


def test_the_reason_names_the_first_bad_row(nights: Nights) -> None:
    rows = {n: f"{n},x,text,7" for n in range(30, 42)}
    report = nights.load(text(rows))
    assert report.state == "held"
    assert "The first, line 31, column created_timestamp: 'x' is no time." in str(report.error)
    report = nights.load(text({n: f"x{n},,text,7" for n in (50, 20)}))
    assert "The first, line 21: The key column id is blank or cannot be read." in str(report.error)
