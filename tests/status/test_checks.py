"""The doctor's decisions, without the machine they are about."""

import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.config import Config
from promptsync.config.section import Section
from promptsync.plugins.declared import Level
from promptsync.status.check_contents import check_clock, check_integrity
from promptsync.status.check_machine import (
    Port,
    check_browse_port,
    check_companions,
    check_private,
    check_room,
    check_sqlite,
    check_webhook_port,
    look_at_port,
)
from promptsync.status.check_settings import check_secrets, secrets_of

OK, NOTE, PROBLEM = Level.OK, Level.NOTE, Level.PROBLEM


@pytest.mark.parametrize(
    ("free", "database", "level"),
    [(99, 0, PROBLEM), (100, 0, OK), (100, 101, NOTE), (101, 101, OK), (99, 200, PROBLEM)],
)
def test_room(free: int, database: int, level: Level) -> None:
    assert check_room(Path("data"), free, database, low=100).level is level


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 38, 5), PROBLEM), ((3, 39, 0), NOTE), ((3, 51, 2), NOTE), ((3, 51, 3), OK), ((3, 100, 0), OK)],
)
def test_sqlite_versions(version: tuple[int, ...], level: Level) -> None:
    assert check_sqlite(version).level is level


@given(st.integers(0, 0o777))
def test_private_means_nothing_for_others(mode: int) -> None:
    assert (check_private("x", Path("f"), mode, "a file").level is OK) == (mode % 8 == 0)


@pytest.mark.parametrize(
    ("state", "daemon", "level"),
    [
        (Port.FREE, False, OK),
        (Port.TAKEN, True, OK),
        (Port.TAKEN, False, PROBLEM),
        (Port.FREE, True, PROBLEM),
        (Port.REFUSED, False, PROBLEM),
        (Port.REFUSED, True, PROBLEM),
    ],
)
def test_the_webhook_port(state: Port, daemon: bool, level: Level) -> None:
    assert check_webhook_port("::1", 8642, state, daemon=daemon).level is level


def test_the_browse_port() -> None:
    levels = [check_browse_port("::1", 8643, state).level for state in (Port.FREE, Port.TAKEN, Port.REFUSED)]
    assert levels == [OK, NOTE, PROBLEM]


def test_an_address_that_is_not_ours() -> None:
    assert look_at_port("192.0.2.1", 0) is Port.REFUSED


def test_the_clock() -> None:
    now = 1_800_000_000_000_000
    assert [check_clock(newest, now).level for newest in (None, now, now + 5_000_000, now + 5_000_001)] == [
        OK,
        OK,
        OK,
        PROBLEM,
    ]


def test_a_reader_needs_both_companions(tmp_path: Path) -> None:
    database = tmp_path / "mirror.db"
    assert check_companions(database).level is NOTE
    Path(f"{database}-wal").touch()
    assert "mirror.db-shm is not there" in check_companions(database).says
    Path(f"{database}-shm").touch()
    assert check_companions(database).level is OK


AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from promptsync.status.check_machine import check_folder
if os.geteuid() == 0:  # root may write everywhere
    os.setuid(65534)
folder = Path(sys.argv[1])
print(*(check_folder("x", one, "it").level.name for one in (folder, folder / "below")))
"""


def test_a_folder_of_somebody_else() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        said = subprocess.run([sys.executable, "-c", AS_SOMEBODY_ELSE, folder], capture_output=True, text=True)
        assert (said.stdout.split(), said.stderr) == (["PROBLEM", "PROBLEM"], "")


def test_the_quick_check_ends_in_time() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t AS WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
                       "SELECT i FROM n")  # fmt: skip
    assert check_integrity(connection, deep=False, seconds=0).level is NOTE
    assert check_integrity(connection, deep=True, seconds=0).level is OK
    assert check_integrity(connection, deep=False).level is OK
    connection.close()


def test_no_secret_is_forgotten(tmp_path: Path) -> None:
    secret = {"env": "PROMPTSYNC_TEST_UNSET"}
    config = Config.read(
        {
            "webhook": {
                "secrets": [secret],
                "basic_auth": {"user": "a", "password": secret},
                "headers": {"X-A": secret},
            },
            "nightly": [{"location": "in"}, {"location": "in", "access_key": secret}],
            "qlara": {"api_key": secret},
            "browse": {"users": {"ana": secret}},
            "backup": {"passphrase": secret},
            "alerts": {"healthcheck_url": secret},
        },
        tmp_path,
    )
    keys = [key for key, _ in secrets_of(config)]
    assert keys == [
        "webhook.secrets[1]",
        "webhook.basic_auth.password",
        "webhook.headers.X-A",
        "nightly[2].access_key",
        "qlara.api_key",
        "browse.users.ana",
        "backup.passphrase",
        "alerts.healthcheck_url",
    ]
    assert isinstance(config, Section)
    assert {finding.level for finding in check_secrets(config, daemon=False)} == {PROBLEM}
    assert {finding.level for finding in check_secrets(config, daemon=True)} == {NOTE}
