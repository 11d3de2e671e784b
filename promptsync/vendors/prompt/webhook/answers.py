"""The answers of the webhook listener.

Owns every status, its body and its headers, ready as bytes, and the reasons that refusals are counted by. Decides
nothing.
"""

from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

_HEADERS: Final = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", "Server": "promptsync"}))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not stored. ``reason`` is a short stable class name, used for counting."""

    reason: str
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=())
    closes: bool = False

    def response(self) -> web.Response:
        """A fresh response; the connection ends after it when the rest of the request was left unread."""
        response = json_response(self.body, self.status)
        response.headers.extend(self.headers)
        if self.closes:
            response.force_close()
        return response


class Refused(Exception):
    """Ends the handling of a request with ``refusal``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


_RETRY: Final = (("Retry-After", "5"),)

NOT_FOUND: Final = Refusal("path", 404, b'{"error": "no deliveries are taken at this path"}')
WRONG_METHOD: Final = Refusal("method", 405, b'{"error": "deliveries are sent with POST"}', (("Allow", "POST"),))
TOO_LARGE: Final = Refusal("too_large", 413, b'{"error": "the body is too large"}', closes=True)
ENCODED: Final = Refusal(
    "content_encoding", 415, b'{"error": "send the body without Content-Encoding"}', (("Accept-Encoding", "identity"),)
)
UNAUTHENTICATED: Final = Refusal("authentication", 401, b'{"error": "wrong or missing authentication"}')
NOT_JSON: Final = Refusal("not_json", 400, b'{"error": "the body is not JSON"}')
TYPE_DISAGREES: Final = Refusal("event_type", 400, b'{"error": "Prompt-EventType and the path disagree"}')
INCOMPLETE: Final = Refusal("incomplete", 400, b'{"error": "the body did not arrive whole"}', closes=True)
TOO_SLOW: Final = Refusal("too_slow", 408, b'{"error": "the body came too slowly"}', closes=True)
STOPPING: Final = Refusal("stopping", 503, b'{"error": "stopping, try again"}', _RETRY, closes=True)
UNAVAILABLE: Final = Refusal("unavailable", 503, b'{"error": "cannot be stored now, try again"}', _RETRY)
NO_ROOM: Final = Refusal("no_room", 503, b'{"error": "too many large bodies at once, try again"}', _RETRY, closes=True)
UNEXPECTED: Final = Refusal("unexpected", 503, b'{"error": "cannot be stored now, try again"}', _RETRY)


def stored(delivery_id: int) -> web.Response:
    """The answer to a delivery that is durable."""
    return json_response(b'{"stored": %d}' % delivery_id, 200)


def json_response(body: bytes, status: int) -> web.Response:
    """A response of JSON that is already encoded."""
    return web.Response(body=body, status=status, headers=_HEADERS)
