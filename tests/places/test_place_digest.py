"""A bit that flips on the way is seen, where the store says what the bytes must be; and only there."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from place_contract import SECRET, listed, opened

from promptsync.errors import InputRefused
from promptsync.places.download import Bounds, download
from promptsync.places.place import PlaceSettings

CONTENT = b"PAR1" + bytes(range(256)) * 64 + b"PAR1"
QUICK = Bounds(attempts=2, wait=0.001, stall=5.0, total=20.0)


@dataclass
class FlippingStore:
    """An S3 server of one object. ``flips``: how many answers have one bit wrong; ``headers``: of the object."""

    flips: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
    address: str = ""
    given: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        stated = {"ETag": self.etag, "Last-Modified": "Wed, 04 Feb 2026 08:00:00 GMT", **self.headers}
        if "list-type" in request.query:
            entry = f"<Key>a.parquet</Key><Size>{len(CONTENT)}</Size><ETag>{self.etag}</ETag>"
            when = "<LastModified>2026-02-04T08:00:00.000Z</LastModified>"
            text = f"<ListBucketResult><Contents>{entry}{when}</Contents></ListBucketResult>"
            return web.Response(text=text, content_type="application/xml")
        if request.method == "HEAD":
            return web.Response(headers=stated)
        self.given += 1
        flipped = bytearray(CONTENT)
        flipped[4_000] ^= self.given <= self.flips
        return web.Response(body=bytes(flipped), headers=stated)


@asynccontextmanager
async def serving(store: FlippingStore) -> AsyncIterator[PlaceSettings]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield PlaceSettings("s3://bucket", endpoint, None, "key", SECRET)
    finally:
        await runner.cleanup()


async def fetched(store: FlippingStore, target: Path, bounds: Bounds = QUICK) -> bytes:
    async with serving(store) as settings, opened(settings) as place:
        (item,) = await listed(place)
        await download(place, item, target, bounds)
    return target.read_bytes()


async def test_a_flipped_bit_is_fetched_again(tmp_path: Path) -> None:
    store = FlippingStore(flips=2)
    assert await fetched(store, tmp_path / "a") == CONTENT
    assert store.given == 3


@pytest.mark.parametrize("headers", [{}, {"x-amz-server-side-encryption": "AES256"}])
async def test_one_that_is_always_flipped_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    with pytest.raises(InputRefused, match="MD5"):
        await fetched(FlippingStore(flips=99, headers=headers), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "store",
    [
        FlippingStore(etag=f'"{"0" * 32}"', headers={"x-amz-server-side-encryption": "aws:kms"}),
        FlippingStore(etag=f'"{"0" * 32}"', headers={"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        FlippingStore(etag=f'"{"0" * 32}-3"'),
    ],
    ids=["kms", "key of the customer", "several parts"],
)
async def test_an_etag_that_is_no_md5_refuses_nothing(tmp_path: Path, store: FlippingStore) -> None:
    assert await fetched(store, tmp_path / "a") == CONTENT
    assert store.given == 1


async def test_the_comparison_can_be_switched_off(tmp_path: Path) -> None:
    bounds = Bounds(attempts=2, wait=0.001, stall=5.0, total=20.0, md5=False)
    assert await fetched(FlippingStore(flips=1), tmp_path / "a", bounds) != CONTENT
