"""Whose word on a visitor's address is believed: that of proxies that are named, and of nobody else."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.browse.visitor import Headers, encrypted, networks, visitor

ADDRESSES = st.builds(str, st.ip_addresses())
HOPS = ADDRESSES | st.sampled_from(["unknown", "", " ", "_hidden", "[::1]:80", "127.0.0.1", "10.1.2.3", "é", ","])
CLAIMS = st.lists(st.lists(HOPS, max_size=3).map(", ".join), max_size=3)
PROXIES = networks(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


def forwarded(*lines: str) -> Headers:
    return [(b"X-Forwarded-For", line.encode()) for line in lines]


@given(CLAIMS, ADDRESSES)
def test_without_a_named_proxy_nothing_is_believed(claims: list[str], peer: str) -> None:
    assert visitor(peer, forwarded(*claims), ()) == visitor(peer, [], ())


@given(CLAIMS, st.ip_addresses(v=4, network="198.51.100.0/24"), st.lists(st.sampled_from(["10.1.2.3", "127.0.0.1"])))
def test_what_a_visitor_claims_does_not_hide_what_the_proxies_add(
    claims: list[str], asking: IPv4Address, between: list[str]
) -> None:
    added = ", ".join([*claims, str(asking), *between])  # one line, as most proxies write it
    assert visitor("127.0.0.1", forwarded(added), PROXIES) == str(asking)
    assert visitor("127.0.0.1", forwarded(*claims, str(asking), *between), PROXIES) == str(asking)


@given(st.ip_addresses(v=6, network="2001:db8::/32"), st.integers(1, 65535))
def test_an_address_is_the_same_with_a_port_and_however_it_is_written(asking: IPv6Address, port: int) -> None:
    spellings = [str(asking), asking.exploded, f"[{asking}]", f"[{asking}]:{port}"]
    assert {visitor("127.0.0.1", forwarded(one), PROXIES) for one in spellings} == {str(asking)}


@pytest.mark.parametrize("one", ["203.0.113.5", "203.0.113.5:4711", "::ffff:203.0.113.5", "[::ffff:203.0.113.5]:80"])
def test_so_is_one_of_four_bytes(one: str) -> None:
    assert visitor("::ffff:127.0.0.1", forwarded(one), PROXIES) == "203.0.113.5"
    assert visitor(one, [], ()) == "203.0.113.5"


def test_who_is_behind_none_but_proxies_is_the_farthest() -> None:
    assert visitor("127.0.0.1", forwarded("10.0.0.9, 10.0.0.8"), PROXIES) == "10.0.0.9"


@pytest.mark.parametrize(
    ("scheme", "said", "expected"),
    [("http", None, False), ("https", None, True), ("http", b"https", True), ("http", b"http", False)],
)
def test_https(scheme: str, said: bytes | None, expected: bool) -> None:
    assert encrypted(scheme, [(b"x-forwarded-proto", said)] if said else []) is expected
