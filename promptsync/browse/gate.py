"""The door before every page: the ASGI wrapper around all of Datasette and its plugins.

Owns what a request must have before any route runs, so that a route that forgets to ask shows nothing: a login, or
an administrator's for Datasette's own pages under ``/-/``. Also refuses large bodies, foreign host names where there
is no login, passwords in headers, and too many tries to log in, ends a session on logging out, and says to browsers
that no script may run. Decides nothing about tables and SQL: that is ``access.may``, asked by Datasette.
"""

import hmac
import math
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog
from datasette.plugins import pm  # type: ignore[import-untyped]
from datasette.utils import await_me_maybe  # type: ignore[import-untyped]
from datasette.utils.asgi import Request, Response  # type: ignore[import-untyped]

from promptsync.browse.access import OPEN_FOLDERS, Actor, Need, may, needs
from promptsync.browse.attempts import LoginLimit
from promptsync.browse.pages import READABLE
from promptsync.browse.sessions import browser_of, session_name
from promptsync.browse.settings import BrowseSettings, loopback
from promptsync.browse.visitor import encrypted, networks, visitor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

REFUSED = "/-/refused"
"""A route that says, as a page with everything around it, that this is for administrators."""

_log = structlog.get_logger()
ASKED: ContextVar[str] = ContextVar("asked", default="")
"""The path of the request that is being answered, with the prefix; empty where there is no prefix."""

PROGRAM = "promptsync.program"
"""Where a request's scope says which program has sent it."""

_LARGEST_BODY = 16_384
_LOGIN, _LOGOUT = "/-/login", "/-/logout"
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"referrer-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"x-robots-tag": b"noindex, nofollow",
}


