"""A backup, the segments since, and the files that came later are the mirror, however they overlap."""

import gzip
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from backup_home import KEY, Home, when
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.backup.seal import seal
from promptsync.clock import parse_iso
from promptsync.store.connect import open_reader
from promptsync.store.migrations import recorded

FIXTURES = Path(__file__).parents[1] / "store" / "fixtures"

STEPS = st.lists(st.sampled_from(["receive", "receive", "ship", "backup", "load"]), min_size=1, max_size=7)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_is_restored_is_what_was_lost(steps: list[str], tmp_path: Path, nights: list[Path]) -> None:
    """After the backup nothing but shipped deliveries and files is left of the machine."""
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    lost = Home(tmp_path / "lost", tmp_path / "place")
    count, loaded = 0, 0
    with lost.engine():
        for step in ["receive", "backup", *steps, "ship"]:
            if step == "receive":
                lost.receive(*range(count, count + 3))
                count += 3
            elif step == "load" and loaded < len(nights):
                lost.load(*nights[loaded : loaded + 11])
                loaded += 11
            elif step in ("ship", "backup"):
                getattr(lost, step)()
    found = Home(tmp_path / "found", tmp_path / "place")
    restored = found.restore()
    assert not restored.gaps and not restored.unreadable and not restored.refused
    found.load(*nights[:loaded])
    assert found.rows() == lost.rows()
    assert count
    assert found.found("hello") == lost.found("hello")


def test_a_restored_mirror_goes_on_as_the_lost_one_would(home: Home, tmp_path: Path, nights: list[Path]) -> None:
    """The next night, more deliveries, replays, search, backups and segments of its own."""
    home.load(*nights[: len(nights) // 2])
    home.receive(*range(10))
    home.ship()
    home.backup()
    home.receive(*range(10, 20))
    home.ship()
    found = Home(tmp_path / "found", home.place)
    assert found.restore().deliveries == 10
    for machine in (home, found):
        machine.load(*nights[len(nights) // 2 :])
        machine.receive(*range(20, 30))
        with machine.engine() as engine:
            engine.apply_pending()
    assert found.rows() == home.rows()
    assert found.found("number2*") == home.found("number2*") != []
    shipped = len(found.segments)
    found.ship()
    found.backup()
    assert len(found.segments) == shipped + 1
    third = Home(tmp_path / "third", home.place)
    assert not third.restore().gaps
    assert third.rows() == found.rows()


def test_what_was_received_later_can_be_left_out(home: Home, tmp_path: Path) -> None:
    home.receive(*range(5))
    first = home.backup()
    home.receive(*range(5, 10))
    home.ship()
    until = parse_iso(when(7))
    found = Home(tmp_path / "found", home.place)
    # the backup was taken after all of it was received, so that it is none of the choice
    early = home.place / first.name.replace("mirror-2", "mirror-1")
    (home.place / first.name).rename(early)
    restored = found.restore(until=until)
    assert (restored.deliveries, restored.left_out) == (3, 2)
    assert [row[0] for row in found.rows()["sync_event"]] == [when(number) for number in range(8)]


def test_lines_of_another_kind_are_passed_over(home: Home, tmp_path: Path) -> None:
    """As a later version may write them."""
    home.receive(1)
    home.backup()
    home.receive(2)
    home.ship()
    line = b'{"another": {"id": "a"}}\n{"received_at": 5}\n'
    name = "received-20990101T000000.000000Z-20990101T000001.000000Z.jsonl.zst.age"
    seal([line], home.place / name, [KEY.to_public()])
    found = Home(tmp_path / "found", home.place)
    found.restore()
    assert found.rows() == home.rows()


@pytest.mark.parametrize("released", sorted(FIXTURES.glob("*.db.gz")), ids=lambda path: path.name)
def test_a_backup_of_an_older_mirror_is_brought_up_to_date(home: Home, tmp_path: Path, released: Path) -> None:
    home.database.parent.mkdir()
    home.database.write_bytes(gzip.decompress(released.read_bytes()))
    home.backup()  # as that version would have; only then is it opened, and so changed, by this one
    found = Home(tmp_path / "found", home.place)
    found.restore()
    with home.engine():
        pass
    assert found.rows() == home.rows()
    assert found.rows()["message"]
    with closing(open_reader(home.database)) as old, closing(open_reader(found.database)) as new:
        assert recorded(new) == recorded(old) != {}
