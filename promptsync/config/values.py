"""Scalar values of the configuration: sizes, durations, periods, time zones, host names.

Owns how they are spelled in TOML and the sentence that says what is wrong with one. Pure: opens no file, asks no clock.
Every ``parse_*`` raises ValueError whose text is a complete sentence part ("must be ..."), ready to follow a key.
"""

import difflib
import ipaddress
import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator

_AMOUNT = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?", re.ASCII)

_SIZE_UNITS = {"": 1, "B": 1, "byte": 1, "bytes": 1} | {
    f"{letter}{ending}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for ending, base in (("B", 1000), ("iB", 1024))
}
_SECONDS = (
    (0.001, "ms millisecond milliseconds"),
    (1, "s sec second seconds"),
    (60, "min minute minutes"),
    (3600, "h hour hours"),
    (86_400, "d day days"),
    (604_800, "week weeks"),
)
_DURATION_UNITS: dict[str, float] = {name: seconds for seconds, names in _SECONDS for name in names.split()}
_LONGEST = timedelta(days=36_525)
_LARGEST = 2**62
_MISTYPED = 0.88
"""How near two names of zones must be: San_Francisco is no Rosario."""
_MICROS = 1_000_000
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_MONTHS = {"month": 1, "year": 12}
_A_PERIOD = '"forever" or whole days, weeks, months or years, such as "30 days" or "24 months"'


@dataclass(frozen=True, slots=True)
class Period:
    """How long something is kept: in calendar months or days; neither: for ever. ``text``: as people write it."""

    text: str
    months: int = 0
    days: int = 0

    @property
    def ends(self) -> bool:
        """Whether anything is ever too old."""
        return bool(self.months or self.days)

    def first_day(self, today: date) -> date:
        """The first day that is kept. A month earlier is the same day of that month, or its last if it is shorter."""
        years, month = divmod(today.year * 12 + today.month - 1 - self.months, 12)
        if years < 1:
            return date.min
        earlier = date(years, month + 1, min(today.day, monthrange(years, month + 1)[1]))
        return earlier - timedelta(days=min(self.days, (earlier - date.min).days))

    def since(self, now: int, zone: tzinfo) -> int | None:
        """Before which all is too old: the midnight in ``zone`` with which the first day that is kept begins. None:
        nothing ever is. Both in microseconds since 1970, UTC."""
        if not self.ends:
            return None
        today = datetime.fromtimestamp(now // _MICROS, UTC).astimezone(zone).date()
        day = max(self.first_day(today), date(1970, 1, 2))
        return int(datetime.combine(day, time(), zone).timestamp()) * _MICROS

    def __str__(self) -> str:
        return self.text


def suggest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``", did you mean 'x'?"`` for the known word nearest to ``word``; empty when none is near. ``cutoff``: how near,
    from 0 to 1."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return f", did you mean '{by_lower[near[0]]}'?" if near else ""


def parse_size(value: object) -> int:
    """Bytes of ``"64 GiB"``, ``"500 kB"`` or a bare number of bytes; at least 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        size: float = value
    else:
        size = _amount(value, _SIZE_UNITS, 'a size such as "1 MiB" or "64 GiB"')
    if not 1 <= size <= _LARGEST:
        raise ValueError("must be a size of at least 1 byte and under 4 EiB")
    return int(size)


def parse_duration(value: object) -> timedelta:
    """The length of ``"15 minutes"``, ``"36 hours"`` or ``"0.5 seconds"``; above zero, at most a hundred years."""
    if isinstance(value, timedelta):
        return value
    seconds = _amount(value, _DURATION_UNITS, 'a duration such as "15 minutes", "36 hours" or "30 days"')
    if not 0.001 <= seconds <= _LONGEST.total_seconds():
        raise ValueError("must be a duration above zero and of at most a hundred years")
    return timedelta(seconds=seconds)


def parse_silence(value: object) -> timedelta | Literal["auto", "never"]:
    """A duration, or ``"auto"`` or ``"never"``."""
    if value == "auto" or value == "never":
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "auto" or "never"') from None


def parse_period(value: object) -> Period:
    """The period spelled ``"30 days"``, ``"4 weeks"``, ``"24 months"``, ``"7 years"`` or ``"forever"``."""
    if isinstance(value, Period):
        return value
    if isinstance(value, str) and value.strip().lower() == "forever":
        return Period("forever")
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not match[1].isdigit():
        raise ValueError(f"must be {_A_PERIOD}")
    count, unit = int(match[1]), match[2].lower().removesuffix("s")
    if unit not in _DAYS:
        raise ValueError(f"has an unknown unit '{match[2]}'{suggest(match[2], _DAYS)}; write {_A_PERIOD}")
    if not 1 <= count * _DAYS[unit] <= _LONGEST.days:
        raise ValueError('must be a period of at least a day and at most a hundred years, or "forever"')
    text = f"{count} {unit}{'' if count == 1 else 's'}"
    if unit in _MONTHS:
        return Period(text, months=count * _MONTHS[unit])
    return Period(text, days=count * _DAYS[unit])


def parse_zone(value: object) -> ZoneInfo:
    """The zone named ``"America/Los_Angeles"`` in the tz database of this machine."""
    if isinstance(value, ZoneInfo):
        return value
    if not isinstance(value, str):
        raise ValueError('must be the name of a time zone such as "America/Los_Angeles"')
    try:
        return ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        near = suggest(value, available_timezones(), _MISTYPED) or (
            ", write one such as 'America/Los_Angeles' ('timedatectl list-timezones' lists them)"
        )
        raise ValueError(f"is not a time zone of this machine{near}") from None


def parse_host(value: object) -> str:
    """A host name or an IP address to listen on; an IPv6 address stands without brackets."""
    if not isinstance(value, str) or not value:
        raise ValueError('must be a host name or an address such as "127.0.0.1"')
    if is_address(value) or _HOST.fullmatch(value):
        return value
    raise ValueError('must be a host name or an address alone, such as "127.0.0.1" (no scheme, no port)')


def is_address(host: str) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``: a loopback address or ``localhost``; any other name is not."""
    if host.rstrip(".").lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def _amount(value: object, units: Mapping[str, float], wanted: str) -> float:
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be {wanted}")
    by_lower = {name.lower(): factor for name, factor in units.items()}
    factor = by_lower.get(match[2].lower())
    if factor is None:
        raise ValueError(f"has an unknown unit '{match[2]}'{suggest(match[2], units)}; write {wanted}")
    return float(match[1]) * factor


Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes."""
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Silence = Annotated[timedelta | Literal["auto", "never"], BeforeValidator(parse_silence)]
PeriodField = Annotated[Period, BeforeValidator(parse_period)]
Zone = Annotated[ZoneInfo, BeforeValidator(parse_zone)]
Host = Annotated[str, BeforeValidator(parse_host)]
