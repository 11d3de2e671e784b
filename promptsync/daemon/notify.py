"""What a process tells the service manager that started it: that it is ready, alive, and what it does.

Owns the sd_notify protocol (sd_notify(3), sd_watchdog_enabled(3)): one datagram of assignments to ``NOTIFY_SOCKET``.
Without a service manager it does nothing.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import structlog

_MICROS = 1_000_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """``address``: of its socket. ``patience``: seconds that it waits for a beat. None where it does not listen."""

    address: str | None = None
    patience: float | None = None

    @classmethod
    def of(cls, env: Mapping[str, str], pid: int) -> Self:
        """The one that ``env`` names. A watchdog meant for another process than ``pid``, or unreadable, is none.

        >>> ServiceManager.of({"NOTIFY_SOCKET": "/run/s", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7)
        ServiceManager(address='/run/s', patience=3.0)
        """
        name = env.get("NOTIFY_SOCKET", "")
        if not name.startswith(("/", "@")):
            return cls()
        address = "\0" + name[1:] if name.startswith("@") else name
        micros = env.get("WATCHDOG_USEC", "")
        ours = env.get("WATCHDOG_PID", str(pid)) == str(pid)
        beats = ours and micros.isascii() and micros.isdigit() and int(micros) > 0
        return cls(address, int(micros) / _MICROS if beats else None)

    def ready(self, status: str) -> None:
        """Everything listens. ``status``: what ``systemctl status`` shows from now on."""
        self._tell("READY=1", _status(status))

    def reloading(self) -> None:
        """The configuration is read anew; ``ready`` says that this is over."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        """The process is on its way out."""
        self._tell("STOPPING=1", _status(status))

    def status(self, text: str) -> None:
        """A line for people."""
        self._tell(_status(text))

    async def watch(self, well: Callable[[], bool], hangs: str) -> None:
        """Say twice within ``patience`` that the process is alive, as long as the loop turns and it is ``well``.

        Otherwise stay silent, and tell people ``hangs``: the manager ends the process. Runs until cancelled, or
        returns at once if there is no service manager.
        """
        if self.patience is None:
            return
        silent = False
        while True:
            was_silent, silent = silent, not well()
            if not silent:
                self._tell("WATCHDOG=1")
            elif not was_silent:
                _log.error("watchdog_silent", reason=hangs)
                self.status(hangs)
            await asyncio.sleep(self.patience / 2)

    def _tell(self, *assignments: str) -> None:
        """Never waits, never fails: a manager that does not listen is its own trouble."""
        if self.address is None:
            return
        try:
            # Not socket(): the sandbox of a unit may forbid Unix sockets, and leaves socketpair() alone.
            ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            with ours, other:
                ours.setblocking(False)
                ours.connect(self.address)
                ours.send("\n".join(assignments).encode("utf-8", "replace"))
        except OSError as error:
            _log.warning("service_manager_unreachable", told=assignments[0], error=str(error))


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
