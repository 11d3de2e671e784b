"""S3 keeps the contract of places, played by moto's server."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode
from uuid import uuid4

import obstore
import pytest
from aiohttp import ClientSession
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from obstore.store import S3Store
from place_contract import SECRET, PlaceContract, listed, opened, whole
from yarl import URL

from promptsync.errors import ConfigError
from promptsync.places.object_xml import NotListed, entries_of, read_page, signed_question
from promptsync.places.place import PassedOver, PlaceSettings


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

    async def spoil(self) -> set[str]:
        """Keys that obstore cannot name, beside the others and in folders of their own."""
        odd = {"backup//notes.txt", "/first", "../up", "in a/./here", "in a/tab\tin it", "del\x7f", "ctl\x01", "end//"}
        for key in odd:
            await self.put_raw(f"exports/prompt/{key}", b"x")
        await self.put_raw("exports/prompt/marker/", b"")
        return odd

    async def put_raw(self, key: str, content: bytes) -> None:
        address = URL(f"{self.endpoint}/{self.bucket}/{quote(key)}", encoded=True)
        headers = {"Authorization": _SIGNED}
        async with ClientSession() as session, session.put(address, data=content, headers=headers) as made:
            assert made.status == 200


_SIGNED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


async def make_bucket(endpoint: str, name: str) -> None:
    async with (
        ClientSession() as session,
        session.put(f"{endpoint}/{name}", headers={"Authorization": _SIGNED}) as made,
    ):
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


def test_what_is_asked_without_obstore_is_signed_as_amazon_says() -> None:
    """The signature is worked out once more by Amazon's own library."""
    store = S3Store("bucket", prefix="a/b", region="eu-west-1", access_key_id="key", secret_access_key=SECRET)
    question = {"list-type": "2", "encoding-type": "url", "prefix": "a/b ü+&/", "continuation-token": "x=/+"}
    asked = signed_question(store, question)
    assert (asked.host, asked.path) == ("s3.eu-west-1.amazonaws.com", "/bucket")
    assert question.items() <= dict(asked.query).items()
    said = dict(asked.query)
    signature = said.pop("X-Amz-Signature")
    request = AWSRequest("GET", f"{asked.origin()}{asked.raw_path}?{urlencode(said, quote_via=quote)}")
    request.context["timestamp"] = said["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials("key", SECRET), "s3", "eu-west-1")
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    assert signature == auth.signature(to_sign, request)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"busy",
        b"<html><body>503",
        b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>',
        b"<Error><Code>SlowDown</Code></Error>",
        b"<ListBucketResult><Contents><Key>x</Key></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
def test_what_is_no_list_is_not_taken_for_one(body: bytes) -> None:
    with pytest.raises(NotListed):
        entries_of(read_page(body), "")


async def test_a_list_of_many_pages_is_read_to_its_end_around_an_odd_key(stage: S3Stage) -> None:
    keys = {f"many/{number:04}" for number in range(1_100)}
    async with ClientSession() as session:
        for key in keys:
            address = f"{stage.endpoint}/{stage.bucket}/exports/prompt/{key}"
            async with session.put(address, data=b"x", headers={"Authorization": _SIGNED}) as made:
                assert made.status == 200
    await stage.put_raw("exports/prompt/many/0500//odd", b"x")
    passed: list[PassedOver] = []
    async with opened(stage.settings) as place:
        found = await listed(place, passed.append)
    assert {item.key for item in found} == keys
    assert [entry.key for entry in passed] == ["many/0500//odd"]


async def test_other_prefixes_are_not_listed(stage: S3Stage) -> None:
    await stage.put("a.csv.gz", b"a")
    async with opened(PlaceSettings(f"s3://{stage.bucket}/exports", stage.endpoint, None, "key", SECRET)) as place:
        assert [item.key for item in await listed(place)] == ["prompt/a.csv.gz"]
    async with opened(PlaceSettings(f"s3://{stage.bucket}/export", stage.endpoint, None, "key", SECRET)) as place:
        assert await listed(place) == []
