"""Web servers keep the contract of places, as index pages and as JSON lists; patterns find what exists."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from file_server import FileServer, serve
from place_contract import SECRET, GuardedPlaceContract, listed, opened, whole

from promptsync.errors import ConfigError, InputRefused
from promptsync.sources.places.place import Expected, PlaceSettings
from promptsync.sources.places.web_listing import Link, http_time, read_listing


@dataclass
class WebStage:
    server: FileServer
    changes: bool = False
    states_md5: bool = False
    settings: PlaceSettings = field(init=False)
    refused: PlaceSettings = field(init=False)
    unreachable: PlaceSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = PlaceSettings(f"{self.server.address}/out/", password=SECRET)
        self.refused = replace(self.settings, password="wrong")
        self.unreachable = replace(self.settings, location="http://127.0.0.1:9/out/")

    async def put(self, key: str, content: bytes) -> None:
        self.server.files[key] = content

    async def remove(self, key: str) -> None:
        del self.server.files[key]


@pytest.fixture(params=[False, True], ids=["page", "json"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[WebStage]:
    async with serve(FileServer(SECRET, json=request.param)) as server:
        yield WebStage(server)


class TestWeb(GuardedPlaceContract):
    pass


async def test_a_list_that_is_not_there_is_a_wrong_location(stage: WebStage) -> None:
    async with opened(replace(stage.settings, location=f"{stage.server.address}/nowhere")) as place:
        with pytest.raises(ConfigError, match="no list"):
            await listed(place)


async def test_a_pattern_finds_what_exists_and_names_it() -> None:
    async with serve(FileServer()) as server:
        server.files = {"1044/message.2026-02-04.gz": b"a", "1044/message.2026-02-06.gz": b"b"}
        nights = [Expected("message", "1044", f"2026-02-0{day}", f"message_1044_{day}.csv.gz") for day in (4, 5, 6)]
        settings = PlaceSettings(f"{server.address}/out/{{org}}/{{table}}.{{date}}.gz", expected=tuple(nights))
        async with opened(settings) as place:
            items = await listed(place)
            assert [item.file_name for item in items] == ["message_1044_4.csv.gz", "message_1044_6.csv.gz"]
            assert [await whole(place, item) for item in items] == [b"a", b"b"]


async def test_the_password_is_not_shown_to_the_host_of_a_redirect() -> None:
    async with serve(FileServer(SECRET)) as server, serve(FileServer()) as other:
        server.files["a.csv.gz"] = other.files["a.csv.gz"] = b"a"
        server.redirects["/out/a.csv.gz"] = f"{other.address}/out/a.csv.gz?signature=1"
        async with opened(PlaceSettings(f"{server.address}/out/", password=SECRET)) as place:
            (item,) = await listed(place)
            assert await whole(place, item) == b"a"
        assert item.key == "a.csv.gz"
        assert other.asked
        assert all("Authorization" not in headers for _, _, headers in other.asked)


async def test_a_list_cannot_lead_to_other_hosts() -> None:
    async with serve(FileServer(json=True)) as server:
        server.files["a.csv.gz"] = b"a"
        server.redirects["/out/a.csv.gz"] = "http://169.254.169.254/latest/meta-data"
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            (item,) = await listed(place)
            with pytest.raises(InputRefused) as caught:
                await whole(place, item)
        assert caught.value.reason == "foreign_host"


def test_listings_of_many_spellings() -> None:
    assert read_listing(b'["a.csv", "b.csv"]', "application/json") == [Link("a.csv"), Link("b.csv")]
    entries = b'{"items": [{"key": "1/a.csv", "size": 7, "md5": "x", "lastModified": "2026-02-04T08:00:00Z"}, 5, {}]}'
    assert read_listing(entries, "text/plain") == [
        Link("1/a.csv", name="a.csv", size=7, tag="x", modified=1_770_192_000_000_000)
    ]
    assert read_listing(b"<A HREF='a%20b.csv'>a</A><a name=x><p", "text/html") == [Link("a%20b.csv")]
    assert http_time("Wed, 04 Feb 2026 08:00:00 GMT") == 1_770_192_000_000_000
    assert http_time("yesterday") is None
    for body in (b"{}", b"[1", b'{"files": 5}', b"\xff", b"[" * 100_000):
        with pytest.raises(InputRefused):
            read_listing(body, "application/json")
