"""The one route of the listener: every path and every method.

Owns the aiohttp resource that leads to one handler without matching a pattern, so that the handler alone decides what a
path means and counts what it refuses. Routes with a path of their own (health) are found before it.
"""

from collections.abc import Iterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import ResourceRoute, UrlMappingMatchInfo
from yarl import URL


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
