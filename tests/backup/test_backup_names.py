"""What is kept, as a property: enough of the newest, never less, and every segment that a kept backup needs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from promptsync.backup.names import backup_name, gaps, gone_by, key_name, needed, segment_name, sort_out, superfluous
from promptsync.clock import MICROS, local_date, micros_of
from promptsync.places.place import Item

ZONE = ZoneInfo("America/Los_Angeles")
BEGUN = micros_of(datetime(2026, 1, 1, tzinfo=UTC))
DAY = 86_400 * MICROS

minutes = st.integers(0, 60 * 24 * 90)


@given(
    taken=st.sets(minutes, max_size=40),
    ends=st.sets(minutes, max_size=40),
    daily=st.integers(1, 9),
    weekly=st.integers(0, 6),
)
def test_what_is_kept_can_be_restored_to_the_end(taken: set[int], ends: set[int], daily: int, weekly: int) -> None:
    backups = [BEGUN + minute * 60 * MICROS for minute in taken]
    times = sorted(BEGUN + minute * 60 * MICROS for minute in ends)
    segments = [segment_name(a, b) for a, b in zip([BEGUN - 1, *times], times, strict=False)]
    names = [name for at in backups for name in (backup_name(at), f"{backup_name(at)}.sha256")]
    stored = sort_out(Item(name, "") for name in (*names, *segments, "notes.txt", "mirror-20269999T000000Z.db.zst.age"))
    assert [one.at for one in stored.backups] == sorted(backups)
    assert gaps(stored.segments) == []
    gone = {item.key for item in superfluous(stored, daily, weekly, ZONE)}
    kept = [one for one in stored.backups if one.name not in gone]
    assert "notes.txt" not in gone and all(
        (f"{one.name}.sha256" in gone) == (one.name in gone) for one in stored.backups
    )
    assert not stored.backups or stored.backups[-1] in kept
    days = {datetime.fromtimestamp(one.at / MICROS, ZONE).date() for one in stored.backups}
    weeks = {day.isocalendar()[:2] for day in days}
    assert min(daily, len(days)) <= len(kept) <= daily + weekly
    assert len({datetime.fromtimestamp(one.at / MICROS, ZONE).date().isocalendar()[:2] for one in kept}) >= min(
        weekly, len(weeks)
    )
    for one in kept:
        assert not gone & {segment.item.key for segment in needed(stored.segments, one.at)}
    if kept:  # nor is much more kept than that
        assert all(one.item.key in gone for one in stored.segments if one.to < kept[0].at - DAY)
    else:
        assert not gone


def test_a_missing_segment_shows() -> None:
    names = [segment_name(1, 5), segment_name(9, 12), segment_name(5, 7), segment_name(4, 6), key_name("a" * 64)]
    stored = sort_out(Item(name, "") for name in names)
    assert gaps(stored.segments) == [(7, 9)]
    assert [one.key for one in stored.keys] == ["passphrase-key-aaaaaaaaaaaaaaaa.age"]
    assert stored.newest() is None


@given(st.integers(0, 400), st.integers(1, 9), st.integers(1, 6))
def test_a_backup_is_gone_by_the_day_that_is_said(first: int, daily: int, weekly: int) -> None:
    """If one is made every night."""
    nights = [BEGUN + (first + number) * DAY for number in range(60)]
    said = gone_by(nights[0], daily, weekly, ZONE)
    stored = sort_out([])
    for night in nights:
        stored = sort_out([*(one.item for one in stored.backups), Item(backup_name(night), "tag")])
        goes = {item.key for item in superfluous(stored, daily, weekly, ZONE)}
        stored = sort_out(one.item for one in stored.backups if one.name not in goes)
        if all(one.at != nights[0] for one in stored.backups):
            assert local_date(night, ZONE) <= said
            return
    raise AssertionError("it is never gone")
