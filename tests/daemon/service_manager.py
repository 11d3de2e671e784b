"""A service manager's end of the notification socket, and the commands that talk to it, as real processes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Heard:
    """A bound datagram socket and everything that came, one list of lines per datagram."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[list[str]] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def next(self, seconds: float = 120.0) -> list[str]:
        """The next message. Raises TimeoutError."""
        self.socket.settimeout(seconds)
        self.messages.append(self.socket.recv(4096).decode().split("\n"))
        return self.messages[-1]

    def until(self, line: str, seconds: float = 120.0) -> list[str]:
        """The next message with this line. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while line not in (message := self.next(max(end - time.monotonic(), 0.001))):
            pass
        return message

    def waiting(self) -> list[list[str]]:
        """What has come in the meantime."""
        found = []
        while True:
            try:
                found.append(self.next(0.001))
            except (TimeoutError, BlockingIOError):
                return found


@contextmanager
def process(heard: Heard, config: Path, command: str, watchdog: float = 0.2) -> Iterator["subprocess.Popen[str]"]:
    """``promptsync COMMAND`` as a unit of Type=notify starts it."""
    env = os.environ | {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": str(int(watchdog * 1e6))}
    arguments = [sys.executable, "-m", "promptsync", "--config", str(config), command]
    with subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()
            running.communicate()
