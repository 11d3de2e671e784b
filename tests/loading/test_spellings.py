"""How a nightly file spells its times and booleans: forms without values, of its first rows alone."""

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

from promptsync.formats.limits import Limits
from promptsync.loading.spellings import forms_of
from promptsync.store.spelling_counts import BOOLEAN, TIME
from promptsync.vendors.prompt.tables_exports import CONTACT

HEADER = "id,is_opted_out,created_timestamp,phone\n"


def found(path: Path, data: bytes) -> dict[str, dict[str, int]]:
    path.write_bytes(data)
    told = forms_of(path, CONTACT, ZoneInfo("UTC"), Limits())
    return {kind: dict(forms) for kind, forms in told.items()}


def test_a_time_is_noted_without_its_digits_and_what_is_none_is_not(tmp_path: Path) -> None:
    rows = "1,true,2026-02-04 08:00:00,+15550100\n2,No,soon,+15550101\n3,perhaps,,2026-02-04 08:00:00\n4,true,2026-02"
    assert found(tmp_path / "a.csv", (HEADER + rows).encode()) == {
        TIME: {"9999-99-99 99:99:99": 1},
        BOOLEAN: {"true": 1, "No": 1},
    }


def test_only_the_first_rows_count(tmp_path: Path) -> None:
    rows = "".join(f"{n},true,,\n" for n in range(80))
    assert found(tmp_path / "a.csv.gz", gzip.compress((HEADER + rows).encode(), mtime=0))[BOOLEAN] == {"true": 10}


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    cell = "x" * 200_000
    broken = gzip.compress(HEADER.encode(), mtime=0)[:-9] + b"\0" * 9
    for name, data in (
        ("a.csv.gz", broken),
        ("b.csv", f"{HEADER}1,{cell[:60_000]}\n".encode() + b"\n"),
        ("c.csv", b""),
    ):
        assert not any(found(tmp_path / name, data).get(kind) for kind in (TIME, BOOLEAN)), name
    assert forms_of(tmp_path / "none.csv", CONTACT, ZoneInfo("UTC"), Limits()) == {}
