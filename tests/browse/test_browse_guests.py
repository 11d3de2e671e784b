"""Datasette plugins of others, installed beside promptsync: their pages are open to whoever may read."""

from collections.abc import Iterator
from typing import Any

import pytest
from browse_sample import ask
from datasette import hookimpl
from datasette.plugins import pm
from datasette.utils.asgi import Forbidden, Response

from promptsync.browse.access import OPEN_FOLDERS
from promptsync.browse.guests import remarks
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings


class Guest:
    """What somebody else has written for any Datasette."""

    __name__ = "guest"

    @hookimpl
    def register_routes(self) -> list[tuple[str, Any]]:
        async def hello(datasette: Any, request: Any) -> Response:
            return Response.text("hello")

        async def guarded(datasette: Any, request: Any) -> Response:
            if not await datasette.permission_allowed(request.actor, "guest-does", default=False):
                raise Forbidden("guest-does")
            return Response.text("done")

        paths = [r"/-/guest/hello$", r"/-/password-tool$", *(rf"{folder}guest$" for folder in OPEN_FOLDERS)]
        return [*((path, hello) for path in paths), (r"/-/guest/do$", guarded)]

    @hookimpl
    def extra_js_urls(self) -> list[str]:
        return ["/guest.js"]


@pytest.fixture
def guest() -> Iterator[None]:
    plugin = Guest()
    pm.register(plugin, "guest")
    yield
    pm.unregister(plugin)


@pytest.fixture
def hosting(settings: BrowseSettings, guest: None) -> Iterator[MirrorDatasette]:
    datasette = build_datasette(settings)
    yield datasette
    close(datasette)


async def test_who_may_read_may_open_the_pages_of_a_guest(hosting: MirrorDatasette) -> None:
    for user in ("sam", "ana"):
        assert (await ask(hosting, "/-/guest/hello", user)).text == "hello"
        assert (await ask(hosting, "/-/guest/do", user)).status_code == 403, "its own permissions count"
    assert (await ask(hosting, "/-/guest/hello")).status_code == 302


async def test_where_pictures_and_styles_are_open_a_page_of_a_guest_is_not(hosting: MirrorDatasette) -> None:
    for folder in OPEN_FOLDERS:
        assert (await ask(hosting, f"{folder}guest")).status_code == 302
        assert (await ask(hosting, f"{folder}guest", "sam")).text == "hello"
    assert (await ask(hosting, "/-/static/app.css")).status_code == 200


async def test_a_guest_opens_nothing_that_is_not_its_own(hosting: MirrorDatasette) -> None:
    for path in ("/-/password-tool", "/-/settings", "/-/guest/other"):
        assert (await ask(hosting, path, "sam")).status_code == 403
    assert (await ask(hosting, "/-/password-tool", "ana")).text != "hello"


async def test_without_the_guest_there_is_no_such_page(site: MirrorDatasette) -> None:
    assert (await ask(site, "/-/guest/hello", "sam")).status_code == 403


def test_what_of_a_guest_does_not_work_is_said(guest: None) -> None:
    (said,) = remarks()
    assert said.startswith("The Datasette plugin guest does not work here in full: these pages have no scripts")


def test_what_promptsync_brings_is_no_guest() -> None:
    assert not list(remarks())
