"""What the process tells others of how it is: the service manager that started it, and whoever watches from outside.

Owns the sd_notify protocol (sd_notify(3), sd_watchdog_enabled(3)): one datagram of assignments to ``NOTIFY_SOCKET``;
without a service manager it does nothing. And alerts: a line in the log for each new problem and for its end, and a
ping. A good state pings the address itself, problems its ``/fail``, as healthchecks.io has it; a ping that fails is
said once and disturbs nothing else. The address is a secret: it is never logged. What is a problem is in
status/status.py.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import structlog

from promptsync.config.secret import Secret
from promptsync.daemon.schedule import Every, Task
from promptsync.errors import PromptsyncError

EVERY: Final = timedelta(minutes=5)
PING_SECONDS: Final = 10.0
_DETAILS: Final = re.compile(r"^[\d,]+ | \([^()]*\)")  # a count in front, a reason in parentheses
_log = structlog.get_logger()


class Alerts:
    """Remembers what has been said since the daemon began. ``problems`` reads them, blocking, on a thread.

    The look at the start says nothing: what a daemon has to catch up on is no problem yet.

    ``ping``: where the address to call is kept, None for nowhere. ``seconds``: for a whole ping.
    """

    def __init__(
        self, problems: Callable[[], Iterable[str]], ping: Secret | None, seconds: float = PING_SECONDS
    ) -> None:
        self._problems = problems
        self._ping = ping
        self._seconds = seconds
        self._known: dict[str, str] = {}
        self._begun = False
        self._ping_error: str | None = None

    async def check(self) -> None:
        """Look once: log what is new and what is gone, and ping. Raises what reading the problems raises."""
        found = keyed(await asyncio.to_thread(self._problems))
        if self._begun:
            for key in found.keys() - self._known.keys():
                _log.warning("problem", problem=found[key])
            for key in self._known.keys() - found.keys():
                _log.warning("problem_gone", problem=self._known[key])
            self._known = found
        self._begun = True
        if self._ping is not None:
            self._say(await self._call(self._ping, bool(found)))

    def task(self) -> Task:
        """The check as a task of the schedule, never on record."""
        return Task("alerts", Every(EVERY), self.check)

    async def _call(self, ping: Secret, failing: bool) -> str | None:
        """What went wrong, without the address; None if the ping was taken."""
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        try:
            url = await asyncio.to_thread(lambda: ping_url(ping.reveal().decode("ascii"), failing))
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                return None if response.status < 300 else f"it answers with status {response.status}"
        except PromptsyncError as error:
            return str(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return type(error).__name__  # its message may quote the address

    def _say(self, error: str | None) -> None:
        if error is not None and error != self._ping_error:
            _log.warning("ping_failed", error=error)
        elif error is None and self._ping_error is not None:
            _log.warning("ping_works_again")
        self._ping_error = error


def keyed(problems: Iterable[str]) -> dict[str, str]:
    """Problems by what stays the same while they last: a count that grows is no new problem.

    >>> list(keyed(["1,204 deliveries failed: look.", "a.csv is held (12 rows); load it."]))
    ['deliveries failed: look.', 'a.csv is held; load it.']
    """
    return {_DETAILS.sub("", problem): problem for problem in problems}


def ping_url(url: str, failing: bool) -> str:
    """The address to call.

    >>> ping_url("https://hc.example/abc/?x=1", failing=True)
    'https://hc.example/abc/fail?x=1'
    """
    if not failing:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))


_MICROS = 1_000_000


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
