"""Defines what a time is: its spellings, read one value at a time.

Owns the grammar (ISO 8601, and bare integers as epoch seconds or milliseconds) and the zone's offsets. times.py reads
whole columns and asks here for layouts and for what has no common layout.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from promptsync.clock import MAX_MICROS, micros_of

__all__ = [
    "DAY",
    "HOUR",
    "MAX_MICROS",
    "MINUTE",
    "MIN_MICROS",
    "NEVER",
    "SECOND",
    "TimeLayout",
    "is_none",
    "layout_of",
    "parse_time",
]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = MAX_MICROS // DAY * DAY - DAY
"""From here on, microseconds: 9999-12-31 in any zone, as programs write "never"."""
MIN_MICROS = -719_162 * DAY  # 0001-01-01T00:00:00Z

FIRST_EPOCH_SECOND = 10**8  # 1973; anything smaller (a year, 20260204) is more likely something else
FIRST_EPOCH_MILLI = 10**11  # 1973 in milliseconds; as seconds it would be the year 5138

_TIME = re.compile(
    rb" *(\d{4}-\d\d-\d\d)"
    rb"(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?: ?([Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)? *"
)
_EPOCH = re.compile(rb" *(\d{9,14}) *")
_LAYOUT = re.compile(rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?")
_NONE = re.compile(rb" *(?:0|0000-00-00(?:[T ]00:00(?::00(?:\.0+)?)?)?Z?)? *")
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class TimeLayout:
    """The layout of cells of one width. ``fixed``: position to the bytes allowed there; ``digits``: positions.

    ``fraction``: its number of digits, from position 20. ``offset_at``: position of the offset's sign, or -1.
    ``utc``: ends in ``Z``. ``canonical``: what times are written as in the mirror.
    """

    width: int
    fixed: tuple[tuple[int, bytes], ...]
    digits: tuple[int, ...]
    fraction: int = 0
    offset_at: int = -1
    utc: bool = False
    epoch: bool = False
    canonical: bool = False


def layout_of(cell: bytes) -> TimeLayout | None:
    """The layout that a cell has, if it is a common one. Says nothing of whether the calendar has that time."""
    if len(cell) > _LONGEST or is_none(cell):
        return None
    if _EPOCH.fullmatch(cell) and cell.isdigit():
        return TimeLayout(len(cell), (), tuple(range(len(cell))), epoch=True)
    match = _LAYOUT.fullmatch(cell)
    if match is None:
        return None
    fixed = [(at, cell[at : at + 1]) for at in range(len(cell)) if not cell[at : at + 1].isdigit()]
    offset_at = match.start("zone") if match["zone"] and match["zone"] != b"Z" else -1
    fixed = [(at, b"+-" if at == offset_at else byte) for at, byte in fixed]
    fraction = len(match["fraction"] or b".") - 1
    utc = match["zone"] == b"Z"
    canonical = utc and fraction == 3 and cell[10:11] == b"T"
    digits = tuple(at for at in range(len(cell)) if cell[at : at + 1].isdigit())
    return TimeLayout(len(cell), tuple(fixed), digits, fraction, offset_at, utc, canonical=canonical)


def is_none(cell: bytes) -> bool:
    """Whether a cell says that there is no time: blank, 0 as in the vendor's webhooks, or a day 0 as in MySQL."""
    return _NONE.fullmatch(cell) is not None


def parse_time(cell: bytes, zone: ZoneInfo) -> int | None:
    """Microseconds since the epoch of one cell that is not blank, or None: it is no time between the years 1 and 9999.

    What only ``zone`` takes out of these years ("never" as 9999-12-31 23:59:59, in California) is cut to them.

    >>> parse_time(b"1970-01-01 00:00:01.5+00", ZoneInfo("UTC")), parse_time(b"2026-02-30", ZoneInfo("UTC"))
    (1500000, None)
    """
    if match := _EPOCH.fullmatch(cell):
        return _epoch(int(match[1]))
    match = _TIME.fullmatch(cell)
    if match is None:
        return None
    day, minute, second, fraction, written = (part.decode() if part else "" for part in match.groups())
    try:
        clock = (int(minute[:2] or 0), int(minute[3:] or 0), int(second or 0))
        local = datetime(int(day[:4]), int(day[5:7]), int(day[8:]), *clock)
        local += timedelta(microseconds=int(fraction[:6].ljust(6, "0")))
        micros = micros_of(local.replace(tzinfo=_zone(written, zone)))
    except (ValueError, OverflowError):
        return None
    within = min(max(micros, MIN_MICROS), MAX_MICROS)
    return within if within == micros or not written else None


def offset_at(wall: int, zone: ZoneInfo) -> int:
    """The zone's offset, in microseconds, at the local wall clock time ``wall`` (microseconds since 1970-01-01)."""
    shown = datetime(1970, 1, 1) + timedelta(microseconds=wall)
    return (zone.utcoffset(shown) or timedelta()) // timedelta(microseconds=1)


def _epoch(number: int) -> int | None:
    if number < FIRST_EPOCH_SECOND:
        return None
    return number * (SECOND if number < FIRST_EPOCH_MILLI else 1000)


def _zone(written: str, zone: ZoneInfo) -> tzinfo:
    if not written:
        return zone
    if written in ("Z", "z", "UTC", "GMT"):
        return UTC
    minutes = int(written[-2:]) if len(written) > 3 else 0
    if minutes > 59:
        raise ValueError("minutes of an offset")
    offset = timedelta(hours=int(written[1:3]), minutes=minutes)
    return timezone(-offset if written[0] == "-" else offset)
