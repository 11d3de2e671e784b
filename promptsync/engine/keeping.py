"""What can be kept for a limited time, by what the configuration calls it, and in words.

Owns the check of the keys of ``[retention]`` against the tables that there are, a plugin's too, and whether a clock is
believed by which something would be too old. Sweeps nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from promptsync.clock import MICROS
from promptsync.config import Config, Period, RetentionConfig
from promptsync.config.values import suggest
from promptsync.errors import ConfigError
from promptsync.model import Table

_WORDS: Final = {
    "rejects": "rejected rows and deliveries",
    "events": "deliveries",
    "done_files": "copies of loaded files in drop/done",
}
"""In the order in which they are swept: rejects keep their deliveries and files."""
_TRUSTED: Final = 8 * 86_400 * MICROS
_SURE: Final = 12 * 3_600 * MICROS


def check_retention(config: Config, schema: Iterable[Table]) -> None:
    """Raises ConfigError for a key of ``[retention]`` that nothing is kept by."""
    known = dict.fromkeys(RetentionConfig.model_fields) | dict.fromkeys(kept_tables(schema))
    for key in config.retention.periods:
        if key not in known:
            near = suggest(key, known) or "."
            raise ConfigError(
                f"retention.{key} is nothing that can be kept for a limited time{near} There are: {', '.join(known)}."
            )


def kept_tables(schema: Iterable[Table]) -> dict[str, Table]:
    """The tables whose rows, or texts in them, can be kept for a limited time, by what the configuration calls that."""
    return {table.keeping.key: table for table in schema if table.keeping}


def chosen(given: Mapping[str, Period], tables: Mapping[str, Table]) -> dict[str, tuple[str, Period]]:
    """Every key that is given, in the order in which they are swept, with what it is in words and its period."""
    words = _WORDS | {key: _words_of(table) for key, table in tables.items()}
    return {key: (words[key], given[key]) for key in words if key in given}


def _words_of(table: Table) -> str:
    if table.keeping and table.keeping.texts:
        return f"texts of {table.name} (the rows stay)"
    return f"rows of {table.name}"


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """What the machine's clock showed when it was last believed, and when (by itself) it was first found further ahead
    than that; microseconds."""

    at: int
    ahead_since: int | None = None


def judge_clock(seen: ClockSeen, now: int) -> tuple[ClockSeen, bool]:
    """What is to be remembered of a clock that shows ``now``, and whether it is believed. One that has gone more than
    eight days since it was last looked at was off, or is wrong: it is believed once it has gone on from there for
    twelve hours, in which a wrong one is put right, as by it everything may be too old."""
    if now <= seen.at + _TRUSTED:
        return ClockSeen(now), True
    since = seen.ahead_since
    if since is None or not since <= now <= since + _TRUSTED:
        return ClockSeen(seen.at, now), False
    return (ClockSeen(now), True) if now >= since + _SURE else (seen, False)
