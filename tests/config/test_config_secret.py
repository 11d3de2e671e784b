"""Secrets are opened late, never shown, and missing ones are said in words; the webhook fails closed."""

import os
from pathlib import Path

import pytest

from promptsync.config import Config, Secret, open_access, require_authentication
from promptsync.errors import ConfigError


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "name").write_bytes(b"hunter2\n")
    (tmp_path / "name").chmod(0o600)
    monkeypatch.setenv("NAME", "hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("kind", "name"), [("file", "name"), ("env", "NAME"), ("credential", "name")])
def test_the_ways_to_keep_one(kept: Path, kind: str, name: str) -> None:
    secret = Secret(kind, name, kept)
    assert secret.reveal() == b"hunter2"
    assert secret.problems() == []
    assert "hunter2" not in f"{secret!r} {secret}"


def test_bytes_are_kept_as_they_are(kept: Path) -> None:
    (kept / "name").write_bytes(b" \xff\x00 inner\nline \r\n")
    assert Secret("file", "name", kept).reveal() == b" \xff\x00 inner\nline "
    os.environb[b"NAME"] = b"\xff\xfe"
    assert Secret("env", "NAME", kept).reveal() == b"\xff\xfe"


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("file", "absent", "cannot be read"),
        ("file", ".", "is not a file"),
        ("file", "empty", "is empty"),
        ("file", "large", "too large"),
        ("env", "NOT_SET_ANYWHERE", "is not set"),
        ("credential", "absent", "cannot be read"),
    ],
)
def test_what_cannot_be_opened(kept: Path, kind: str, name: str, says: str) -> None:
    (kept / "empty").write_bytes(b"\n")
    (kept / "large").write_bytes(b"x" * 70_000)
    secret = Secret(kind, name, kept)
    with pytest.raises(ConfigError, match=says):
        secret.reveal()
    assert len(secret.problems()) == 1


def test_a_credential_without_systemd(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(ConfigError, match="LoadCredential=name:PATH"):
        Secret("credential", "name", kept).reveal()


def test_a_file_that_others_can_read_is_a_problem(kept: Path) -> None:
    (kept / "name").chmod(0o644)
    secret = Secret("file", "name", kept)
    assert "chmod o=" in secret.problems()[0]
    (kept / "name").chmod(0o640)
    assert secret.problems() == []


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        {},
        {"value": "hunter2"},
        {"file": "a", "env": "B"},
        {"file": 3},
        {"file": ""},
        {"env": "A=B"},
        {"credential": "../x"},
        ["hunter2"],
    ],
)
def test_what_names_no_secret(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match=r"must|unknown way") as caught:
        Config.read({"webhook": {"secrets": [value]}}, tmp_path)
    assert all("hunter2" not in error["msg"] for error in caught.value.errors())  # type: ignore[attr-defined]


def webhook(kept: Path, **keys: object) -> Config:
    return Config.read({"webhook": keys}, kept)


def test_the_webhook_fails_closed(kept: Path) -> None:
    with pytest.raises(ConfigError, match="anyone could deliver"):
        require_authentication(webhook(kept).webhook)
    with pytest.raises(ConfigError, match="anyone could deliver"):
        open_access(webhook(kept, headers={"X-Relay": {"file": "name"}}).webhook)
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 can be reached"):
        require_authentication(webhook(kept, allow_unauthenticated=True, host="192.0.2.1").webhook)
    assert open_access(webhook(kept, allow_unauthenticated=True).webhook).open_to_all


def test_access_is_the_opened_secrets(kept: Path) -> None:
    config = webhook(
        kept,
        host="192.0.2.1",
        allow_unauthenticated=True,
        secrets=[{"file": "name"}, {"env": "NAME"}],
        basic_auth={"user": "prömpt", "password": {"env": "NAME"}},
        headers={"X-Relay": {"credential": "name"}},
    )
    access = open_access(config.webhook)
    assert access.secrets == (b"hunter2", b"hunter2")
    assert access.basic == ("prömpt".encode(), b"hunter2")
    assert access.headers == (("X-Relay", b"hunter2"),)
    assert not access.open_to_all
    assert "hunter2" not in repr(access)
    with pytest.raises(ConfigError, match="is not set"):
        open_access(webhook(kept, secrets=[{"env": "NOT_SET_ANYWHERE"}]).webhook)
