"""Which nights a place owes, and which files a pattern of addresses may name.

Owns the calendar of expectations, pure. Must not look at a place or at the mirror: what is known is handed in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import local_date
from promptsync.errors import ConfigError
from promptsync.model import FilledBy, Schema
from promptsync.places.place import Expected, is_pattern, public_name
from promptsync.store.place_state import Series

_NIGHTS_OWED: Final = 60
_NIGHTS_ASKED: Final = 14
"""How many nights back a pattern is tried: such a place cannot be asked what it has."""


def task_of(source: str) -> str:
    """What the runs of a place are called in sync_run."""
    return f"fetch {source}"


def missing_nights(
    instants_by_series: Mapping[Series, Iterable[int]], zone: ZoneInfo, through: date
) -> dict[date, tuple[str, ...]]:
    """Nights without a file, of the last sixty up to ``through``, each with the series that lack it.

    ``instants_by_series``: of the files that there are, microseconds; see store/place_state.py. A night begins its date
    in ``zone``.
    """
    have = {series: {local_date(at, zone) for at in instants} for series, instants in instants_by_series.items()}
    missing: dict[date, tuple[str, ...]] = {}
    for ago in reversed(range(_NIGHTS_OWED)):
        night = through - timedelta(days=ago)
        lacking = [series for series, nights in sorted(have.items()) if min(nights) < night and night not in nights]
        if lacking:
            missing[night] = ("everything",) if len(lacking) == len(have) else tuple(map(_named, lacking))
    return missing


def _named(series: Series) -> str:
    return f"{series[0]} of {series[1]}" if series[1] else series[0]


def expected_files(
    location: str, schema: Schema, orgs: Sequence[int], zone: ZoneInfo, now: int
) -> tuple[Expected, ...]:
    """What a pattern is filled with: every table, every organization known so far, the last fourteen nights.

    ``now``: microseconds. Raises ConfigError for a pattern with an organization while none is known.
    """
    if not is_pattern(location):
        return ()
    if not orgs and "{org}" in location:
        raise ConfigError(
            f"No organization is known yet to put into {public_name(location)}: load a file of the org table first."
        )
    today = local_date(now, zone)
    nights = [today - timedelta(days=ago) for ago in range(_NIGHTS_ASKED)]
    return tuple(one for night in nights for one in _of_night(night, location, schema, orgs, zone))


def _of_night(night: date, location: str, schema: Schema, orgs: Sequence[int], zone: ZoneInfo) -> Iterator[Expected]:
    stamp = datetime(night.year, night.month, night.day, tzinfo=zone).strftime("%Y-%m-%dT%H-%M-%S%z") + "Z"
    for table in schema.filled_by(FilledBy.SNAPSHOT):
        if table.org_scoped and "{org}" in location:
            for org in orgs:
                name = f"{table.name}_{org}_{stamp}.csv.gz"
                yield Expected(table.name, str(org), night.isoformat(), name)
        elif table.org_scoped and len(orgs) == 1:
            yield Expected(table.name, "", night.isoformat(), f"{table.name}_{orgs[0]}_{stamp}.csv.gz")
        elif not table.org_scoped and "{org}" not in location:
            yield Expected(table.name, "", night.isoformat(), f"{table.name}_{stamp}.csv.gz")
