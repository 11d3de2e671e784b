"""A mirror that a newer version has changed: every command leaves it as it is, and says why."""

import sqlite3
from contextlib import closing

import pytest
from cli_place import Place

from promptsync import __version__
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

NEWER = "99.1.0"
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
COMMANDS = (
    "backup",
    "browse --port 0",
    "erase --contact 1 --yes",
    "erase list",
    "events export out.jsonl",
    "events list",
    "events replay --failed",
    "export list",
    "fetch",
    "files list",
    "load drop",
    "person --contact 1",
    "rejects list",
    "rejects retry",
    "reset cio_outputs --yes",
    "retention run",
    "run",
    "status",
)


def marked(place: Place, version: str) -> None:
    """The mirror as a version leaves it that has added a table of its own."""
    Mirror(place.database, declared_schema()).close()
    with closing(sqlite3.connect(place.database)) as connection, connection:
        mark = connection.execute("SELECT value FROM sync_state WHERE name = 'tables_by'").fetchone()
        assert mark == (__version__,)
        connection.execute("UPDATE sync_state SET value = ? WHERE name = 'tables_by'", (version,))
        connection.execute("CREATE TABLE IF NOT EXISTS of_tomorrow (id INTEGER PRIMARY KEY) STRICT")


def content(place: Place) -> list[str]:
    with closing(sqlite3.connect(place.database)) as connection:
        return list(connection.iterdump())


@pytest.fixture
def newer(place: Place) -> Place:
    """A place whose mirror is a newer version's."""
    (place.folder / "there").mkdir()
    place.edit(r"\A", f"[backup]\nrecipient = '{RECIPIENT}'\n[[nightly]]\nlocation = 'there'\n")
    marked(place, NEWER)
    return place


def test_every_command_refuses_with_a_sentence(newer: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(newer.folder)
    before, said = content(newer), {}
    for command in COMMANDS:
        result = newer.run(*command.split())
        said[command] = (result.exit_code, NEWER in result.stderr, result.stderr.count("\n"))
    assert {command: one for command, one in said.items() if one != (2, True, 1)} == {}
    assert content(newer) == before


def test_doctor_says_it_too(newer: Place) -> None:
    result = newer.run("doctor")
    assert result.exit_code == 1 and f"by promptsync {NEWER}" in result.output


def test_a_version_that_changed_no_table_can_be_gone_back_from(place: Place) -> None:
    marked(place, "0.0.9")
    assert place.run("rejects", "retry").exit_code == 0
    assert place.rows("SELECT value FROM sync_state WHERE name = 'tables_by'") == [("0.0.9",)]
