"""Which addresses may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.errors import InputRefused, Unavailable
from promptsync.places.safe_url import check_url, is_public

NONE: frozenset[str] = frozenset()


def names(**hosts: list[str]):  # type: ignore[no-untyped-def]
    async def resolve(host: str, port: int) -> list[str]:
        found = hosts.get(host.replace(".", "_"))
        if found is None:
            raise OSError(-2, "unknown")
        return found

    return resolve


PUBLIC = names(files_example_com=["93.184.216.34", "2606:2800:220:1::1"])


async def test_the_configured_host_is_asked_at_the_addresses_it_has() -> None:
    addresses = await check_url("https://FILES.example.com./a?b", NONE, "files.example.com", PUBLIC)
    assert addresses == ["93.184.216.34", "2606:2800:220:1::1"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://files.example.com/", "plain_http"),
        ("https://other.example.com/", "foreign_host"),
        ("https://files.example.com.evil.net/", "foreign_host"),
        ("https://files.example.com@evil.net/", "bad_url"),
        ("https://evil.net#@files.example.com/", "foreign_host"),
        ("https://evil.net\\@files.example.com/", "bad_url"),
        ("ftp://files.example.com/", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("//files.example.com/", "bad_url"),
        ("https://files.example.com:99999/", "bad_url"),
        ("https://[::1/", "bad_url"),
        ("https://files.example.com/\r\nX: y", "bad_url"),
        ("https://127.0.0.1/", "foreign_host"),
        ("https://2130706433/", "foreign_host"),
    ],
)
async def test_other_addresses_are_refused(url: str, reason: str) -> None:
    with pytest.raises(InputRefused) as caught:
        await check_url(url, NONE, "files.example.com", PUBLIC)
    assert caught.value.reason == reason


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::a00:1",
]
UNSPECIFIED = ".".join("0000")
NEVER = ["169.254.169.254", "fe80::1", UNSPECIFIED, "::", "224.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
async def test_a_name_must_not_lead_inside(address: str) -> None:
    resolve = names(files_example_com=["93.184.216.34", address])
    with pytest.raises(InputRefused) as caught:
        await check_url("https://files.example.com/", NONE, "files.example.com", resolve)
    assert caught.value.reason == "private_address"


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_network_may_be_allowed_by_the_host(address: str) -> None:
    resolve = names(files_lan=[address])
    assert await check_url("https://files.lan:8080/", frozenset({"Files.LAN"}), "x.example", resolve) == [address]


@pytest.mark.parametrize("url", ["http://files.lan/", "http://10.0.0.1/", "http://localhost/"])
async def test_a_link_by_plain_http_leads_to_this_machine_only_whatever_is_allowed(url: str) -> None:
    """``localhost`` too, where it is another machine's name."""
    resolve = names(files_lan=["10.0.0.1"], localhost=["127.0.0.1", "10.0.0.1"])
    allowed = frozenset({"files.lan", "10.0.0.1", "localhost"})
    for base in ("files.lan", "x.example"):
        with pytest.raises(InputRefused) as caught:
            await check_url(url, allowed, base, resolve)
        assert caught.value.reason == "plain_http"
    here = names(localhost=["127.0.0.1", "::1"])
    assert await check_url("http://localhost/", allowed, "x.example", here) == ["127.0.0.1", "::1"]


async def test_a_location_that_is_configured_with_http_needs_its_host_to_be_allowed() -> None:
    resolve = names(files_lan=["10.0.0.1"])
    allowed = frozenset({"files.lan"})
    assert await check_url("http://files.lan/", allowed, "files.lan", resolve, plain=True) == ["10.0.0.1"]
    with pytest.raises(InputRefused):
        await check_url("http://files.lan/", NONE, "files.lan", resolve, plain=True)


@pytest.mark.parametrize("address", NEVER)
async def test_link_local_is_never_allowed_by_a_name_alone(address: str) -> None:
    resolve = names(files_lan=[address])
    with pytest.raises(InputRefused):
        await check_url("https://files.lan/", frozenset({"files.lan"}), "files.lan", resolve)
    both = frozenset({"files.lan", address})
    assert await check_url("https://files.lan/", both, "files.lan", resolve) == [address]


async def test_this_machine_needs_no_leave_when_it_is_configured_and_only_then() -> None:
    local = names(localhost=["127.0.0.1", "::1"], files_example_com=["127.0.0.1"])
    assert await check_url("http://localhost:1/", NONE, "localhost", local) == ["127.0.0.1", "::1"]
    assert await check_url("http://127.0.0.1:1/", NONE, "127.0.0.1", local) == ["127.0.0.1"]
    assert await check_url("http://[::1]:1/", NONE, "::1", local) == ["::1"]
    with pytest.raises(InputRefused):
        await check_url("http://localhost/", NONE, "files.example.com", local)
    with pytest.raises(InputRefused):
        await check_url("http://localhost/", NONE, "localhost", names(localhost=["10.0.0.1"]))


async def test_a_name_that_cannot_be_looked_up_may_be_tried_later() -> None:
    for resolve in (names(), names(files_example_com=[])):
        with pytest.raises(Unavailable):
            await check_url("https://files.example.com/", NONE, "files.example.com", resolve)


@given(st.text())
async def test_any_text_is_judged_and_never_repeated(text: str) -> None:
    with pytest.raises(InputRefused) as caught:
        await check_url(f"{text}?signature=s3cr3t", NONE, "files.example.com", PUBLIC)
    assert "s3cr3t" not in str(caught.value)


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_what_it_carries(address: object) -> None:
    assert is_public(str(address)) == is_public(f"::ffff:{address}")
