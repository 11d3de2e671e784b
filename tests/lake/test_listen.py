"""Listeners of a lake from outside: what they have answered 200 is there, whatever becomes of them or the storage."""

import asyncio
import hmac
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptsync.clock import system_clock
from promptsync.errors import Unavailable
from promptsync.lake.intake import LakeIntake
from promptsync.lake.storage import Storage
from promptsync.model.delivery import Delivery
from promptsync.places.place import PlaceSettings

from .home import Home

SECRET = b"a secret"
WEBHOOK = '[webhook]\nport = 0\nsecrets = [{ file = "webhook.secret" }]\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "webhook.secret").write_bytes(SECRET)
    home = Home(tmp_path, WEBHOOK)
    home.run("init")
    return home


@contextmanager
def listener(home: Home) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "promptsync", "--config", str(home.config), "listen"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def post(address: str, number: int, secret: bytes = SECRET) -> int:
    """Deliver an event about a broadcast; returns the status of the answer, 0 for none."""
    body = json.dumps({"orgId": 1, "bulkActionId": number, "status": "SENT", "statusMessage": "é"}).encode()
    signature = "sha1=" + hmac.digest(secret, body, "sha1").hex()
    headers = {"X-Hub-Signature": signature, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/broadcast/state", body, headers)  # noqa: S310  this machine
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def stored(home: Home) -> list[int]:
    texts = [path.read_text() for path in (home.folder / "lake" / "deliveries").rglob("*.jsonl")]
    lines = (json.loads(line) for text in texts for line in text.split("\n") if line)
    return [json.loads(line["body"])["bulkActionId"] for line in lines]


@pytest.mark.slow
def test_what_was_answered_is_there_after_a_kill(home: Home) -> None:
    """Two listeners under load, one killed at once and one asked to end. Then it becomes rows."""
    answered: list[int] = []

    def send(address: str, first: int) -> None:
        for number in range(first, first + 400):
            if (status := post(address, number)) == 200:
                answered.append(number)
            elif not status:
                return

    with listener(home) as (one, first), listener(home) as (other, second):
        assert post(first, 1, b"another secret") == 401
        places = [first] * 8 + [second] * 8
        threads = [threading.Thread(target=send, args=(at, n * 1000)) for n, at in enumerate(places, 1)]
        for thread in threads:
            thread.start()
        while len(answered) < 60:
            threads[0].join(0.01)
        one.kill()
        other.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert other.wait() == 0
    assert set(answered) <= set(stored(home)) and len(set(answered)) == len(answered) >= 60
    assert home.run("run").exit_code == 0
    assert {row["id"] for row in home.rows("broadcast")} == set(stored(home))


def test_without_its_storage_it_answers_503(home: Home) -> None:
    with listener(home) as (_, address):
        assert post(address, 1) == 200
        (home.folder / "lake").rename(home.folder / "away")
        (home.folder / "lake").write_text("")
        assert post(address, 2) == 503
        (home.folder / "lake").unlink()
        (home.folder / "away").rename(home.folder / "lake")
        assert post(address, 3) == 200
    assert sorted(stored(home)) == [1, 3]


async def test_a_storage_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing. Those that have to wait for their turn get their answer as well."""
    monkeypatch.setattr("promptsync.lake.intake.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("promptsync.lake.intake._AT_ONCE", 1)
    monkeypatch.setattr("promptsync.lake.intake._MOST_BYTES", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = PlaceSettings("s3://acme/lake", endpoint, access_key="key", secret_key="x")
        intake = LakeIntake(Storage(settings), system_clock)
        sent = [intake.store(Delivery("tag/added", "{}")) for _ in range(3)]
        answers = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert "does not answer" in str(answers[0])


def test_it_needs_a_lake(tmp_path: Path) -> None:
    (tmp_path / "webhook.secret").write_bytes(SECRET)
    home = Home(tmp_path, WEBHOOK)
    command = [sys.executable, "-m", "promptsync", "--config", str(home.config), "listen"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.endswith("make it with: promptsync lake init\n")
