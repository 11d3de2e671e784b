"""Looking at a password: on a thread, one at a time, at the same cost for every name, and within a bound."""

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browse_login import Browser
from browse_sample import PASSWORD
from datasette_auth_passwords.utils import hash_password

from promptsync.browse.passwords import Busy, Passwords, _hashed
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings

USERS = {"ana": hash_password(PASSWORD, iterations=300), "sam": hash_password("pässword \U0001f600", iterations=20)}


class Hashing:
    """Stands before the real hashing. ``calls``: thread and rounds; ``most``: at one time; ``gate``: must be open."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.now = self.most = 0
        self.gate = threading.Event()
        self.gate.set()

    def before(self, real: Callable[..., bytes]) -> Callable[..., bytes]:
        """The same, whose last argument are the rounds."""

        def called(*arguments: Any) -> bytes:
            return self._called(real, *arguments)

        return called

    def _called(self, real: Callable[..., bytes], *arguments: Any) -> bytes:
        self.now += 1
        self.most = max(self.most, self.now)
        assert self.gate.wait(30)
        self.calls.append((threading.current_thread().name, arguments[-1]))
        found = real(*arguments)
        self.now -= 1
        return found


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Hashing:
    hashing = Hashing()
    monkeypatch.setattr("promptsync.browse.passwords._hashed", hashing.before(_hashed))
    monkeypatch.setattr("hashlib.pbkdf2_hmac", hashing.before(hashlib.pbkdf2_hmac))  # what makes new hashes
    return hashing


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(USERS)
    yield passwords
    passwords.close()


async def test_the_right_one_and_no_other(passwords: Passwords) -> None:
    assert await passwords.right("ana", PASSWORD)
    assert await passwords.right("sam", "pässword \U0001f600")
    for user, password in [
        ("ana", "wrong"),
        ("sam", PASSWORD),
        ("ana", ""),
        ("", ""),
        ("eve", PASSWORD),
        ("ANA", PASSWORD),
    ]:
        assert not await passwords.right(user, password)


@pytest.mark.parametrize("user", ["ana", "sam", "nobody", ""])
async def test_every_name_costs_the_same(passwords: Passwords, hashing: Hashing, user: str) -> None:
    assert not await passwords.right(user, "wrong")
    assert sum(rounds for _, rounds in hashing.calls) == 300


async def test_one_at_a_time_off_the_loop_and_within_a_bound(passwords: Passwords, hashing: Hashing) -> None:
    hashing.gate.clear()
    tries = [asyncio.create_task(passwords.right("ana", PASSWORD)) for _ in range(20)]
    refused, waiting = await asyncio.wait(tries, timeout=0.3)
    assert len(waiting) == 8
    assert all(isinstance(task.exception(), Busy) for task in refused)
    hashing.gate.set()
    assert await asyncio.gather(*waiting) == [True] * 8
    assert hashing.most == 1
    assert all(name.startswith("passwords") for name, _ in hashing.calls)
    assert await passwords.right("ana", PASSWORD)


async def test_the_loop_turns_while_a_password_is_looked_at() -> None:
    passwords = Passwords({"ana": "pbkdf2_sha256$2000000$salt$AAAA"})
    looking, turns = asyncio.create_task(passwords.right("ana", "wrong")), 0
    while not looking.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 10 and not looking.result()
    passwords.close()


async def test_pages_are_shown_while_passwords_are_guessed(settings: BrowseSettings, hashing: Hashing) -> None:
    site: MirrorDatasette = build_datasette(settings)
    reader = Browser(site)
    assert (await reader.log_in("sam", PASSWORD)).status_code == 302
    hashing.gate.clear()
    guessers = [Browser(site, address=f"198.51.100.{n}") for n in range(12)]
    guesses = [asyncio.create_task(guesser.log_in("sam", "wrong")) for guesser in guessers]
    while sum(guess.done() for guess in guesses) < 4:
        await asyncio.sleep(0.01)
    assert await reader.reads()
    hashing.gate.set()
    answers = [await guess for guess in guesses]
    assert sorted(answer.status_code for answer in answers) == [200] * 8 + [503] * 4
    busy = [answer for answer in answers if answer.status_code == 503]
    assert all(answer.headers["retry-after"] == "5" and "Try again" in answer.text for answer in busy)
    close(site)


async def test_an_administrator_makes_a_hash_off_the_loop_and_within_the_same_bound(
    settings: BrowseSettings, hashing: Hashing
) -> None:
    site: MirrorDatasette = build_datasette(settings)
    ana, sam = Browser(site), Browser(site)
    assert (await ana.log_in("ana", PASSWORD)).status_code == 302
    assert (await sam.log_in("sam", PASSWORD)).status_code == 302
    hashing.gate.clear()
    hashing.calls.clear()
    tries = [asyncio.create_task(ana.post("/-/password-tool", {"password": "new"})) for _ in range(9)]
    while not any(one.done() for one in tries):
        await asyncio.sleep(0.01)
    assert await sam.reads()
    hashing.gate.set()
    answers = [await one for one in tries]
    assert sorted(answer.status_code for answer in answers) == [200] * 8 + [503]
    made = re.search(r">(pbkdf2_sha256\$[^<]+)<", next(one.text for one in answers if one.status_code == 200))
    assert made and all(name.startswith("passwords") for name, _ in hashing.calls)
    assert (await sam.ask("GET", "/-/password-tool")).status_code == 403
    close(site)
    again = Passwords({"new": made[1]})
    assert await again.right("new", "new")
    again.close()
