"""What the browsing process is told: where the mirror is, who may read it, where to listen.

Owns the settings' shape and what is wrong with them, as sentences. Reads no file and opens nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.model import Schema

DATABASE = "mirror"
"""The mirror's name and address (``/mirror``), whatever its file is called."""

_HASH = re.compile(r"pbkdf2_sha256\$[0-9]+\$[^$\s]+\$[A-Za-z0-9+/=]+")
_HOW = 'make one with "datasette hash-password"'


@dataclass(frozen=True, slots=True)
class PluginPage:
    """A page that a plugin adds. ``address``: where it is served. ``html``: from the query to HTML; blocking."""

    address: str
    title: str
    html: Callable[[Mapping[str, str]], str]


@dataclass(frozen=True)
class BrowseSettings:
    """``users``: name to password hash, as datasette-auth-passwords makes them. ``admins``: may run SQL.

    ``anonymous``: no login; only on a loopback host, without users. ``secret``: signs cookies; random for each start if
    empty. ``trusted_proxies``: addresses and networks whose word on who a visitor is is believed.
    ``pages``, ``more_metadata`` (by table): what plugins add.
    """

    database: Path
    schema: Schema
    zone: ZoneInfo
    host: str = "127.0.0.1"
    port: int = 8643
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    admins: frozenset[str] = frozenset()
    anonymous: bool = False
    secret: str = field(default="", repr=False)
    trusted_proxies: tuple[str, ...] = ()
    pages: tuple[PluginPage, ...] = ()
    more_metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, one sentence each; empty if nothing is."""
        found = []
        if self.anonymous and not loopback(self.host):
            found.append(
                f"browse.anonymous is only for a loopback host, not {self.host}: "
                "set browse.host to 127.0.0.1, or configure browse.users."
            )
        if self.anonymous and self.users:
            found.append(
                "browse.anonymous = true lets everyone on this machine in without a password, so browse.users would "
                "keep nobody out: set browse.anonymous = false, or take browse.users away."
            )
        if not self.anonymous and not self.users:
            found.append(f"browse.users is empty, so nobody could log in: give each user a password hash; {_HOW}.")
        found += [
            f"browse.users.{name} is not a password hash: {_HOW}."
            for name, hashed in self.users.items()
            if not _HASH.fullmatch(hashed.strip())
        ]
        found += [
            f"browse.admins names {name}, who is not in browse.users: add a password hash; {_HOW}."
            for name in sorted(self.admins - self.users.keys())
        ]
        return tuple(found)


def loopback(host: str) -> bool:
    """Whether a host name or address means this machine only.

    >>> loopback("localhost"), loopback("::1"), loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
