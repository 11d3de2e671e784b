"""The pages to log in at and to make a hash, in place of datasette-auth-passwords' own, which hash on the event loop.

Owns the pages and what a login leaves behind: a session, and a mark that the user has logged in with this browser. Who
may make hashes is decided in ``access``.
"""

import secrets
from typing import Any, Final

from datasette.utils.asgi import Request, Response  # type: ignore[import-untyped]

from promptsync.browse.answering import HEADERS
from promptsync.browse.passwords import Busy
from promptsync.browse.sessions import BROWSER, BROWSER_SECONDS, LIFETIME, SESSION, browser_of

_WRONG: Final = "Invalid username or password"
_BUSY: Final = "Too many others are logging in. Try again in a few seconds."
_BUSY_SECONDS: Final = "5"


async def log_in(request: Request, datasette: Any) -> Response:
    """The form, or what becomes of it."""
    if request.method != "POST":
        return await _form(request, datasette)
    form = await request.post_vars()
    user, password = form.get("username", ""), form.get("password", "")
    try:
        right = await datasette.passwords.right(user, password)
    except Busy:
        return await _form(request, datasette, _BUSY, 503)
    if not right:
        return await _form(request, datasette, _WRONG)
    response = Response.redirect(datasette.urls.path("/"))
    name = datasette.sessions.begin(user)
    response.set_cookie(SESSION, datasette.sign({"a": {"id": user}, "s": name}, "actor"), max_age=LIFETIME)
    browser = browser_of(datasette, request.scope["headers"], user) or secrets.token_urlsafe(12)
    response.set_cookie(BROWSER, datasette.sign({"u": user, "b": browser}, BROWSER), max_age=BROWSER_SECONDS)
    return response


async def make_hash(request: Request, datasette: Any) -> Response:
    """The form for a new password, with its hash once one was sent."""
    password = (await request.post_vars()).get("password") if request.method == "POST" else None
    try:
        hashed = await datasette.passwords.hashed(password) if password else None
    except Busy:
        return Response.text(_BUSY, status=503, headers={"retry-after": _BUSY_SECONDS})
    return Response.html(
        await datasette.render_template("password_tool.html", {"hashed_password": hashed}, request=request)
    )


async def _form(request: Request, datasette: Any, error: str = "", status: int = 200) -> Response:
    values = {"title": "Log in", "error": error}
    page = datasette.frame.plain(request, "staff/login.html", values)
    later = {"retry-after": _BUSY_SECONDS} if status != 200 else {}
    return Response.html(page, status=status, headers=HEADERS | later)
