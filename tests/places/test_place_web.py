"""Web servers keep the contract of places, as index pages and as JSON lists; patterns find what exists."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from file_server import FileServer, serve
from place_contract import SECRET, GuardedPlaceContract, listed, opened, whole

from promptsync.errors import ConfigError, FileUnavailable, InputRefused, Unavailable
from promptsync.places.place import Expected, PassedOver, PlaceSettings
from promptsync.places.web_listing import Link, http_time, read_listing


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

    async def spoil(self) -> set[str]:
        """Folders that are closed, a file that is refused, one that is sent elsewhere."""
        if self.server.json:
            self.server.unsaid |= {"x.csv.gz", "elsewhere.csv.gz"}
            self.server.files |= {"x.csv.gz": b"x", "elsewhere.csv.gz": b"x"}
            self.server.statuses["*", "/out/x.csv.gz"] = 403
            self.server.redirects["/out/elsewhere.csv.gz"] = "http://169.254.169.254/x"
            return {"x.csv.gz", "elsewhere.csv.gz"}
        self.server.files |= {"closed/x.csv.gz": b"x", "broken/x.csv.gz": b"x", "refused.csv.gz": b"x"}
        self.server.statuses |= {("*", "/out/closed/"): 403, ("*", "/out/broken/"): 500}
        self.server.statuses["*", "/out/refused.csv.gz"] = 401
        return {"closed/", "broken/", "refused.csv.gz"}


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


@pytest.mark.parametrize("status", [400, 403, 405, 500, 501])
async def test_that_head_is_refused_does_not_mean_that_the_file_is(status: int) -> None:
    async with serve(FileServer()) as server:
        server.files = {"a.csv.gz": b"a", "empty.csv": b""}
        server.statuses = {("HEAD", f"/out/{key}"): status for key in server.files}
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            assert {item.key: (item.size, await whole(place, item)) for item in await listed(place)} == {
                "a.csv.gz": (1, b"a"),
                "empty.csv": (0, b""),
            }


async def test_a_file_that_is_called_a_page_is_one_only_if_it_looks_like_one() -> None:
    async with serve(FileServer(html=frozenset({"HEAD", "GET"}))) as server:
        server.files = {"a.csv.gz": b"\x1f\x8b...", "b.parquet": b"PAR1", "c.csv": b"<html>", "d.csv": b"busy"}
        passed: list[PassedOver] = []
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            assert [item.key for item in await listed(place, passed.append)] == ["a.csv.gz", "b.parquet"]
        assert [entry.key for entry in passed] == ["c.csv", "d.csv"]
        assert all("page in place of" in entry.why for entry in passed)


async def test_a_page_that_comes_for_a_while_in_place_of_a_file_is_not_taken_for_it(stage: WebStage) -> None:
    await stage.put("a.csv.gz", b"a")
    stage.server.once["a.csv.gz"] = [b" \n<!DOCTYPE html>maintenance"]
    async with opened(stage.settings) as place:
        (item,) = await listed(place)
        stage.server.once["a.csv.gz"] = [b" \n<!DOCTYPE html>maintenance"]
        with pytest.raises(FileUnavailable, match="a page in place of"):
            await whole(place, item)
        assert await whole(place, item) == b"a"


@pytest.mark.parametrize(("status", "kind"), [(401, ConfigError), (403, ConfigError), (500, Unavailable)])
async def test_what_every_file_answers_is_the_places_answer(status: int, kind: type[Exception]) -> None:
    async with serve(FileServer()) as server:
        server.files = {f"{number}.csv.gz": b"a" for number in range(30)}
        server.statuses = {("*", f"/out/{key}"): status for key in server.files}
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            with pytest.raises(kind) as caught:
                await listed(place)
        assert type(caught.value) is kind
        assert len(server.asked) < 30  # the list, and a few files, twice


async def test_a_pattern_passes_over_in_silence_what_its_store_hides() -> None:
    async with serve(FileServer()) as server:
        server.files = {"1.2026-02-04.gz": b"a"}
        server.statuses = {("*", "/out/1.2026-02-05.gz"): 403}
        nights = [Expected("message", "1", f"2026-02-0{day}", f"message_1_{day}.csv.gz") for day in (4, 5)]
        settings = PlaceSettings(f"{server.address}/out/{{org}}.{{date}}.gz", expected=tuple(nights))
        passed: list[PassedOver] = []
        async with opened(settings) as place:
            assert [item.file_name for item in await listed(place, passed.append)] == ["message_1_4.csv.gz"]
        assert passed == []


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
    assert http_time("Mon, 01 Jan 99999999999999999999 00:00:00 GMT") is None
    assert read_listing(b'<a href="a.csv">\xff</a><a href="b.csv">', "text/html") == [Link("a.csv"), Link("b.csv")]
    assert read_listing(rb'["\ud800.csv", {"url": "a", "name": "\ud800"}]', "application/json") == [
        Link("?.csv"),
        Link("a", name="?"),
    ]
    for body in (b"{}", b"[1", b'{"files": 5}', b"\xff", b"[" * 100_000):
        with pytest.raises(InputRefused):
            read_listing(body, "application/json")
