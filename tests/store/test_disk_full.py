"""A disk without room: nothing half-written, a clear error, and all is well again once there is room."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptsync.errors import MirrorFull
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import Inbox, insert_event
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return ballast


def _stored(mirror: Mirror) -> list[str]:
    with mirror.reading() as connection:
        return [row[0] for row in connection.execute("SELECT body FROM sync_event ORDER BY id")]


def test_a_write_without_room_fails_whole_and_the_next_with_room_succeeds(small_disk: Path) -> None:
    broken: list[Exception] = []
    mirror = Mirror(small_disk / "mirror.db", declared_schema(), broken.append)
    mirror.writer.run(lambda connection: insert_event(connection, Delivery("message/added", "before"), 1))
    ballast = _fill(small_disk)

    def many(connection: object) -> None:
        for n in range(2_000):
            insert_event(connection, Delivery("message/added", f"{n}" * 300), 10 + n)  # type: ignore[arg-type]

    for _ in range(3):
        with pytest.raises(MirrorFull):
            mirror.writer.run(many)
        assert _stored(mirror) == ["before"]
    ballast.unlink()
    mirror.writer.run(lambda connection: insert_event(connection, Delivery("message/added", "after"), 2))
    assert _stored(mirror) == ["before", "after"]
    mirror.close()
    assert broken == []


async def test_deliveries_are_refused_while_there_is_no_room_and_kept_again_after(small_disk: Path) -> None:
    mirror = Mirror(small_disk / "mirror.db", declared_schema())
    inbox = Inbox(mirror, lambda: 1_770_192_000_000_000)
    kept = [await inbox.store(Delivery("message/added", "first"))]
    ballast = _fill(small_disk)
    answers = await asyncio.gather(
        *(inbox.store(Delivery("message/added", "x" * 60_000)) for _ in range(40)), return_exceptions=True
    )
    assert any(isinstance(answer, MirrorFull) for answer in answers)
    kept += [answer for answer in answers if isinstance(answer, int)]
    ballast.unlink()
    kept.append(await inbox.store(Delivery("message/added", "last")))
    with mirror.reading() as connection:
        assert [row[0] for row in connection.execute("SELECT id FROM sync_event ORDER BY id")] == kept
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    mirror.close()


def test_a_mirror_closed_on_a_full_disk_loses_nothing(small_disk: Path) -> None:
    mirror = Mirror(small_disk / "mirror.db", declared_schema())
    mirror.writer.run(lambda connection: insert_event(connection, Delivery("message/added", "kept" * 10_000), 1))
    ballast = _fill(small_disk)
    mirror.close()
    ballast.unlink()
    mirror = Mirror(small_disk / "mirror.db", declared_schema())
    assert _stored(mirror) == ["kept" * 10_000]
    mirror.close()


def test_a_mirror_cannot_be_made_without_room(small_disk: Path) -> None:
    _fill(small_disk)
    with pytest.raises(MirrorFull):
        Mirror(small_disk / "mirror.db", declared_schema())
