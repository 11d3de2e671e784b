"""Alerts: a line in the log for each new problem and for its end, and a ping to whoever watches from outside.

Owns what has been said. A good state pings the address itself, problems its ``/fail``, as healthchecks.io has it; a
ping that fails is said once and disturbs nothing else. The address is a secret: it is never logged. What is a problem
is in status/status.py.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final
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

    ``ping``: where the address to call is kept, None for nowhere; may be changed. ``seconds``: for a whole ping.
    """

    def __init__(
        self, problems: Callable[[], Iterable[str]], ping: Secret | None, seconds: float = PING_SECONDS
    ) -> None:
        self._problems = problems
        self.ping = ping
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
        if self.ping is not None:
            self._say(await self._call(self.ping, bool(found)))

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
