"""What files at the destination are called, which of them are kept, and which a restore needs.

Owns the names and these decisions. Pure. Times in names are UTC with microseconds where order depends on them; each
segment begins where the one before it ended, so that a missing one shows.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, local_date, micros_of
from promptsync.places.place import Item

DIGEST: Final = ".sha256"
"""What the name of a file with a backup's digest ends with, as ``sha256sum -c`` reads it."""
ERASED: Final = "erased.jsonl.zst.age"
"""The list of the erased (erased.py)."""
_TIME: Final = r"(\d{8}T\d{6}(?:\.\d{6})?Z)"
_BACKUP: Final = re.compile(rf"mirror-{_TIME}\.db\.zst\.age", re.ASCII)
_SEGMENT: Final = re.compile(rf"received-{_TIME}-{_TIME}\.jsonl\.zst\.age", re.ASCII)
_KEY: Final = re.compile(r"passphrase-key-[0-9a-f]{16}\.age", re.ASCII)
_MARGIN: Final = 86_400 * MICROS
"""Segments that end that long before the oldest backup are kept too: clocks are set back at times."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup at its place. ``at``: when it was taken, microseconds. ``digest``: whether its digest is beside it."""

    item: Item
    at: int
    digest: Item | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.item.key


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment at its place: what was received ``after`` one moment ``to`` another, microseconds."""

    item: Item
    after: int
    to: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What is at a destination. ``backups`` and ``segments``: oldest first. ``keys``: those that a passphrase opens.
    ``erased``: the list of the erased."""

    backups: tuple[Backup, ...]
    segments: tuple[Segment, ...]
    keys: tuple[Item, ...]
    erased: Item | None = None

    def newest(self, until: int | None = None) -> Backup | None:
        """The newest backup, or the newest one taken by ``until`` (microseconds)."""
        return next((one for one in reversed(self.backups) if until is None or one.at <= until), None)


def backup_name(at: int) -> str:
    """The name of a backup taken at ``at`` (microseconds).

    >>> backup_name(1_770_192_000_000_000)
    'mirror-20260204T080000Z.db.zst.age'
    """
    return f"mirror-{_basic(at, '')}.db.zst.age"


def segment_name(after: int, to: int) -> str:
    """The name of a segment.

    >>> segment_name(1_770_192_000_000_000, 1_770_192_060_000_001)
    'received-20260204T080000.000000Z-20260204T080100.000001Z.jsonl.zst.age'
    """
    return f"received-{_basic(after, '.%f')}-{_basic(to, '.%f')}.jsonl.zst.age"


def key_name(digest: str) -> str:
    """The name of the file with a key that the passphrase opens. ``digest``: of the public key, hex."""
    return f"passphrase-key-{digest[:16]}.age"


def sort_out(items: Iterable[Item]) -> Stored:
    """What each file is, by its name; others are none of ours."""
    by_key = {item.key: item for item in items}
    backups, segments, keys = [], [], []
    for key, item in by_key.items():
        with suppress(ValueError):  # digits that are no time
            if match := _BACKUP.fullmatch(key):
                backups.append(Backup(item, _micros(match[1]), by_key.get(key + DIGEST)))
            elif match := _SEGMENT.fullmatch(key):
                segments.append(Segment(item, _micros(match[1]), _micros(match[2])))
        if _KEY.fullmatch(key):
            keys.append(item)
    ordered = sorted(backups, key=lambda one: one.at), sorted(segments, key=lambda one: (one.to, one.after))
    return Stored(tuple(ordered[0]), tuple(ordered[1]), tuple(keys), by_key.get(ERASED))


def superfluous(stored: Stored, daily: int, weekly: int, zone: ZoneInfo) -> list[Item]:
    """What need not be kept: backups that are not the newest of one of the newest days or weeks (ISO) that have any,
    their digests, and segments that end before the oldest backup that is kept."""
    kept = {one.at for one in _newest_of(stored.backups, daily, lambda at: local_date(at, zone))}
    kept |= {one.at for one in _newest_of(stored.backups, weekly, lambda at: local_date(at, zone).isocalendar()[:2])}
    goes = [one for one in stored.backups if one.at not in kept]
    items = [item for one in goes for item in (one.item, one.digest) if item is not None]
    if not kept:
        return items
    return items + [one.item for one in stored.segments if one.to < min(kept) - _MARGIN]


def gone_by(at: int, daily: int, weekly: int, zone: ZoneInfo) -> date:
    """The day on which a backup taken ``at`` (microseconds) is removed at the latest, if one is made every night."""
    day = local_date(at, zone)
    monday = day - timedelta(days=day.weekday())
    return max(day + timedelta(days=daily), monday + timedelta(weeks=weekly))


def _newest_of(backups: Sequence[Backup], most: int, period: Callable[[int], object]) -> list[Backup]:
    """The newest backup of each of the newest ``most`` periods."""
    newest = {period(one.at): one for one in backups}
    return sorted(newest.values(), key=lambda one: -one.at)[:most]


def needed(segments: Sequence[Segment], shipped_to: int | None) -> list[Segment]:
    """The segments with deliveries that a backup lacks, oldest first. ``shipped_to``: by its manifest, all that was
    shipped by then is in it (None: nothing is known to be)."""
    return [one for one in segments if shipped_to is None or one.to > shipped_to]


def gaps(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Times (microseconds) between which a segment is missing."""
    return [(a.to, b.after) for a, b in pairwise(segments) if b.after > a.to]


def _basic(at: int, fraction: str) -> str:
    when = datetime.fromtimestamp(at // MICROS, UTC) + timedelta(microseconds=at % MICROS)
    return when.strftime(f"%Y%m%dT%H%M%S{fraction}Z")


def _micros(text: str) -> int:
    return micros_of(
        datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ" if "." in text else "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    )
