"""Without promptsync: the commands of the help, run with the standard tools, open everything."""

import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from backup_home import Home

TEXT = Path(__file__).parents[2] / "promptsync" / "docs" / "backup.md"


@pytest.fixture(autouse=True)
def tools() -> None:
    lacking = [name for name in ("age", "zstd", "sha256sum") if shutil.which(name) is None]
    if lacking:
        message = f"{' and '.join(lacking)} is missing; install it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


def test_the_commands_of_the_help_open_a_backup(home: Home) -> None:
    home.receive(*range(5))
    home.backup()
    home.ship()
    home.receive(5)
    home.ship()
    (commands,) = re.findall(r"^```sh\n(.*?)^```", TEXT.read_text(), re.M | re.S)
    (named,) = set(re.findall(r"mirror-\d+T\d+Z\.db\.zst\.age", commands))
    shutil.copy(home.key, home.place)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands.replace(named, home.backups[0].name)],
        cwd=home.place,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{home.backups[0].name}: OK" in done.stdout
    with closing(sqlite3.connect(home.place / "mirror.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counted = connection.execute(
            "SELECT value ->> '$.sync_event' FROM sync_manifest WHERE name = 'rows'"
        ).fetchone()
        assert counted == connection.execute("SELECT count(*) FROM sync_event").fetchone() == (5,)
    lines = [json.loads(line) for line in (home.place / "received.jsonl").read_text().splitlines()]
    received = [(line["received_at"], line["type"], line["path"], line["body"], "applied") for line in lines]
    assert received == home.rows()["sync_event"]


def test_age_asks_for_the_passphrase(phrase_place: Home, tmp_path: Path) -> None:
    (key,) = phrase_place.place.glob("passphrase-key-*.age")
    ours, terminal = pty.openpty()
    command = ["age", "-d", "-i", str(key), "-o", str(tmp_path / "plain.zst"), str(phrase_place.backups[0])]
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    said = b""
    while b"passphrase" not in said:
        said += os.read(ours, 1000)
    os.write(ours, b"correct horse\n")
    assert process.wait() == 0
    os.close(ours)
    assert (tmp_path / "plain.zst").read_bytes()[:4] == bytes.fromhex("28b52ffd")  # RFC 8878, 3.1.1
