"""Secrets by command: kept where only those read them who may, named in the file, rotated, and never shown."""

import asyncio
import hashlib
import hmac
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cli_place import Place

from promptsync.config import Config, open_access
from promptsync.config.remotes import NightlyConfig
from promptsync.config.secret_names import find_secret, secret_keys
from promptsync.errors import ConfigError
from tests.daemons import running

VALUE = "s3cret/of+the=vendor"
MORE = """
# my own words
[[nightly]]
location = "s3://bucket/prefix"  # and here
[[nightly]]
location = "sftp://user@host/path"
password = { env = "NOWHERE" }

[[customerio]]
location = "s3://bucket/other"
"""


@pytest.fixture
def account(place: Place) -> Place:
    with place.file.open("a") as file:
        file.write(MORE)
    return place


def keys(place: Place) -> list[str]:
    return [key.replace("NAME", "X-Relay") for key in secret_keys(place.config)]


def test_every_secret_has_a_key_and_no_other_name_has(account: Place) -> None:
    found = set(keys(account))
    assert {"webhook.secrets", "qlara.api_key", "nightly.2.password", "customerio.1.secret_key"} <= found
    assert {"browse.secret", "alerts.healthcheck_url", "webhook.headers.X-Relay"} <= found
    of_places = {name for name, field in NightlyConfig.model_fields.items() if "Secret" in repr(field.annotation)}
    assert {f"nightly.{n}.{name}" for n in (1, 2) for name in of_places} <= found
    assert not {key for key in found if key.startswith(("nightly.3", "customerio.2", "browse.users", "webhook.basic"))}


@pytest.mark.parametrize("again", [False, True])
def test_each_is_kept_named_and_readable(account: Place, again: bool) -> None:
    before = account.file.read_text()
    for number, key in enumerate(keys(account)):
        result = account.run("secret", "set", key, stdin=f"{VALUE}{number}\n")
        assert result.exit_code == 0 and VALUE not in result.output
        if again:
            account.run("secret", "set", key, stdin=f"{VALUE}{number} again\n")
    for number, key in enumerate(keys(account)):
        (kept,) = find_secret(account.config, key)
        assert kept.reveal().decode() == f"{VALUE}{number}{' again' if again else ''}"
        assert kept.problems() == []
        file = kept.file()
        assert file and file.parent == account.folder and file.stat().st_mode & 0o777 == 0o600
    text = account.file.read_text()
    assert VALUE not in text and all(line.split("=")[0] in text for line in before.splitlines())
    assert "# my own words" in text and "# and here" in text
    listed = account.run("secret", "list", "--json")
    assert listed.exit_code == 0 and VALUE not in listed.output
    assert {row["readable"] for row in json.loads(listed.stdout)} == {"yes"}
    assert len(json.loads(listed.stdout)) == len(keys(account))


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("qlara.api_kye", "did you mean 'qlara.api_key'? There are: webhook.secrets, "),
        ("nightly.7.password", "There are: "),
        ("nightly[2].password", ""),
        ("webhook.port", "'webhook.port' names no secret"),
        ("browse.users.ana", "promptsync user"),
        ("webhook.headers.", "There are: "),
    ],
)
def test_a_key_that_names_none_is_refused_with_those_that_do(account: Place, key: str, says: str) -> None:
    before = account.file.read_text()
    result = account.run("secret", "set", key, stdin=VALUE)
    assert says in result.output and (result.exit_code, account.file.read_text() == before) == (
        2 * bool(says),
        bool(says),
    )


def test_nothing_is_no_secret(place: Place) -> None:
    before = place.file.read_text()
    result = place.run("secret", "set", "qlara.api_key", stdin="\n")
    assert result.exit_code == 2 and place.file.read_text() == before
    assert not (place.folder / "qlara.api_key.secret").exists()


def test_what_cannot_be_read_is_listed_with_the_reason(account: Place) -> None:
    result = account.run("secret", "list")
    assert result.exit_code == 1
    assert 'nightly[2].password  { env = "NOWHERE" }' in result.stdout and "NOWHERE is not set" in result.stdout


def test_on_a_terminal_it_is_asked_for_and_not_shown(place: Place) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "promptsync", "--config", str(place.file), "secret", "set", "qlara.api_key"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = os.read(ours, 1_000)
        os.write(ours, VALUE.encode() + b"\n")
        while more := _read(ours):
            shown += more
    os.close(ours)
    assert process.returncode == 0 and b"qlara.api_key" in shown and VALUE.encode() not in shown
    assert find_secret(place.config, "qlara.api_key")[0].reveal() == VALUE.encode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1_000)
    except OSError:  # the other end is closed
        return b""


