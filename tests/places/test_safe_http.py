"""The client connects only to what was judged, follows redirects by hand, and keeps our credentials to itself."""

import pytest
from file_server import FileServer, serve

from promptsync.errors import ConfigError, InputRefused, Unavailable
from promptsync.places.safe_http import Gone, SafeClient, SafeSettings, raise_for_status, read_bounded


def looked_up(*turns: list[str]):  # type: ignore[no-untyped-def]
    """A resolver that answers differently each time, as a hostile name server does."""
    answers = iter(turns)

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    return resolve


async def test_it_connects_to_the_address_that_was_judged_not_to_a_later_one() -> None:
    async with serve(FileServer()) as server:
        server.files["a"] = b"here"
        port = server.address.rsplit(":", 1)[1]
        url = f"http://files.example:{port}/out/a"
        settings = SafeSettings(
            url, frozenset({"files.example"}), resolve=looked_up(["127.0.0.1"], ["169.254.169.254"])
        )
        async with SafeClient(settings) as client:
            async with client.request("GET", url) as response:
                assert await read_bounded(response, 10) == b"here"
            with pytest.raises(InputRefused):
                async with client.request("GET", url):
                    pass


async def test_each_redirect_is_judged_and_their_number_is_limited() -> None:
    async with serve(FileServer()) as server:
        server.redirects = {
            "/loop": "/loop",
            "/inside": "http://10.0.0.1/",
            "/bad": "http://[",
            "/file": "file:///etc/x",
        }
        async with SafeClient(SafeSettings(server.address)) as client:
            for path, reason in {
                "/loop": "redirects",
                "/inside": "foreign_host",
                "/bad": "bad_url",
                "/file": "bad_url",
            }.items():
                with pytest.raises(InputRefused) as caught:
                    async with client.request("GET", server.address + path):
                        pass
                assert caught.value.reason == reason
        assert [path for _, path, _ in server.asked].count("/loop") == 6


async def test_credentials_go_to_their_origin_alone() -> None:
    handed = {"cookie": "c", "authorization": "mine", "X-Other": "o"}
    async with serve(FileServer()) as server, serve(FileServer()) as other:
        server.redirects["/a"] = f"{other.address}/out/a"
        other.files["a"] = b"a"
        secret = {"X-Api-Key": "s3cr3t", "Authorization": "Basic x"}
        async with (
            SafeClient(SafeSettings(server.address, credentials=secret)) as client,
            client.request("GET", f"{server.address}/a", headers=handed) as response,
        ):
            assert response.status == 200
    (first,), (second,) = server.asked, other.asked
    assert secret.items() <= first[2].items()
    assert not {"x-api-key", "authorization", "cookie"} & {name.lower() for name in second[2]}
    assert second[2]["X-Other"] == "o"


async def test_a_body_beyond_its_bound_is_refused() -> None:
    async with serve(FileServer()) as server:
        server.files["a"] = b"x" * 100
        async with (
            SafeClient(SafeSettings(server.address)) as client,
            client.request("GET", f"{server.address}/out/a") as response,
        ):
            with pytest.raises(InputRefused):
                await read_bounded(response, 99)


async def test_errors_are_ours_by_type() -> None:
    async with serve(FileServer(password="p")) as server:
        async with SafeClient(SafeSettings(server.address)) as client:
            async with client.request("GET", server.address) as response:
                with pytest.raises(ConfigError):
                    raise_for_status(response)
            server.password = ""
            async with client.request("GET", f"{server.address}/none") as response:
                with pytest.raises(Gone):
                    raise_for_status(response)
            server.files["a"], server.cut_after = b"x" * 100, 10
            with pytest.raises(Unavailable):
                async with client.request("GET", f"{server.address}/out/a") as response:
                    await read_bounded(response, 200)
        async with SafeClient(SafeSettings("http://127.0.0.1:9")) as client:
            with pytest.raises(Unavailable):
                async with client.request("GET", "http://127.0.0.1:9/?signature=s3cr3t"):
                    pass
