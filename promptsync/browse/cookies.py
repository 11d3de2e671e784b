"""What our cookies say.

Owns the two of them: one names a session, the other remembers that a user has logged in with this browser before. Both
are signed by Datasette. Decides nothing about who may do what, nor whether a session is over.
"""

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
