"""Google Cloud Storage keeps the contract of places, as far as moto's server can play it.

Google's XML API is that of S3, which is what is asked for here; keys are not checked by this server.
"""

import json
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from place_contract import SECRET, PlaceContract, Stage, only, opened, whole
from test_place_s3 import S3Stage, make_bucket

from promptsync.errors import ConfigError, Unavailable
from promptsync.places.place import PlaceSettings


@pytest.fixture(scope="module")
def key_file() -> bytes:
    """A service account's key file, as Google hands it out."""
    key = rsa.generate_private_key(65537, 2048)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {"type": "service_account", "private_key_id": SECRET, "client_email": "sync@p.iam.gserviceaccount.com"}
    return json.dumps(account | {"private_key": key.private_bytes(*plain).decode()}).encode()


@dataclass
class GcsStage(S3Stage):
    states_md5: bool = False
    key_file: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        location = f"gs://{self.bucket}/exports/prompt"
        self.settings = PlaceSettings(location, self.endpoint, private_key=self.key_file)
        self.unreachable = PlaceSettings(location, "http://127.0.0.1:9", private_key=self.key_file)


@pytest.fixture
async def stage(s3: str, key_file: bytes) -> GcsStage:
    one = GcsStage(s3, f"bucket{uuid4().hex}", key_file=key_file)
    await make_bucket(s3, one.bucket)
    return one


class TestGcs(PlaceContract):
    async def test_moves_the_version_that_was_listed_and_no_other(self, stage: Stage) -> None:
        """This server makes an empty object where Google makes a copy: then nothing is deleted."""
        await stage.put("a.parquet", b"first")
        async with opened(stage.settings) as place:
            item = await only(place, "a.parquet")
            with pytest.raises(Unavailable, match="did not copy"):
                await place.move(item, "old")
            assert await whole(place, item) == b"first"


@pytest.mark.parametrize("key_file", [b"no json", b"{}"])
async def test_what_is_no_key_file_is_a_wrong_configuration(key_file: bytes) -> None:
    with pytest.raises(ConfigError, match="keys"):
        async with opened(PlaceSettings("gs://bucket/exports", private_key=key_file)):
            pass
