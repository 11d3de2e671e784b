"""What lies in the drop folder and is not taken, with the reason people are told."""

import os
import socket
import tempfile
from pathlib import Path

import pytest
from drop_stage import Drop
from structlog.testing import capture_logs

from promptsync.errors import Unavailable

NOBODY = 65534

pytestmark = pytest.mark.usefixtures("nothing_blocks")


async def test_what_is_no_plain_file_is_refused_with_a_reason_and_logged_once(drop: Drop) -> None:
    drop.folder.mkdir()
    (drop.folder / "passwd.csv").symlink_to("/etc/passwd")
    (drop.folder / "etc").symlink_to("/etc")
    os.mkfifo(drop.folder / "pipe.csv")
    (drop.folder / "x.csv.gz").mkdir()
    (drop.folder / "x.csv.gz" / "y.csv").write_text("y")
    Path(os.fsdecode(bytes(drop.folder) + b"/\xff.csv")).write_text("x")
    (drop.folder / "\x1b[31m.csv").write_text("x")
    (drop.folder / ("l" * 220)).write_text("x")
    (drop.folder / "held").write_text("x")
    deep = drop.folder.joinpath(*"d" * 20)
    deep.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(drop.folder / "socket"))
    drop.put("good.csv")
    with capture_logs() as logs:
        await drop.scan()
        await drop.scan(60)
    refused = drop.source.refused()
    odd = {"passwd.csv", "etc", "pipe.csv", "x.csv.gz", "\\xff.csv", "\\x1b[31m.csv", "l" * 220, "held", "socket"}
    assert refused.keys() == odd | {"/".join("d" * 16)}
    assert all(reason.endswith(".") for reason in refused.values())
    assert drop.names() == ["good.csv"]
    assert sorted(entry["file"] for entry in logs) == sorted(refused)


async def test_hard_links_are_files_like_others(drop: Drop, tmp_path: Path) -> None:
    (tmp_path / "original").write_text("x")
    drop.folder.mkdir()
    (drop.folder / "x.csv").hardlink_to(tmp_path / "original")
    await drop.scan(60)
    assert (drop.files(), (tmp_path / "original").read_text()) == ({"done/x.csv"}, "x")


@pytest.mark.parametrize("unreadable", ["file", "folder"])
async def test_what_cannot_be_opened_is_reported_once_and_tried_again(unreadable: str) -> None:
    me = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        drop = Drop(Path(name) / "drop")
        path = drop.put("sub/x.csv")
        closed = path if unreadable == "file" else path.parent
        closed.chmod(0)
        if me == 0:  # nothing is closed to root
            for owned in (Path(name), drop.folder, path.parent, path):
                os.chown(owned, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            with capture_logs() as logs:
                await drop.scan()
                await drop.scan(10)
            assert (drop.taken, len(logs), drop.source.waiting()) == ([], 1, 0)
            assert "Permission denied" in drop.source.refused()[str(closed.relative_to(drop.folder))]
            closed.chmod(0o700)
            await drop.scan(10)
        finally:
            os.seteuid(me)
        assert (drop.names(), drop.source.refused()) == (["sub/x.csv"], {})


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable):
        await Drop(tmp_path / "file").scan()
    with pytest.raises(Unavailable):
        await Drop(tmp_path / "file" / "drop").scan()
