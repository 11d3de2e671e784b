"""What a request's path means: one route for every path and method, and which paths are deliveries.

Owns the aiohttp resource that leads to one handler without matching a pattern, so that the handler alone decides what a
path means and counts what it refuses; routes with a path of their own (health) are found before it. Also what is stored
as ``Delivery.path``, and whether ``Prompt-EventType`` agrees with it. Event Endpoint specification: ``{baseUrl}/
{eventTypePath}``; a type the specification does not know is a delivery too.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import ResourceRoute, UrlMappingMatchInfo
from yarl import URL

from promptsync.vendors.prompt.event_types import type_of_path

MAX_EVENT_PATH = 200
"""Characters of an event type's path."""


def event_path(raw_path: str, base: str) -> str | None:
    """The event type's path in ``raw_path`` (still percent-encoded) below ``base``, which ends with a slash.

    Slashes around it are dropped: a base URL entered with a trailing slash, or a path sent with one, means the same.
    None: another path, none at all, longer than ``MAX_EVENT_PATH``, control characters, or bytes that are not UTF-8.
    """
    path = raw_path
    if "%" in path or not path.isascii():
        try:
            path = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8")
        except UnicodeError:
            return None
    if not path.startswith(base):
        return None
    below = path[len(base) :].strip("/")
    if not below or len(below) > MAX_EVENT_PATH or (base == "/" and below.startswith("-/")):
        return None
    return below if below.isprintable() or not _has_controls(below) else None


def types_agree(values: Sequence[str], path: str) -> bool:
    """Whether every ``Prompt-EventType`` sent names the type of ``path``; with none there is nothing to disagree.

    Below ``contactAction`` both the type and the whole path, suffix included, are right.
    """
    kind = type_of_path(path)
    return all(value in (path, kind) for value in values)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)


class EveryPath(web.AbstractResource):
    """Leads every request to ``handler``; ``Expect: 100-continue`` is left to it too."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._route = ResourceRoute("*", handler, self, expect_handler=_expect_later)

    @property
    def canonical(self) -> str:
        return "/"

    def url_for(self, **_parts: str) -> URL:
        return URL("/")

    async def resolve(self, _request: web.Request) -> tuple[UrlMappingMatchInfo, set[str]]:
        """Matches, whatever the request is."""
        return UrlMappingMatchInfo({}, self._route), set()

    def add_prefix(self, prefix: str) -> None:
        """Refused: the listener is no sub-application."""
        raise NotImplementedError(prefix)

    def get_info(self) -> Any:
        return {"path": self.canonical}

    def raw_match(self, path: str) -> bool:
        return path == self.canonical

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        yield self._route


async def _expect_later(_request: web.Request) -> None:
    """Leaves ``Expect: 100-continue`` unanswered until the checks that need no body have passed."""
