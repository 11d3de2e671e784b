"""S3 keeps the contract of places, played by moto's server."""

from dataclasses import dataclass, field
from uuid import uuid4

import obstore
import pytest
from aiohttp import ClientSession
from obstore.store import S3Store
from place_contract import SECRET, PlaceContract, listed, opened, whole

from promptsync.errors import ConfigError
from promptsync.sources.places.place import PlaceSettings


@dataclass
class S3Stage:
    endpoint: str
    bucket: str
    changes: bool = True
    states_md5: bool = True
    settings: PlaceSettings = field(init=False)
    unreachable: PlaceSettings = field(init=False)

    def __post_init__(self) -> None:
        location, keys = f"s3://{self.bucket}/exports/prompt", {"access_key": "key", "secret_key": SECRET}
        self.settings = PlaceSettings(location, self.endpoint, **keys)
        self.unreachable = PlaceSettings(location, "http://127.0.0.1:9", **keys)

    @property
    def store(self) -> S3Store:
        return S3Store(
            self.bucket,
            prefix="exports/prompt",
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id="key",
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

    async def put(self, key: str, content: bytes) -> None:
        await obstore.put_async(self.store, key, content)

    async def remove(self, key: str) -> None:
        await obstore.delete_async(self.store, key)


async def make_bucket(endpoint: str, name: str) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    async with ClientSession() as session, session.put(f"{endpoint}/{name}", headers={"Authorization": signed}) as made:
        assert made.status == 200


@pytest.fixture
async def stage(s3: str) -> S3Stage:
    one = S3Stage(s3, f"bucket-{uuid4().hex}")
    await make_bucket(s3, one.bucket)
    return one


class TestS3(PlaceContract):
    pass


async def _ask_for_keys(session: ClientSession, endpoint: str, after: bytes) -> None:
    async with session.post(f"{endpoint}/moto-api/reset-auth", data=after) as answer:
        assert answer.status == 200


async def test_refused_keys_are_said_to_be_so(stage: S3Stage) -> None:
    """The server begins to ask whose keys these are, and lets everybody in again afterwards."""
    await stage.put("a.csv.gz", b"a")
    async with ClientSession() as session, opened(stage.settings) as place:
        (item,) = await listed(place)
        try:
            await _ask_for_keys(session, stage.endpoint, b"0")
            for attempt in (listed(place), whole(place, item)):
                with pytest.raises(ConfigError, match="refuses the keys") as caught:
                    await attempt
                assert SECRET not in str(caught.value)
        finally:
            await _ask_for_keys(session, stage.endpoint, b"inf")


async def test_other_prefixes_are_not_listed(stage: S3Stage) -> None:
    await stage.put("a.csv.gz", b"a")
    async with opened(PlaceSettings(f"s3://{stage.bucket}/exports", stage.endpoint, None, "key", SECRET)) as place:
        assert [item.key for item in await listed(place)] == ["prompt/a.csv.gz"]
    async with opened(PlaceSettings(f"s3://{stage.bucket}/export", stage.endpoint, None, "key", SECRET)) as place:
        assert await listed(place) == []
