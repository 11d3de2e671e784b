"""Files made to exhaust the machine: the program's own command stays within bounds and says what is wrong with them.

Memory and processor time are those of the whole process, as the kernel counts them, beside a load of a file as usual.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_place import Place

MIB = 1 << 20
HEADER = b"id,is_opted_out,phone\n"
GOOD = HEADER + b"1,true,+13125550100\n"
GOOD_CR = GOOD.replace(b"\n", b"\r")
MEMORY = 100 * MIB
SECONDS = 10.0
"""Of processor time, for all files of a test together."""


def much(unit: bytes, size: int) -> Iterator[bytes]:
    """``unit`` again and again, about ``size`` bytes."""
    some = unit * (MIB // len(unit))
    for _ in range(size // len(some)):
        yield some


def cell(content: bytes, size: int, end: bytes = b"\n") -> Iterator[bytes]:
    """A file with one row, its last cell that long."""
    yield HEADER + b"1,true," + content[:1]
    yield from much(content[1:], size)
    yield end


def after(start: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


class Hostile(NamedTuple):
    """``content``: its pieces. ``says``: part of the sentence of a file that is held; nothing if it is merged."""

    content: Callable[[], Iterable[bytes]]
    says: str = ""
    compressed: bool = False


HOSTILE = {
    "an unquoted cell": Hostile(lambda: cell(b"xx", 28 * MIB), "The record at line 2 is longer than 20,971,520 bytes."),
    "a quoted cell": Hostile(lambda: cell(b'"x', 28 * MIB, b'"\n'), "line 2 is longer than 20,971,520 bytes, or a"),
    "a cell of lines": Hostile(lambda: cell(b'"x\n', 28 * MIB, b'"\n'), "line 2 is longer than 20,971,520 bytes, or a"),
    "a cell of 19 MiB": Hostile(lambda: cell(b"xx", 19 * MIB), "The cell at line 2, column phone, is longer than 16,"),
    "a compressed cell": Hostile(lambda: cell(b"xx", 80 * MIB), "more than 400 times its size", compressed=True),
    "a compressed quoted cell": Hostile(
        lambda: cell(b'"x', 80 * MIB, b'"\n'), "more than 400 times its size", compressed=True
    ),
    "a header": Hostile(
        lambda: (b"id,", *much(b"x", 15 * MIB), b",is_opted_out\n1,2,true\n"),
        "The header is longer than 1,048,576 bytes.",
    ),
    "line ends": Hostile(lambda: after(GOOD, much(b"\n", 20 * MIB))),
    "CR LF": Hostile(lambda: after(GOOD, much(b"\r\n", 10 * MIB))),
    "CR": Hostile(lambda: after(GOOD_CR, much(b"\r", 10 * MIB))),
    "line ends before the header": Hostile(lambda: (*much(b"\n", 10 * MIB), GOOD)),
    "short rows": Hostile(lambda: after(GOOD, much(b"1\n", 10 * MIB)), "line 3: The row has 1 cells, not 3."),
    "rows of no key": Hostile(lambda: after(GOOD, much(b"x,,\n", 10 * MIB)), "The first, line 3: The key column id is"),
    "rows of no boolean": Hostile(
        lambda: after(GOOD, much(b"1,perhaps,\n", 10 * MIB)), "The first, line 3, column is_opted_out: 'xxxxxxx' is"
    ),
    "rows of many cells": Hostile(lambda: after(GOOD, much(b"1" + b"," * 9_999 + b"\n", 20 * MIB)), "cells, not 3."),
    "quotes": Hostile(lambda: cell(b'""', 24 * MIB), "The record at line 2 is longer than 20,971,520 bytes, or a"),
}


class Cost(NamedTuple):
    memory: int
    seconds: float
    files: dict[str, dict[str, Any]]


def load(place: Place, path: Path) -> Cost:
    """What ``promptsync load`` of a file or folder costs, and what it says of each file."""
    command = [sys.executable, "-m", "promptsync", "--config", str(place.file), "load", "--json", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        files = json.load(process.stdout)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(used.ru_maxrss * 1024, used.ru_utime + used.ru_stime, {file["name"]: file for file in files})


def name(org: int, *, compressed: bool = False, day: int = 4) -> str:
    return f"contact_{org}_2026-02-{day:02d}T00-00-00-0800Z.csv{'.gz' if compressed else ''}"


def good(org: int) -> bytes:
    """A file as usual, its one row no other organisation's."""
    return GOOD.replace(b"1,", b"%d," % org, 1)


def mine(piece: bytes, org: int) -> bytes:
    """A piece whose row as usual is this organisation's."""
    return piece.replace(GOOD, good(org)).replace(GOOD_CR, good(org).replace(b"\n", b"\r"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every hostile file, each of an organisation of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    for org, hostile in enumerate(HOSTILE.values(), 1001):
        path = folder / name(org, compressed=hostile.compressed)
        with gzip.open(path, "wb", compresslevel=6) if hostile.compressed else path.open("wb") as file:
            file.writelines(mine(piece, org) for piece in hostile.content())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False], ids=["the first of a table", "the next night"])
def test_no_file_costs_more_than_it_may(
    make_place: Callable[..., Place], tmp_path: Path, folder: Path, *, first: bool
) -> None:
    usual = tmp_path / "usual"
    usual.mkdir()
    for org in range(1001, len(HOSTILE) + 1001):
        (usual / name(org, day=3)).write_bytes(good(org))
    place = make_place()
    before = load(place, usual)
    assert {file["state"] for file in before.files.values()} == {"merged"}
    made = {name(org, compressed=one.compressed): one for org, one in enumerate(HOSTILE.values(), 1001)}
    cost = load(make_place("other") if first else place, folder)
    for file, said in cost.files.items():
        state, says = said["state"], said["error"] or ""
        assert (state, made[file].says in says) == ("held" if made[file].says else "merged", True), said
    assert cost.files.keys() == made.keys()
    assert cost.memory - before.memory < MEMORY
    assert cost.seconds - before.seconds < SECONDS
