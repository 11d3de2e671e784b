"""Small files that are ready at the same time are taken in together, and end where each alone would have ended."""

import asyncio
import gzip
import os
from pathlib import Path

import pytest

from promptsync.clock import system_clock
from promptsync.config import Config
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.intake import DropIntake
from promptsync.drop.offers import Outcome
from promptsync.engine.engine import Engine
from promptsync.errors import MirrorBroken, Unavailable
from promptsync.loading.small_runs import SMALL_BYTES


def _night(number: int, rows: str = "1,a\n2,b\n") -> tuple[str, bytes]:
    return f"message_1_2026-01-{number:02}T00-00-00Z.csv.gz", gzip.compress(f"id,content\n{rows}".encode(), mtime=0)


_FILES = dict(_night(number) for number in range(1, 9)) | {
    "message_1_2026-01-09T00-00-00Z.csv.gz": _night(9)[1][:-9],  # cut
    "message_1_2026-01-10T00-00-00Z.csv": b'id,content\n1,"a"b\n',  # quotes
    "a word about them.txt": b"hello",
    "message_1_2026-01-11T00-00-00Z.csv.gz": gzip.compress(
        b"id,content\n" + b"".join(b"%d,\n" % n for n in range(40_000)), mtime=0
    ),
}


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))  # at rest for long


async def _taken(folder: Path, small: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Where the files lie in the end, and what the ledger says of them, after scans of a folder."""
    drop = folder / "drop"
    drop.mkdir(parents=True)
    for name, content in _FILES.items():
        _put(drop / name, content)
    with Engine(Config.read({}, folder)) as engine:
        intake = DropIntake(engine)
        settings = DropSettings(drop, settle=0, plain=0, patience=0, small=small)
        source = DropFolder(settings, intake, system_clock, engine.age, intake.missing_end, intake.moved)
        for _ in range(3):
            await source.scan_once()
        with engine.mirror.reading() as connection:
            told = connection.execute("SELECT name, state FROM sync_file ORDER BY name").fetchall()
    return sorted(str(path.relative_to(drop)) for path in drop.rglob("*") if path.is_file()), told


async def test_they_end_where_each_alone_would_have(tmp_path: Path) -> None:
    together, alone = await _taken(tmp_path / "together", SMALL_BYTES), await _taken(tmp_path / "alone", 0)
    assert together == alone
    assert sum(name.startswith("done/") for name in together[0]) >= 8


class _Intake:
    """An intake that answers as told, and remembers what it was asked at once."""

    def __init__(self, answer: list[Outcome | Exception] | BaseException) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []

    async def __call__(self, path: Path) -> Outcome:
        self.asked.append([path.name])
        return Outcome("done")

    async def together(self, paths: list[Path]) -> list[Outcome | Exception]:
        self.asked.append([path.name for path in paths])
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def _folder(tmp_path: Path, intake: _Intake) -> DropFolder:
    for name, size in (("a", 1), ("b", 2), ("c", 90), ("d", 3), ("e", 4), ("f", 5)):
        _put(tmp_path / name, b"x" * size)
    return DropFolder(DropSettings(tmp_path, settle=0, plain=0, small=10), intake, system_clock)


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


async def test_each_has_its_own_answer(tmp_path: Path) -> None:
    intake = _Intake([Outcome("done"), Unavailable("Not this one."), ZeroDivisionError()])
    source = _folder(tmp_path, intake)
    (tmp_path / "a").unlink()
    await source.scan_once()
    await asyncio.sleep(0.01)
    await source.scan_once()
    assert intake.asked == [["b"], ["c"], ["d", "e", "f"]]
    assert (_left(tmp_path), source.waiting()) == (["e", "f"], 2)


async def test_what_concerns_them_all_puts_all_off(tmp_path: Path) -> None:
    intake = _Intake(Unavailable("No room."))
    source = _folder(tmp_path, intake)
    await source.scan_once()
    await asyncio.sleep(0.01)
    await source.scan_once()
    assert intake.asked == [["a", "b"], ["c"], ["d", "e", "f"]]
    assert _left(tmp_path) == ["a", "b", "d", "e", "f"]


async def test_a_broken_mirror_ends_the_scan(tmp_path: Path) -> None:
    source = _folder(tmp_path, _Intake(MirrorBroken("The disk.")))
    with pytest.raises(MirrorBroken):
        for _ in range(2):
            await source.scan_once()
            await asyncio.sleep(0.01)
