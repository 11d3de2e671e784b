"""Who is logged in: sessions, kept in this process alone, and the cookies that name them.

Owns their beginning and their end, in bounded memory. A cookie only names a session, so that logging out ends it
whoever has a copy of the cookie, and a restart ends all; another remembers that a user has logged in with this browser
before. Both are signed by Datasette. Knows no requests and decides nothing about who may do what; the clock comes from
outside and may begin anywhere.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from itsdangerous import BadSignature

from promptsync.browse.visitor import Headers

SESSION: Final = "ds_actor"
"""Datasette's own, read by it and its plugins: ``{"a": {"id": user}, "s": name of the session}``."""

BROWSER: Final = "promptsync_browser"
"""``{"u": user, "b": name of the browser}``."""

BROWSER_SECONDS: Final = 90 * 24 * 3600


def session_name(datasette: Any, headers: Headers) -> object:
    """What a request's cookie names; None without a cookie of a session that goes on."""
    return _signed(datasette, headers, SESSION, "actor").get("s")


def browser_of(datasette: Any, headers: Headers, user: str) -> str:
    """The name of the browser, if the user has logged in with it before, else an empty one."""
    found = _signed(datasette, headers, BROWSER, BROWSER)
    name = found.get("b")
    return name if found.get("u") == user and isinstance(name, str) else ""


def _signed(datasette: Any, headers: Headers, name: str, namespace: str) -> dict[str, Any]:
    cookies = SimpleCookie()
    try:
        cookies.load("; ".join(value.decode("latin-1") for header, value in headers if header.lower() == b"cookie"))
        found = datasette.unsign(cookies[name].value, namespace) if name in cookies else None
    except (BadSignature, CookieError):
        return {}
    return found if isinstance(found, dict) else {}


LIFETIME: Final = 12 * 3600
"""Seconds after which a session ends, however much it is used."""

_MOST: Final = 50  # of one user: the oldest ends


@dataclass(frozen=True, slots=True)
class _Session:
    user: str
    ends: float


class Sessions:
    """Sessions by their random names. ``clock``: seconds, never set back (monotonic)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[str, _Session] = {}  # oldest first

    def begin(self, user: str) -> str:
        """A new session of someone whose password was right; its name."""
        now = self._clock()
        self._open = {name: one for name, one in self._open.items() if one.ends > now}
        of_user = [name for name, one in self._open.items() if one.user == user]
        for name in of_user[: max(0, len(of_user) + 1 - _MOST)]:
            del self._open[name]
        name = secrets.token_urlsafe(24)
        self._open[name] = _Session(user, now + LIFETIME)
        return name

    def user(self, name: object) -> str | None:
        """Whose session it is; None if there is no such session, or not any more."""
        found = self._open.get(name) if isinstance(name, str) else None
        return found.user if found is not None and found.ends > self._clock() else None

    def end(self, name: object) -> None:
        """It is over. Ending what is over is harmless."""
        if isinstance(name, str):
            self._open.pop(name, None)