async def answered(place: Place, address: str, secret: bytes) -> int:
    body = b'{"orgId": 1}'
    headers = {"X-Hub-Signature": "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()}
    async with httpx.AsyncClient() as client:
        return (await client.post(f"{address}/console/log", content=body, headers=headers)).status_code


async def test_while_rotating_both_are_accepted_and_then_the_new_one_alone(place: Place) -> None:
    (old,) = open_access(place.config.webhook).secrets
    result = json.loads((await asyncio.to_thread(place.run, "secret", "rotate", "webhook", "--json")).stdout)
    new = result["secret"].encode()
    assert place.run("secret", "rotate", "webhook").exit_code == 2  # one at a time
    assert place.run("secret", "set", "webhook.secrets", stdin="x").exit_code == 2
    assert "--finish" in place.run("doctor").stdout
    async with running(place.config) as daemon:
        assert [await answered(place, daemon.address, one) for one in (old, new, b"else")] == [200, 200, 401]
        await answered(place, daemon.address, new)
        listed = json.loads((await asyncio.to_thread(place.run, "secret", "list", "--json")).stdout)
        used = {row["key"]: row.get("used", "") for row in listed}
        assert used["webhook.secrets[1]"].startswith("by 1 delivery, the newest 20")
        assert used["webhook.secrets[2]"].startswith("by 2 deliveries")
    assert place.run("secret", "rotate", "webhook", "--finish").exit_code == 0
    assert not (place.folder / "webhook.secret").exists()
    async with running(place.config) as daemon:
        assert [await answered(place, daemon.address, one) for one in (old, new)] == [401, 200]
        assert "Restart the daemon" in (await asyncio.to_thread(place.run, "secret", "rotate", "webhook")).stdout
    assert place.run("secret", "rotate", "webhook", "--finish").exit_code == 0
    assert place.run("secret", "rotate", "webhook", "--finish").exit_code == 2
    assert open_access(place.config.webhook).secrets != (new,)


async def test_what_deliveries_come_with_is_said_of_that_secret_wherever_it_is_named(place: Place) -> None:
    """The daemon goes on with what it has read while the file has other secrets, in other places."""
    await asyncio.to_thread(place.run, "secret", "rotate", "webhook")
    old, new = open_access(place.config.webhook).secrets
    async with running(place.config) as daemon:
        assert [await answered(place, daemon.address, one) for one in (old, new, new)] == [200] * 3
        (place.folder / "third.secret").write_text("third")
        place.edit(r"^secrets = .*", 'secrets = [{ file = "third.secret" }, { file = "webhook.secret" }]')
        listed = json.loads((await asyncio.to_thread(place.run, "secret", "list", "--json")).stdout)
    used = {row["kept"]: row["used"] for row in listed if "used" in row}
    assert used.pop('{ file = "third.secret" }') == "not yet, it is accepted after a reload or restart"
    assert [count.split(",")[0] for count in used.values()] == ["by 1 delivery"]


def test_comments_beside_the_secrets_survive_a_rotation(place: Place) -> None:
    place.edit(r"^secrets = .*", 'secrets = [\n  { file = "webhook.secret" },  # entered by Ana\n]')
    before = place.file.read_text()
    place.run("secret", "rotate", "webhook")
    assert "# entered by Ana" in place.file.read_text()
    place.run("secret", "rotate", "webhook", "--finish")
    outside = [line for line in before.splitlines() if "webhook.secret" not in line]
    assert [
        line for line in place.file.read_text().splitlines() if "webhook-2" not in line and "Ana" not in line
    ] == outside


@pytest.fixture
def creds() -> str:
    """systemd's program, and the right to use it. Where everything has to be tested it must be there."""
    found = shutil.which("systemd-creds")
    if (found is None or os.geteuid() != 0) and os.environ.get("CI"):
        pytest.fail("systemd-creds is missing or may not be used: install systemd, run as root")
    return found if found and os.geteuid() == 0 else pytest.skip("systemd-creds cannot be used")


def test_with_systemd_it_is_an_encrypted_credential(place: Place, creds: str) -> None:
    result = place.run("secret", "set", "qlara.api_key", "--systemd", stdin=VALUE)
    assert result.exit_code == 0 and VALUE not in result.output
    (line,) = [line.strip() for line in result.stdout.splitlines() if "LoadCredentialEncrypted=" in line]
    name, _, path = line.partition("=")[2].partition(":")
    assert VALUE.encode() not in Path(path).read_bytes()
    opened = subprocess.run([creds, "decrypt", f"--name={name}", path, "-"], capture_output=True, check=True)
    assert opened.stdout.decode() == VALUE
    assert str(find_secret(place.config, "qlara.api_key")[0]) == f'{{ credential = "{name}" }}'


async def test_what_makes_it_count_is_what_works_for_it(place: Place, creds: str) -> None:
    def last_line(*arguments: str) -> str:
        return place.run("secret", *arguments, stdin=VALUE).stdout.splitlines()[-1]

    async with running(place.config):
        for key, unit in {"qlara.api_key": "promptsync", "browse.secret": "promptsync-browse"}.items():
            last = await asyncio.to_thread(last_line, "set", key, "--systemd")
            assert last.endswith(f": systemctl restart {unit}") and "SIGHUP" not in last
        for key, says in {"alerts.healthcheck_url": "SIGHUP", "browse.secret": "The pages read it when"}.items():
            assert says in await asyncio.to_thread(last_line, "set", key, "--file")


def test_the_place_that_is_no_more_is_refused_with_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"LoadCredentialEncrypted=.*promptsync secret set"):
        Config.read({"qlara": {"api_key": {"encrypted": "qlara"}}}, tmp_path)
    with pytest.raises(ConfigError, match="names no secret"):
        find_secret(Config.read({}, tmp_path), "qlara")
