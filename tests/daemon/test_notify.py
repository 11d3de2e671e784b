"""The notification protocol against a real datagram socket."""

import asyncio
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_manager import Heard

from promptsync.daemon.notify import ServiceManager


@pytest.fixture
def manager(heard: Heard) -> ServiceManager:
    return ServiceManager.of({"NOTIFY_SOCKET": heard.address}, os.getpid())


def test_each_message_is_one_datagram(manager: ServiceManager, heard: Heard) -> None:
    manager.ready("Listening at\nhere")
    manager.status("Well")
    manager.stopping("Ending")
    assert heard.next() == ["READY=1", "STATUS=Listening at here"]
    assert heard.next() == ["STATUS=Well"]
    assert heard.next() == ["STOPPING=1", "STATUS=Ending"]


def test_an_abstract_socket_works_too() -> None:
    listening = Heard(f"@promptsync-{os.getpid()}")
    with listening.socket:
        ServiceManager.of({"NOTIFY_SOCKET": listening.address}, 1).status("Well")
        assert listening.next() == ["STATUS=Well"]


def test_the_sender_is_this_process(manager: ServiceManager, heard: Heard) -> None:
    heard.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    manager.ready("")
    _, ancillary, _, _ = heard.socket.recvmsg(100, 100)
    assert int.from_bytes(ancillary[0][2][:4], "little") == os.getpid()


@pytest.mark.parametrize(
    "env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1000"}], ids=str
)
async def test_nobody_is_told_without_a_manager(env: dict[str, str]) -> None:
    manager = ServiceManager.of(env, 1)
    assert manager == ServiceManager()
    manager.ready("")
    await asyncio.wait_for(manager.watch(lambda: True, ""), 1)


@pytest.mark.parametrize(
    ("micros", "pid", "patience"),
    [("2500000", "7", 2.5), ("2500000", None, 2.5), ("2500000", "8", None), ("0", "7", None), ("²", "7", None)],
)
def test_whose_watchdog_it_is(micros: str, pid: str | None, patience: float | None) -> None:
    env = {"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": micros} | ({"WATCHDOG_PID": pid} if pid else {})
    assert ServiceManager.of(env, 7).patience == patience


@pytest.fixture
def full(heard: Heard) -> Iterator[None]:
    """A manager that no longer reads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                other.sendto(b"x", heard.address)
        yield


@pytest.mark.usefixtures("full")
def test_a_manager_that_does_not_read_is_not_waited_for(manager: ServiceManager) -> None:
    began = time.monotonic()
    manager.ready("")
    assert time.monotonic() - began < 1.0


def test_a_manager_that_has_gone_is_no_error(tmp_path: Path) -> None:
    address = str(tmp_path / "gone")
    manager = ServiceManager.of({"NOTIFY_SOCKET": address}, 1)
    manager.ready("")
    assert not list(tmp_path.iterdir())
    back = Heard(address)
    with back.socket:
        manager.status("Well")
        assert back.waiting() == [["STATUS=Well"]]


async def test_beats_come_while_well_and_the_reason_once_when_not(heard: Heard) -> None:
    wells = iter([True, True, False, False, True])
    manager = ServiceManager(heard.address, 0.02)
    with pytest.raises(RuntimeError):  # the iterator's end
        await manager.watch(lambda: next(wells), "It hangs.")
    beat = ["WATCHDOG=1"]
    assert heard.waiting() == [beat, beat, ["STATUS=It hangs."], beat]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="the filter knows these two machines")
def test_without_unix_sockets_notifying_works_and_the_control_socket_is_out_of_reach(
    heard: Heard, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "control.sock"))
        control.listen()
        command = [sys.executable, Path(__file__).with_name("sealed.py"), heard.address, tmp_path / "control.sock"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert said.stderr == ""
    tried = dict(line.split() for line in said.stdout.splitlines())
    assert tried.pop("socket") == "EAFNOSUPPORT"
    assert set(tried) == {"SOCK_STREAM", "SOCK_DGRAM", "SOCK_SEQPACKET"} and "connected" not in tried.values(), tried
    assert heard.next() == ["READY=1", "STATUS=Sealed"]


_NO_FILES = """
import os, resource, sys
from promptsync.daemon.logs import set_up_logs
from promptsync.daemon.notify import ServiceManager
set_up_logs(0)
manager = ServiceManager.of({"NOTIFY_SOCKET": sys.argv[1]}, os.getpid())
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
manager.ready("Well")
os.write(1, b"goes on")
"""


def test_a_process_that_may_open_no_more_files_goes_on(heard: Heard) -> None:
    command = [sys.executable, "-c", _NO_FILES, heard.address]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout) == (0, "goes on") and "service_manager_unreachable" in said.stderr
