"""Which addresses of the web may be asked: the judgement of a URL before a connection is made.

Owns the rule against being sent elsewhere (OWASP, Server-Side Request Forgery Prevention): https, a host that is known,
and no private address behind its name. Opens no connection; looking a name up is handed in. The connection is made by
safe_http.py, to the addresses judged here and to no others.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from promptsync.errors import InputRefused, Unavailable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Looks up a host name for a port and returns addresses as text. Raises OSError."""

_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAMES: Final = ("localhost", ".localhost")


async def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says, in its order, each address once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check_url(
    url: str, allowed_hosts: frozenset[str], base_host: str, resolve: Resolve = system_resolve, *, plain: bool = False
) -> list[str]:
    """The addresses to connect to for ``url``.

    Only ``base_host``, which the configuration names, and ``allowed_hosts`` may be asked, by https; by http only this
    machine. ``plain``: the configuration itself names this origin with http; then its host need only be in
    ``allowed_hosts``. Every address behind the name must be public, unless ``allowed_hosts``
    holds the host (loopback and private networks) or the address itself (anything); a loopback ``base_host`` needs no
    such entry.

    Raises InputRefused with reason ``bad_url``, ``plain_http``, ``foreign_host`` or ``private_address``, Unavailable if
    the name cannot be looked up. No message repeats more of the URL than its host.
    """
    parts, host, port = _parts(url)
    allowed = frozenset(plain_host(name) for name in allowed_hosts)
    base = plain_host(base_host)
    if host != base and host not in allowed:
        raise InputRefused("foreign_host", f"The address leads to {host}; if that is right, add it to allowed_hosts.")
    encrypted = parts.scheme == "https" or (plain and host in allowed)
    if not encrypted and not is_this_machine(host):
        raise InputRefused("plain_http", f"{host} would be asked without encryption; it must be asked by https.")
    addresses = await _look_up(host, port, resolve)
    for address in addresses:
        if not encrypted and not is_this_machine(address):
            raise InputRefused("plain_http", f"{host} is {address}, which would be asked without encryption.")
        if not _may_connect(address, host, base, allowed):
            raise InputRefused(
                "private_address",
                f"{host} is {address}, an address that is not public; if that is right, add it to allowed_hosts.",
            )
    return addresses


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what two URLs must share to share credentials. Raises InputRefused ``bad_url``."""
    parts, host, port = _parts(url)
    return parts.scheme, host, port


def plain_host(host: str) -> str:
    """A host as it is compared: lower case, no dot at its end, no brackets."""
    return host.strip("[]").rstrip(".").lower()


def is_this_machine(host: str) -> bool:
    """Whether a host is spelled as loopback: its address or ``localhost``."""
    name = plain_host(host)
    address = _address(name)
    return name == _LOCAL_NAMES[0] or name.endswith(_LOCAL_NAMES[1]) if address is None else address.is_loopback


def is_public(address: str) -> bool:
    """Whether an address is reachable from anywhere, also when IPv6 wraps IPv4 (RFC 4291, 3056, 6052)."""
    found = _address(address)
    return found is not None and all(inner.is_global and not inner.is_multicast for inner in _unwrapped(found))


def _parts(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputRefused("bad_url", "An address cannot be read as a URL.") from None
    host = plain_host(parts.hostname or "")
    if parts.scheme not in _PORTS or not host or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise InputRefused("bad_url", "An address is no http:// or https:// URL.")
    if "\\" in url or "@" in parts.netloc or "%" in host or not host.isascii():
        raise InputRefused("bad_url", f"The address of {host!r} has a user, or signs that do not belong there.")
    return parts, host, _PORTS[parts.scheme] if port is None else port


async def _look_up(host: str, port: int, resolve: Resolve) -> list[str]:
    if _address(host) is not None:
        return [host]
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"The name {host} cannot be looked up; check it and the network.") from error
    if not addresses:
        raise Unavailable(f"The name {host} has no address; check it and the network.")
    return addresses


def _may_connect(text: str, host: str, base: str, allowed: frozenset[str]) -> bool:
    address = _address(text)
    if address is None:
        return False
    if is_public(text) or any(_address(name) == address for name in allowed):
        return True
    if any(_never_by_name(inner) for inner in _unwrapped(address)):
        return False
    if host in allowed:
        return True
    return host == base and is_this_machine(host) and all(inner.is_loopback for inner in _unwrapped(address))


def _never_by_name(address: IPv4Address | IPv6Address) -> bool:
    """Where machines keep what no name should lead to: link-local (cloud metadata), unspecified, reserved."""
    if address.is_loopback:
        return False
    return address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved


def _unwrapped(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """The address itself, or the IPv4 address that it only carries."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
