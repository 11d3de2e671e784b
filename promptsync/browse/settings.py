"""What the browsing process has to know: where the mirror is, who may read it, where to listen.

Owns the settings' shape and what is wrong with them, as sentences. Reads no file and opens nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from promptsync.model import Schema

DATABASE = "mirror"
"""The mirror's name and address (``/mirror``), whatever its file is called."""

_HASH = re.compile(r"pbkdf2_sha256\$[0-9]+\$[^$\s]+\$[A-Za-z0-9+/=]+")
_HOW = "'promptsync user add NAME' makes one"


@dataclass(frozen=True, slots=True)
class PluginPage:
    """A page that a plugin adds. ``address``: where it is served. ``html``: from the query to HTML; blocking."""

    address: str
    title: str
    html: Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who may open the pages. ``users``, ``tokens``: name to password hash, or to what a monitor sends."""

    users: Mapping[str, str] = field(repr=False)
    admins: frozenset[str]
    tokens: Mapping[str, str] = field(repr=False)
    anonymous: bool


@dataclass(frozen=True)
class BrowseSettings:
    """``users``: name to password hash, as datasette-auth-passwords makes them. ``admins``: may run SQL.

    ``anonymous``: no login; only on a loopback host, without users. ``tokens``: name to what a monitor sends.
    ``secret``: signs cookies; if empty, one is made. ``sessions``: the file that keeps sessions, and such a secret,
    over a restart; None: nothing does. ``trusted_proxies``: addresses and networks that are believed who a visitor is.
    ``public``: the address that people open, if a proxy is in front. ``changed``: asked now and then for the accounts,
    None while they are as they were; may raise ConfigError. ``stale_after``: how old the copy may be before the pages
    say that it is out of date. ``pages``, ``more_metadata`` (by table): what plugins add.
    """

    database: Path
    schema: Schema
    zone: ZoneInfo
    host: str = "127.0.0.1"
    port: int = 8643
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    admins: frozenset[str] = frozenset()
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    anonymous: bool = False
    secret: str = field(default="", repr=False)
    sessions: Path | None = None
    public: str = ""
    trusted_proxies: tuple[str, ...] = ()
    changed: Callable[[], Accounts | None] = lambda: None
    stale_after: timedelta = timedelta(hours=36)
    pages: tuple[PluginPage, ...] = ()
    more_metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The path that all pages are below, with a slash at both ends; ``/`` without a prefix."""
        return urlsplit(self.public).path or "/"

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
            found.append("browse.users is empty, so nobody could log in: run 'promptsync user add NAME'.")
        found += [
            f"browse.users.{name} is not a password hash: {_HOW}."
            for name, hashed in self.users.items()
            if not _HASH.fullmatch(hashed.strip())
        ]
        found += [
            f"browse.admins names {name}, who is not in browse.users: run 'promptsync user add {name}'."
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
