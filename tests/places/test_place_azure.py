"""Azure Blob Storage keeps the contract of places, played by Azurite where it is installed."""

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import obstore
import pytest
from aiohttp import ClientSession
from obstore.store import AzureStore
from place_contract import GuardedPlaceContract
from yarl import URL

from promptsync.places.place import PlaceSettings

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

    async def spoil(self) -> set[str]:
        """Keys that obstore cannot name; of each, its folder is all that can be named."""
        for key in ("odd//notes.txt", "in b/tab\there"):
            path = f"/{self.container}/{quote(f'exports/{key}')}"
            await _put(self.endpoint, path, more={"x-ms-blob-type": "BlockBlob"})
        return {"odd/", "in b/"}


async def _put(
    endpoint: str, path: str, query: dict[str, str] | None = None, more: dict[str, str] | None = None
) -> None:
    """A request without a body, signed with the account's key (Azure, Authorize with Shared Key)."""
    said = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06", **(more or {})}
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(said.items()))
    asked = "".join(f"\n{name}:{value}" for name, value in sorted((query or {}).items()))
    signed = f"PUT{chr(10) * 12}{lines}/{_ACCOUNT}{urlsplit(endpoint).path}{path}{asked}"
    signature = b64encode(hmac.digest(b64decode(_KEY), signed.encode(), "sha256")).decode()
    headers = {**said, "Authorization": f"SharedKey {_ACCOUNT}:{signature}"}
    address = URL(f"{endpoint}{path}?{urlencode(query or {})}", encoded=True)
    async with (
        ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.put(address, headers=headers) as made,
    ):
        assert made.status == 201, await made.text()


@pytest.fixture
async def stage(azure: str) -> AzureStage:
    one = AzureStage(azure, f"container-{uuid4().hex}")
    await _put(azure, f"/{one.container}", {"restype": "container"})
    return one


class TestAzure(GuardedPlaceContract):
    pass
