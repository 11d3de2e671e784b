"""Azure Blob Storage keeps the contract of places, played by Azurite where it is installed."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import urlsplit
from uuid import uuid4

import obstore
import pytest
from aiohttp import ClientSession
from obstore.store import AzureStore
from place_contract import GuardedPlaceContract

from promptsync.sources.places.place import PlaceSettings

_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, published in its documentation."""


@dataclass
class AzureStage:
    endpoint: str
    container: str
    changes: bool = True
    states_md5: bool = True
    settings: PlaceSettings = field(init=False)
    refused: PlaceSettings = field(init=False)
    unreachable: PlaceSettings = field(init=False)

    def __post_init__(self) -> None:
        location = f"az://{self.container}/exports"
        self.settings = PlaceSettings(location, self.endpoint, access_key=_ACCOUNT, secret_key=_KEY)
        self.refused = replace(self.settings, secret_key="b3RoZXI=")
        self.unreachable = replace(self.settings, endpoint="http://127.0.0.1:9/devstoreaccount1")
        self.store = AzureStore(
            self.container,
            prefix="exports",
            account_name=_ACCOUNT,
            account_key=_KEY,
            endpoint=self.endpoint,
            client_options={"allow_http": True},
        )

    async def put(self, key: str, content: bytes) -> None:
        await obstore.put_async(self.store, key, content)

    async def remove(self, key: str) -> None:
        await obstore.delete_async(self.store, key)


@pytest.fixture
async def stage(azure: str) -> AzureStage:
    one = AzureStage(azure, f"container-{uuid4().hex}")
    date, version = formatdate(usegmt=True), "2021-08-06"
    path = f"/{_ACCOUNT}{urlsplit(azure).path}/{one.container}"
    signed = f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:{version}\n{path}\nrestype:container"
    signature = b64encode(hmac.digest(b64decode(_KEY), signed.encode(), "sha256")).decode()
    headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": f"SharedKey {_ACCOUNT}:{signature}"}
    address = f"{azure}/{one.container}?restype=container"
    async with (
        ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.put(address, headers=headers) as made,
    ):
        assert made.status == 201, await made.text()
    return one


class TestAzure(GuardedPlaceContract):
    pass
