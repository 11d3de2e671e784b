"""Authentication of webhook deliveries, pure: headers and bytes in, out what is wrong with them, if anything.

Owns the comparison with what the configuration asks for: the vendor's ``X-Hub-Signature`` (HMAC-SHA1 of the raw
body, Event Endpoint specification, "HTTP request details"), HTTP Basic (RFC 7617) and constant headers. Everything is
compared as bytes in constant time. Must not raise for anything a sender can send, and knows no web framework.
"""

import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from multidict import istr

from promptsync.errors import ConfigError

_SIGNATURE: Final = istr("X-Hub-Signature")
_AUTHORIZATION: Final = istr("Authorization")
_HEX_LENGTH: Final = 40


class Headers(Protocol):
    """Request headers that may repeat, looked up without regard to case (a multidict)."""

    def getall(self, key: str, default: tuple[()]) -> Sequence[str]:
        """Every value of ``key`` in the order sent; ``default`` without one."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a delivery must show; all that is configured must hold.

    ``secrets``: a valid signature by one of them (several while rotating). ``basic``: user and password.
    ``headers``: names and the one value each must have. ``open_to_all``: with neither secrets nor ``basic`` everybody
    is let in who shows ``headers``; without it nobody is. Raises ConfigError for an empty secret: anyone could use it.
    """

    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    basic: tuple[bytes, bytes] | None = field(default=None, repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    open_to_all: bool = False
    _macs: tuple[hmac.HMAC, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        values = [*self.secrets, *(value for _, value in self.headers)]
        if self.basic:
            values.append(self.basic[1])
        if not all(values):
            raise ConfigError("a webhook secret, password or header value is empty, put a value there")
        object.__setattr__(self, "_macs", signers(self.secrets))

    def examine(self, headers: Headers, body: bytes) -> "Examined":
        """What a delivery shows. ``body``: the raw bytes received. All is compared, whatever failed before."""
        if not (self.secrets or self.basic or self.open_to_all):
            return Examined("closed")
        found, signer = [], None
        if self._macs:
            given = _only(headers, _SIGNATURE)
            signer = signed_with(given, body, self._macs)
            if signer is None:
                found.append("wrong_signature" if given else "unsigned")
        if self.basic is not None:
            found += [] if basic_holds(_only(headers, _AUTHORIZATION), *self.basic) else ["wrong_password"]
        for name, value in self.headers:
            found += [] if _same(_only(headers, name), value) else ["wrong_header"]
        return Examined(found[0] if found else None, signer)


class Examined(NamedTuple):
    """``fault``: why a delivery is not let in, as a class name for counting (never for the sender); None if it is.
    ``signer``: which of the secrets has signed it, from 0; None: none has."""

    fault: str | None
    signer: int | None = None


def signers(secrets: Sequence[bytes]) -> tuple[hmac.HMAC, ...]:
    """HMAC-SHA1 begun with each secret, to be copied for each body: half the work of starting anew."""
    return tuple(hmac.new(secret, digestmod="sha1") for secret in secrets)


def signed_with(value: bytes | None, body: bytes, macs: Sequence[hmac.HMAC]) -> int | None:
    """The place of the last of ``macs`` that ``value`` signs ``body`` with; all are tried, whichever it is. 40 hex
    digits in any case, ``sha1=`` before or not."""
    if value is None:
        return None
    given = value.strip().lower().removeprefix(b"sha1=")
    if len(given) != _HEX_LENGTH:
        return None
    found = None
    for place, mac in enumerate(macs):
        fresh = mac.copy()
        fresh.update(body)
        found = place if hmac.compare_digest(given, fresh.hexdigest().encode()) else found
    return found


def signature_form(headers: Headers) -> str:
    """How a signature that holds is spelt: ``sha1=hex`` or ``hex``, in the case it came in, as the prefix is not
    documented."""
    value = (_only(headers, _SIGNATURE) or b"").strip()
    prefix, digits = value[: -_HEX_LENGTH or None], value[-_HEX_LENGTH:]
    return prefix.decode("ascii", "replace") + ("hex" if digits == digits.lower() else "HEX")


def basic_holds(value: bytes | None, user: bytes, password: bytes) -> bool:
    """Whether ``value`` is ``Basic`` and the base64 of ``user:password``."""
    if value is None:
        return False
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return False
    try:
        given = binascii.a2b_base64(token.strip(), strict_mode=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(given, user + b":" + password)


def _only(headers: Headers, name: str) -> bytes | None:
    """The header's bytes as they came; None when it is missing or doubled."""
    values = headers.getall(name, ())
    return values[0].encode("utf-8", "surrogateescape") if len(values) == 1 else None


def _same(value: bytes | None, expected: bytes) -> bool:
    return value is not None and hmac.compare_digest(value, expected)
