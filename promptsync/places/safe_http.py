"""An HTTP client for addresses that others hand us: it connects only where safe_url.py lets it.

Owns redirects (each one judged, a limited number), pinning (a connection goes to the addresses that were judged, not to
what the name means a moment later) and who gets our credentials (the configured origin alone). No cookies, no proxies
of the environment, no decompression: bytes arrive as they were sent. Errors are translated here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, AF_UNSPEC, AddressFamily
from ssl import SSLContext
from types import TracebackType
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from promptsync.errors import ConfigError, InputRefused, PromptsyncError, Unavailable
from promptsync.places.safe_url import Resolve, check_url, origin, plain_host, system_resolve

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NEVER_FORWARDED: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


class Gone(PromptsyncError):
    """What was asked for is not there (any more)."""


@dataclass(frozen=True, slots=True)
class SafeSettings:
    """``base_url``: what the configuration names. ``credentials``: headers for that origin alone. ``links_only``: every
    address comes from others, also one of that origin.

    ``connect_seconds``, ``stall_seconds``: without an answer, or without a byte of one, it is given up. ``tls``: None
    for the system's certificates, or those in SSL_CERT_FILE if that was set when the process began.
    """

    base_url: str
    allowed_hosts: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_seconds: float = 15.0
    stall_seconds: float = 60.0
    hops: int = 5
    tls: SSLContext | None = None
    resolve: Resolve = system_resolve
    links_only: bool = False


class SafeClient:
    """Use as an async context manager; requests are made with ``request``."""

    def __init__(self, settings: SafeSettings) -> None:
        self._settings = settings
        self._base_host = origin(settings.base_url)[1]
        self._pins = _Pins()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "SafeClient":
        settings = self._settings
        connector = aiohttp.TCPConnector(
            resolver=self._pins, use_dns_cache=False, ssl=settings.tls if settings.tls is not None else True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.connect_seconds, sock_read=settings.stall_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, follow: bool = True
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request without a body, redirects followed, with any status.

        ``follow=False`` hands out a redirect itself. Raises InputRefused for an address that may not be asked, a
        certificate that is not trusted or too many redirects, Unavailable if there is no answer. Errors while the body
        is read are translated too.
        """
        try:
            for _ in range(self._settings.hops + 1):
                sent = await self._prepare(url, headers or {})
                async with self._session.request(method, url, headers=sent, allow_redirects=False) as response:
                    target = response.headers.get("Location") if response.status in _REDIRECTS and follow else None
                    if target is None:
                        yield response
                        return
                    url = _joined(url, target)
        except aiohttp.ClientConnectorCertificateError as error:
            raise InputRefused(
                "certificate",
                f"{urlsplit(url).hostname} shows a certificate that is not trusted here; if an authority of your own "
                "signed it, name a file with all trusted certificates in SSL_CERT_FILE.",
            ) from error
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            host = urlsplit(url).hostname
            raise Unavailable(f"{host} does not answer ({type(error).__name__}); try again later.") from error
        raise InputRefused("redirects", f"{self._base_host} redirects more than {self._settings.hops} times.")

    async def _prepare(self, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Judge a URL, pin its addresses; the headers to send there."""
        settings = self._settings
        at_home = origin(url) == origin(settings.base_url)
        plain = at_home and not settings.links_only
        addresses = await check_url(url, settings.allowed_hosts, self._base_host, settings.resolve, plain=plain)
        self._pins.pin(origin(url)[1], addresses)
        if at_home:
            return {**headers, **settings.credentials}
        private = _NEVER_FORWARDED | {name.lower() for name in settings.credentials}
        return {name: value for name, value in headers.items() if name.lower() not in private}


def raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Nothing for 2xx. Raises Gone (404, 410), ConfigError (401, 403), Unavailable (408, 425, 429, 5xx), else
    InputRefused."""
    status, host = response.status, response.url.host
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise Gone(f"{host} does not have it (status {status}).")
    if status in (401, 403):
        raise ConfigError(f"{host} refuses the credentials (status {status}); check them.")
    if status in (408, 425, 429) or status >= 500:
        raise Unavailable(f"{host} cannot answer now (status {status}); try again later.")
    raise InputRefused("status", f"{host} answers with status {status}.")


async def read_bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body. Raises InputRefused ``too_large`` beyond ``most`` bytes."""
    body = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        body += piece
        if len(body) > most:
            raise InputRefused("too_large", f"{response.url.host} answers with more than {most:,} bytes.")
    return bytes(body)


def _joined(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise InputRefused("bad_url", "A redirect leads to what cannot be read as a URL.") from None


class _Pins(AbstractResolver):
    """Resolves only names that were judged, to the addresses that were judged."""

    def __init__(self) -> None:
        self._addresses: dict[str, list[str]] = {}

    def pin(self, host: str, addresses: list[str]) -> None:
        self._addresses[host] = addresses

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        addresses = self._addresses.get(plain_host(host))
        if not addresses:
            raise OSError(None, f"{host} was not judged")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=AF_INET6 if ":" in address else AF_INET, proto=0, flags=0
            )
            for address in addresses
            if family == AF_UNSPEC or (family == AF_INET6) == (":" in address)
        ]

    async def close(self) -> None:
        self._addresses.clear()
