"""Where a request comes from, as far as it is known.

Owns how far ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed. Anyone can send them: only what a proxy that
the configuration names has written counts. Pure.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Headers = Sequence[tuple[bytes, bytes]]


def networks(named: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as they are written: ``127.0.0.1``, ``10.0.0.0/8``. Raises ValueError."""
    return tuple(ip_network(name, strict=False) for name in named)


def visitor(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """The address to count a visitor by: the nearest that no trusted proxy has.

    Each proxy adds at the end whom it was asked by, so they are read from there; what stands before the first that is
    not trusted, anyone may have written.

    >>> header = (b"x-forwarded-for", b"198.51.100.9, 203.0.113.5")
    >>> visitor("127.0.0.1", [header], networks(["127.0.0.1"])), visitor("127.0.0.1", [header], ())
    ('203.0.113.5', '127.0.0.1')
    """
    hops = [*_in_order(headers), peer]
    for hop in reversed(hops):
        address = _address(hop)
        if address is None or not any(address in network for network in trusted):
            return str(address) if address is not None else hop
    return hops[0]


def encrypted(scheme: str, headers: Headers) -> bool:
    """Whether the visitor's browser speaks https, to us or to a proxy. Only hardens the visitor's own cookies, so it
    does not matter who says so."""
    said = [value for name, value in headers if name.lower() == b"x-forwarded-proto"]
    return scheme == "https" or any(value.strip().lower() == b"https" for value in said)


def _in_order(headers: Headers) -> list[str]:
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"x-forwarded-for"]
    return [hop.strip() for value in values for hop in value.split(",")]


def _address(hop: str) -> Address | None:
    """A hop's address, without a port; an IPv4 address written as an IPv6 one is the IPv4 one."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        found = ip_address(hop)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