class Gate:
    """Wraps ``app``; ``datasette`` must carry ``browse``, the settings, ``sessions``, ``guests``, and a ``clock`` in
    seconds."""

    def __init__(self, app: App, datasette: Any) -> None:
        self._app = app
        self._datasette = datasette
        self._trusted = networks(self._settings.trusted_proxies)
        self._limit = LoginLimit()

    @property
    def _settings(self) -> BrowseSettings:
        found: BrowseSettings = self._datasette.browse
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._datasette.look_at_accounts()
        given = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"authorization"]
        scope = {**scope, "headers": headers}
        ASKED.set(str(Request(scope, None).path) if self._settings.prefix != "/" else "")
        refusal = _unfit(scope, self._settings) or await self._unwelcome(scope, given)
        https = self._settings.public.startswith("https:") or encrypted(scope.get("scheme", ""), headers)
        send = _with_headers(send, secure=https)
        posted = self._path(scope) if scope["method"] == "POST" else ""
        if isinstance(refusal, Response):
            await refusal.asgi_send(send)
        elif posted == _LOGIN:
            await self._log_in(scope, receive, send)
        elif posted == _LOGOUT:
            await self._app(scope, receive, self._ending(scope, send))
        else:
            await self._app({**scope, **(refusal or {})}, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a try to log in pass unless there were too many."""
        message = await _whole(receive)
        try:
            form = dict(parse_qsl(message.get("body", b"").decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            await Response.text("The form is not in UTF-8.", 400).asgi_send(send)
            return
        user, headers = form.get("username", ""), scope["headers"]
        shown = user if user in self._settings.users else "(unknown)"  # someone may have typed a password there
        address = visitor((scope.get("client") or ("",))[0], headers, self._trusted)
        browser = browser_of(self._datasette, headers, user)
        if wait := self._limit.wait(address, user, self._datasette.clock(), browser):
            seconds = math.ceil(wait)
            later = {"retry-after": str(seconds)}
            _log.warning("login_refused", user=shown, address=address, reason="too many tries")
            await Response.text(f"Too many tries. The next one in {seconds} seconds.", 429, later).asgi_send(send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 302:
                self._limit.succeeded(address, user, browser)
                _log.info("login", user=shown, address=address)
            elif message["type"] == "http.response.start" and message["status"] == 200:
                _log.warning("login_refused", user=shown, address=address, reason="wrong name or password")
            await send(message)

        await self._app(scope, _once(message, receive), answer)

    def _ending(self, scope: Scope, send: Send) -> Send:
        """The session ends with the answer that says so, whoever else has a copy of its cookie."""
        name = session_name(self._datasette, scope["headers"])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 302:
                self._datasette.sessions.end(name)
            await send(message)

        return answer

    def _path(self, scope: Scope) -> str:
        """The path below the prefix, as Datasette will see it."""
        path, prefix = str(Request(scope, None).path), self._settings.prefix
        return "/" + path.removeprefix(prefix) if path.startswith(prefix) else path

    async def _unwelcome(self, scope: Scope, given: bytes) -> Response | Scope | None:
        """None where the path is open to whoever asks; else the answer, or changes that lead to ``REFUSED``. ``given``:
        the Authorization header."""
        path = self._path(scope)
        if f"{Request(scope, None).path}/" == self._settings.prefix:
            return Response.redirect(self._settings.prefix)
        need = needs(path, READABLE)
        guarded = need is Need.ADMINISTER or path.startswith(OPEN_FOLDERS)
        if guarded and self._datasette.guests.has(path):
            need = Need.READ
        if need is Need.MONITOR and (program := _sent_token(given, self._settings.tokens)):
            return {PROGRAM: {"token": program}}
        actor = await self._actor(scope)
        if need is Need.NOTHING or may(self._settings, actor, need.value):
            return None
        data = path.endswith((".json", ".csv")) or scope["method"] not in ("GET", "HEAD")
        if not may(self._settings, actor, Need.READ.value):
            if data:
                return Response.json({"ok": False, "error": "Log in first.", "status": 403}, status=403)
            return Response.redirect(self._datasette.urls.path("/-/login"))
        if data:
            return Response.json({"ok": False, "error": "Only for administrators.", "status": 403}, status=403)
        return {"path": REFUSED, "raw_path": REFUSED.encode()}

    async def _actor(self, scope: Scope) -> Actor:
        for found in pm.hook.actor_from_request(datasette=self._datasette, request=Request(scope, None)):
            actor: Actor = await await_me_maybe(found)
            if actor:
                return actor
        return None


def _unfit(scope: Scope, settings: BrowseSettings) -> Response | None:
    """The answer to a request that no page should see."""
    request = Request(scope, None)
    host = re.sub(r":[0-9]*$", "", request.host)
    if not loopback(host) and not _served(host, settings):  # a foreign page whose name was made to mean this machine
        return Response.text(_not_served(host, settings), status=421)
    if scope["method"] == "POST":
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _LARGEST_BODY:
            return Response.text("The form is too large.", status=413)
    return None


def _served(host: str, settings: BrowseSettings) -> bool:
    """Whether a host name is one that people use: the public address's; any, where there is none and a login."""
    if settings.public:
        return host.lower() in (urlsplit(settings.public).hostname, settings.host)
    return not settings.anonymous


def _not_served(host: str, settings: BrowseSettings) -> str:
    """What whoever has set this up has to do; nothing in it but what was asked for."""
    known = re.fullmatch(r"[A-Za-z0-9._-]{1,253}", host) is not None
    login = ", let somebody log in ('promptsync user add NAME')" if settings.anonymous else ""
    return (
        f"The pages are not served as {host if known else 'this name'}. If that is how people open them, set "
        f'[browse] address = "https://{host if known else "NAME"}/"{login} and restart the pages; if it is not, have '
        "the proxy pass the Host header on. 'promptsync help proxy' shows how.\n"
    )


def _sent_token(given: bytes, tokens: Mapping[str, str]) -> str | None:
    """The name of the token in an Authorization header."""
    kind, _, token = given.partition(b" ")
    names = [name for name, known in tokens.items() if hmac.compare_digest(token.strip(), known.encode())]
    return names[0] if names and kind.lower() == b"bearer" else None


async def _whole(receive: Receive) -> Message:
    """The request's body as one message; its length has been judged. What comes instead, if the client goes away."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > _LARGEST_BODY:
            return {"type": "http.request", "body": body, "more_body": False}


def _once(message: Message, receive: Receive) -> Receive:
    """``message``, then whatever else comes."""
    waiting = [message]

    async def next_one() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_one


def _with_headers(send: Send, *, secure: bool) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, _hardened(name, value, secure)) for name, value in message.get("headers", [])]
            said = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [h for h in _HEADERS.items() if h[0] not in said]}
        await send(message)

    return answer


def _hardened(name: bytes, value: bytes, secure: bool) -> bytes:
    """No script ever needs a cookie of ours, and one that was given encrypted never travels otherwise."""
    if name.lower() != b"set-cookie":
        return value
    wanted = [b"; HttpOnly", *([b"; Secure"] if secure else [])]
    return value + b"".join(word for word in wanted if word[2:].lower() not in value.lower())
