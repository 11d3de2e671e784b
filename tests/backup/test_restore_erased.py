"""A restored mirror forgets whom the lost one had forgotten, and knows whom that one had let back in."""

import json
from pathlib import Path

import pytest
from backup_home import Home

from promptsync.clock import iso_micros, system_clock
from promptsync.model import Identity
from promptsync.model.person import Identifier
from promptsync.people.erase import erase
from promptsync.people.forgotten import remembering, undo

JANE = frozenset({Identifier(Identity.CONTACT, "3")})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A mirror whose contact 3 is in a backup, and in a segment after it."""
    made = Home(tmp_path / "home", tmp_path / "place")
    _meet(made, *range(1, 6))
    made.backup()
    _meet(made, 3, 6)
    made.ship()
    return made


def _meet(home: Home, *ids: int) -> None:
    """A delivery about each of these contacts."""
    with home.engine() as engine:
        for number in ids:
            channel = {"type": "SMS", "key": f"+1500555{number:04d}", "identityType": "PHONE"}
            who = {"id": number, "name": f"Jane Sample-{number}", "channels": [channel]}
            line = {"path": "customer/added", "body": json.dumps({"orgId": 1, "customer": who})}
            engine.import_deliveries([line | {"received_at": iso_micros(system_clock())}])


def _erase(home: Home) -> int:
    with home.engine() as engine:
        done = erase(engine, [JANE], "asked", remembering(engine.mirror))
    return int(done["id"])


def _is_there(home: Home) -> bool:
    with home.engine() as engine, engine.mirror.reading() as connection:
        there = connection.execute("SELECT EXISTS (SELECT 1 FROM contact WHERE id = 3)").fetchone() == (1,)
    kept = b"".join(path.read_bytes() for path in home.database.parent.glob("mirror.db*") if "before" not in path.name)
    assert there == (b"Sample-3" in kept) == (b"5550003" in kept)
    return there


@pytest.mark.parametrize("shipped_by", ["segment", "backup"])
def test_who_was_erased_after_the_backup_is_erased_again(home: Home, tmp_path: Path, shipped_by: str) -> None:
    """On a fresh machine with nothing but the configuration and the key; and stays away."""
    oldest = home.backups[0]
    content = oldest.read_bytes()
    _erase(home)
    _meet(home, 3)  # left out
    home.ship() if shipped_by == "segment" else home.backup()
    oldest.write_bytes(content)  # a backup made on the same day replaces it
    assert (home.place / "erased.jsonl.zst.age").exists()
    found = Home(tmp_path / "found", home.place)
    restored = found.restore(oldest.name)
    assert restored.erased > 0 and restored.not_erased is None
    assert not _is_there(found)
    _meet(found, 3)
    assert not _is_there(found)
    with found.engine() as engine, engine.mirror.reading() as connection:
        others = connection.execute("SELECT id FROM contact ORDER BY 1").fetchall()
    assert [number for (number,) in others] == [1, 2, 4, 5, 6]


def test_the_mirror_in_the_way_knows_best(home: Home) -> None:
    """Its newest erasure may not have been shipped."""
    _erase(home)
    restored = home.restore(replace=True)
    assert restored.aside is not None and restored.erased > 0
    assert not _is_there(home)


def test_who_was_let_back_in_is_there(home: Home, tmp_path: Path) -> None:
    number = _erase(home)
    home.ship()
    with home.engine() as engine:
        undo(engine, number)
    home.ship()
    found = Home(tmp_path / "found", home.place)
    assert found.restore().erased == 0
    assert _is_there(found)


def test_a_list_that_cannot_be_read_is_said(home: Home, tmp_path: Path) -> None:
    _erase(home)
    home.ship()
    path = home.place / "erased.jsonl.zst.age"
    path.write_bytes(path.read_bytes()[:-9])
    restored = Home(tmp_path / "found", home.place).restore()
    assert restored.not_erased is not None and "erased.jsonl.zst.age is damaged" in restored.not_erased
