"""Log lines that cannot be written: dropped and counted, whatever is wrong with where they go."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

_PROGRAM = """
import logging, sys, warnings
import structlog
from promptsync.daemon.logs import dropped_lines, set_up_logs, take_over_process
if sys.argv[1] == "closed":
    sys.stderr.close()
if sys.argv[1] == "none":
    sys.stderr = None
set_up_logs(0, plain=True, waits=False)
take_over_process()
for n in range(100):
    structlog.get_logger().warning("line", n=n, filling="x" * 3_000)
logging.getLogger("library").error("as well")
warnings.warn("as well")
print(dropped_lines())
"""


@contextmanager
def full_disk() -> Iterator[int]:
    with Path("/dev/full").open("wb", buffering=0) as file:
        yield file.fileno()


@contextmanager
def reader_gone() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@contextmanager
def reader_asleep() -> Iterator[int]:
    """A pipe holds some lines; then nobody takes them out."""
    read, write = os.pipe()
    yield write
    os.close(write)
    os.close(read)


@contextmanager
def nowhere() -> Iterator[int]:
    with Path(os.devnull).open("wb", buffering=0) as file:
        yield file.fileno()


@pytest.mark.parametrize(
    ("where", "how", "dropped"),
    [
        (full_disk, "", range(102, 103)),
        (reader_gone, "", range(102, 103)),
        (reader_asleep, "", range(75, 103)),
        (nowhere, "closed", range(102, 103)),
        (nowhere, "none", range(102, 103)),
        (nowhere, "", range(1)),
    ],
    ids=["full disk", "reader gone", "reader asleep", "closed", "none", "as it should be"],
)
def test_no_line_stops_the_program_and_each_is_counted(
    where: Callable[[], "ExitStack[None]"], how: str, dropped: range
) -> None:
    with where() as target:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, how],
            stdout=subprocess.PIPE,
            stderr=target,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert int(done.stdout) in dropped


_RECOVERS = """
import os, sys
import structlog
from promptsync.daemon.logs import dropped_lines, set_up_logs
set_up_logs(0, plain=True, waits=False)
log = structlog.get_logger()
log.warning("before")
there = os.dup(2)
full = os.open("/dev/full", os.O_WRONLY)
os.dup2(full, 2)
log.warning("lost")
os.dup2(there, 2)
log.warning("after")
print(dropped_lines())
"""


def test_a_lost_line_is_not_tried_again_once_there_is_room() -> None:
    done = subprocess.run([sys.executable, "-c", _RECOVERS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert [line.split('"event": "')[1].split('"')[0] for line in done.stderr.splitlines()] == ["before", "after"]


_CUT = """
import os, sys
import structlog
from promptsync.daemon.logs import dropped_lines, set_up_logs
set_up_logs(0, plain=True, waits=False)
log = structlog.get_logger()
log.warning("long", filling="x" * 200_000)
print("written", flush=True)
sys.stdin.read(1)
log.warning("after")
print(dropped_lines())
"""


def test_what_comes_after_half_a_line_begins_a_line_of_its_own() -> None:
    """A pipe took some of it, and then no more."""
    with subprocess.Popen(
        [sys.executable, "-c", _CUT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None and process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "written\n"
        os.set_blocking(process.stderr.fileno(), False)
        taken = b""
        with suppress(BlockingIOError):
            while some := os.read(process.stderr.fileno(), 1 << 20):
                taken += some
        os.set_blocking(process.stderr.fileno(), True)
        process.stdin.write("\n")
        out, err = process.communicate(timeout=60)
    assert out == "1\n"
    half, after = (taken.decode() + err).splitlines()
    assert half.endswith("xxx") and after.startswith("{") and '"after"' in after
