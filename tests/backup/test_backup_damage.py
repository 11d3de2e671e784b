"""Bad days of a backup: flipped bits, wrong keys, cut files, newer versions. None becomes a mirror, all are named."""

from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest
from backup_home import KEY, Home

from promptsync.backup.keys import kept_key, sealing
from promptsync.backup.seal import pieces_of, seal, unseal
from promptsync.backup.segments import Shipping
from promptsync.backup.verify import verify
from promptsync.clock import system_clock
from promptsync.errors import ConfigError, InputRefused, MirrorLocked, PromptsyncError, Unavailable
from promptsync.store.connect import open_copy
from promptsync.store.marks import read_facts


def check(home: Home, name: str = "latest", **options: Any) -> str:
    """The outcome of a look at a backup."""
    return verify(home.config, home.destination, name, **options).outcome


def test_a_flipped_bit_is_found_wherever_it_is(home: Home, tmp_path: Path) -> None:
    """In the header, the recipient's stanza, the MAC, the nonce, each chunk, the last tag."""
    home.receive(*range(3))
    home.backup()
    (path,) = home.backups
    (digest,) = home.place.glob("*.sha256")
    whole, found = path.read_bytes(), Home(tmp_path / "found", home.place)
    for where in (0, 30, 60, 130, 170, 190, len(whole) // 3, len(whole) // 2, len(whole) - 17, len(whole) - 1):
        content = bytearray(whole)
        content[where] ^= 4
        path.write_bytes(content)
        assert check(home) == "failed"
        digest.rename(tmp_path / "digest")  # whoever can change the one can change the other
        with pytest.raises((InputRefused, ConfigError)):
            found.restore()
        assert not found.database.exists()
        try:
            assert check(home) == "failed"
        except ConfigError:
            assert 22 <= where < 120  # in the stanza: it might be for another key
        (tmp_path / "digest").rename(digest)


def test_a_backup_that_is_cut_short_is_not_restored(home: Home, tmp_path: Path) -> None:
    home.receive(*range(3))
    home.backup()
    (path,) = home.backups
    whole = path.read_bytes()
    found = Home(tmp_path / "found", home.place)
    for length in (0, 100, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PromptsyncError):
            found.restore()
        assert check(home) == "failed"
    path.write_bytes(whole)
    found.restore()  # goes on, and not with what it had downloaded
    assert found.rows() == home.rows()


def test_a_damaged_segment_keeps_no_other_back(home: Home, tmp_path: Path) -> None:
    home.receive(1)
    home.backup()
    for number in (2, 3, 4):
        home.receive(number)
        home.ship()
    second = home.segments[-2]
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    restored = Home(tmp_path / "found", home.place).restore()
    assert (restored.deliveries, len(restored.unreadable), restored.gaps) == (2, 1, [])
    second.unlink()
    restored = Home(tmp_path / "again", home.place).restore()
    assert (restored.deliveries, restored.unreadable, len(restored.gaps)) == (2, [], 1)


def test_the_wrong_key_opens_nothing_and_the_right_one_goes_on(home: Home, tmp_path: Path) -> None:
    home.receive(1)
    home.backup()
    found = Home(tmp_path / "found", home.place)
    found.key.write_text(str(pyrage.x25519.Identity.generate()))
    for attempt in (found.restore, lambda: check(found)):
        with pytest.raises(ConfigError, match="does not open"):
            attempt()
    found.settings["identity"] = None
    with pytest.raises(ConfigError, match="--identity"):
        found.restore()
    assert check(found) == "intact"
    assert check(found, identity=home.key) == "restorable"
    assert found.restore(identity=home.key).resumed
    assert found.rows() == home.rows()


@pytest.mark.parametrize("content", ["", "# a comment\n", "AGE-SECRET-KEY-1ABC", "age-encryption.org/v1\n-> x"])
def test_what_is_no_key_is_said_to_be_none(home: Home, content: str) -> None:
    home.receive(1)
    home.backup()
    home.key.write_text(content)
    with pytest.raises(ConfigError) as caught:
        check(home)
    assert "1ABC" not in str(caught.value)


def change(home: Home, tmp_path: Path, sql: str) -> None:
    """Replace the backup by one whose database was changed."""
    (path,) = home.backups
    plain = tmp_path / "changed.db"
    unseal(path, plain, [KEY])
    connection = open_copy(plain)
    connection.executescript(sql)
    connection.close()
    seal(pieces_of(plain), path, [KEY.to_public()])
    path.with_name(f"{path.name}.sha256").unlink()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE sync_manifest SET value = '\"99.0\"' WHERE name = 'version'", r"promptsync 99\.0"),
        ("UPDATE sync_state SET value = json_set(value, '$.key', 'x') WHERE name = 'schema:message'", "other tables"),
        ("DROP TABLE sync_manifest", "manifest"),
        ("UPDATE sync_manifest SET value = 'x'", "manifest"),
        ("DELETE FROM sync_event", "sync_event"),
    ],
)
def test_what_this_version_cannot_go_on_with_is_refused(home: Home, tmp_path: Path, sql: str, says: str) -> None:
    home.receive(1)
    home.backup()
    change(home, tmp_path, sql)
    found = Home(tmp_path / "found", home.place)
    with pytest.raises((ConfigError, InputRefused), match=says):
        found.restore()
    assert not found.database.exists()


def test_a_mirror_in_the_way_stays_and_one_that_is_open_too(home: Home) -> None:
    home.receive(1)
    home.backup()
    before = home.rows()
    with pytest.raises(ConfigError, match="--replace"):
        home.restore()
    with home.engine(), pytest.raises(MirrorLocked):
        home.restore(replace=True)
    assert home.rows() == before


@pytest.mark.slow
def test_a_passphrase_opens_what_it_sealed(phrase_place: Home, tmp_path: Path) -> None:
    """By a key that lies beside the backups and that this machine keeps too."""
    (key,) = phrase_place.place.glob("passphrase-key-*.age")
    assert kept_key(phrase_place.database).read_bytes() == key.read_bytes()
    found = Home(tmp_path / "found", phrase_place.place, phrase_place.settings)
    (found.folder / "phrase").write_text("wrong")
    with pytest.raises(ConfigError):
        found.restore()
    (found.folder / "phrase").write_text("correct horse")
    assert found.restore().deliveries == 1
    assert found.rows() == phrase_place.rows()
    again = sealing(found.config.backup, found.database, [key.read_bytes()])
    assert again.key_file == (key.name, key.read_bytes())


def test_an_unreachable_place_loses_nothing(home: Home, tmp_path: Path) -> None:
    home.receive(1)
    home.backup()
    with home.engine() as engine:
        home.place.rename(tmp_path / "unplugged")
        home.place.write_text("a file in its place")
        home.receive(2)
        for attempt in (home.ship, home.backup):
            with pytest.raises((Unavailable, ConfigError)):
                attempt()
        with engine.mirror.reading() as connection:
            assert read_facts(connection, "backup_shipped") is None
        home.place.unlink()
        (tmp_path / "unplugged").rename(home.place)
        shipped = Shipping(home.config, engine.mirror, home.destination, system_clock).ship()
    assert shipped is not None and shipped.deliveries == 2
    found = Home(tmp_path / "found", home.place)
    found.restore()
    assert found.rows() == home.rows()
