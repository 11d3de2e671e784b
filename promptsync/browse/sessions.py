"""Who is logged in: sessions, the file that keeps them over a restart, and the cookies that name them.

Owns their beginning and their end, in bounded memory. A cookie only names a session, so that logging out ends it
whoever has a copy of the cookie, as does a new password; another cookie remembers that a user has logged in with this
browser before. Both are signed by Datasette, with a secret that is kept beside the sessions. The file holds no name of
a session, only its digest: reading it lets nobody in. Knows no requests and decides nothing about who may do what.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import astuple, dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final

import structlog
from itsdangerous import BadSignature

from promptsync.browse.visitor import Headers
from promptsync.whole_file import write_whole

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
    account: str  # digest of the password hash that it began with
    ends: float


class Sessions:
    """Sessions by digests of their random names.

    ``clock``: seconds since 1970, so that they end in time after a restart. ``hash_of``: a user's password hash now,
    empty if there is none. ``file``: keeps them and the secret; None, or one that cannot be written: this process does.
    """

    def __init__(self, clock: Callable[[], float], hash_of: Callable[[str], str], file: Path | None = None) -> None:
        self._clock = clock
        self._hash_of = hash_of
        self._file = file
        kept = _read(file)
        self.secret: str = kept.get("secret") or secrets.token_hex(32)
        self._open = {name: _Session(*one) for name, one in kept.get("sessions", {}).items()}  # oldest first
        if not kept:
            self._keep()

    def begin(self, user: str) -> str:
        """A new session of someone whose password was right; its name."""
        now = self._clock()
        self._open = {name: one for name, one in self._open.items() if _goes_on(one, now)}
        of_user = [name for name, one in self._open.items() if one.user == user]
        for name in of_user[: max(0, len(of_user) + 1 - _MOST)]:
            del self._open[name]
        name = secrets.token_urlsafe(24)
        self._open[_digest(name)] = _Session(user, _digest(self._hash_of(user)), now + LIFETIME)
        self._keep()
        return name

    def user(self, name: object) -> str | None:
        """Whose session it is; None if there is no such session, or not any more."""
        found = self._open.get(_digest(name)) if isinstance(name, str) else None
        if found is None or not _goes_on(found, self._clock()):
            return None
        return found.user if found.account == _digest(self._hash_of(found.user)) else None

    def end(self, name: object) -> None:
        """It is over. Ending what is over is harmless."""
        if isinstance(name, str) and self._open.pop(_digest(name), None) is not None:
            self._keep()

    def _keep(self) -> None:
        """Replace the file. Without one that can be written, sessions end with this process."""
        if self._file is None:
            return
        there = {"secret": self.secret, "sessions": {name: astuple(one) for name, one in self._open.items()}}
        try:
            write_whole(self._file, json.dumps(there).encode())
        except OSError as error:
            structlog.get_logger().warning("sessions_not_kept", file=str(self._file), reason=error.strerror)
            self._file = None


def _read(file: Path | None) -> dict[str, Any]:
    """What the file holds; nothing if there is none, or it is no file of ours."""
    try:
        kept = json.loads(file.read_bytes()) if file else {}
        usable = isinstance(kept["secret"], str) and all(len(one) == 3 for one in kept["sessions"].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return kept if usable else {}


def _goes_on(session: _Session, now: float) -> bool:
    """One that would end later than any could has been begun by a wrong clock."""
    return now < session.ends <= now + LIFETIME


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
