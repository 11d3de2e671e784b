"""Whether a password is right, and the hash of a new one: one at a time, on a thread, and within a bound.

Owns the accounts' hashes and what hashing may cost the whole process. Hashing takes a good part of a second on
purpose; it never runs on the event loop. Every name costs the same, whether there is such a user or not and however
strong each hash is, so that the time of an answer tells nothing.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from datasette_auth_passwords.utils import hash_password  # type: ignore[import-untyped]

_MOST_WAITING: Final = 8
_BYTES: Final = 32
_Result = TypeVar("_Result")


class Busy(Exception):
    """Too many passwords wait to be looked at."""


@dataclass(frozen=True, slots=True)
class _Account:
    rounds: int
    salt: bytes
    wanted: bytes


class Passwords:
    """``users``: name to hash, as datasette-auth-passwords makes them (``pbkdf2_sha256$rounds$salt$base64``)."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._accounts = {name: _account(hashed) for name, hashed in users.items()}
        self._rounds = max((account.rounds for account in self._accounts.values()), default=1)
        self._nobody = _Account(self._rounds, secrets.token_hex(16).encode(), b"")
        self._thread = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0

    async def right(self, user: str, password: str) -> bool:
        """Whether this is the user's password. Raises Busy if too many others are to be looked at first."""
        return await self._in_turn(lambda: self._look(user, password))

    async def hashed(self, password: str) -> str:
        """A hash of a new password, as ``users`` holds them. Raises Busy like ``right``."""
        return await self._in_turn(lambda: str(hash_password(password)))

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        if self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        done.add_done_callback(self._done)
        return await done

    def close(self) -> None:
        """Look at no more."""
        self._thread.shutdown(cancel_futures=True)

    def _done(self, _: "asyncio.Future[_Result]") -> None:
        self._waiting -= 1

    def _look(self, user: str, password: str) -> bool:
        account = self._accounts.get(user, self._nobody)
        given = _hashed(password, account.salt, account.rounds)
        if account.rounds < self._rounds:
            _hashed(password, account.salt, self._rounds - account.rounds)
        return constant_time.bytes_eq(given, account.wanted)


def _account(hashed: str) -> _Account:
    _, rounds, salt, wanted = hashed.strip().split("$")
    return _Account(int(rounds), salt.encode(), wanted.encode())


def _hashed(password: str, salt: bytes, rounds: int) -> bytes:
    """In less than half of hashlib's time, and other threads go on meanwhile."""
    derivation = PBKDF2HMAC(hashes.SHA256(), _BYTES, salt, rounds)
    return base64.b64encode(derivation.derive(password.encode("utf-8", "replace")))
