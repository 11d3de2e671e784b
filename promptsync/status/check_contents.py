"""Checks of what the mirror holds: that it is whole, that the clock runs forward, what the vendors turned out to do.

Owns the sentences of what holds of every vendor; those of one alone are in its own ``checks``. Is handed a reading
connection.
"""

import sqlite3
from collections.abc import Iterator

from promptsync.clock import MICROS, iso_millis
from promptsync.errors import names_in_words
from promptsync.plugins.declared import Finding, note, ok, problem
from promptsync.store.overview import drift, files_ahead
from promptsync.store.reading import first_damage
from promptsync.store.rejects import count_by_class

_AHEAD = 5 * MICROS
_MOST_NAMES = 8
_SPELLINGS = {"bad_boolean": "yes/no", "bad_time": "time", "bad_number": "number"}


def check_integrity(connection: sqlite3.Connection, *, deep: bool, seconds: float = 10.0) -> Finding:
    """SQLite's own check of the file: the quick one for at most ``seconds``, or all of it with ``deep``."""
    damage = first_damage(connection, deep=deep, seconds=seconds)
    if damage is None:
        return note("integrity", f"Nothing wrong in {seconds:.0f} seconds of looking; --deep looks at everything.")
    if damage != "ok":
        return problem(
            "integrity", f"The database is damaged ({damage}); stop the daemon, check the disk, restore a backup."
        )
    return ok("integrity", "The database is whole." if deep else "The database is whole (quick check).")


def check_clock(newest: int | None, now: int, what: str = "") -> Finding:
    """The machine's time ``now`` against the newest thing that happened; both in microseconds.

    ``what``: how much is dated later than clocks differ, in words.
    """
    if newest is not None and newest > now + _AHEAD:
        which = f": {what}" if what else ""
        return problem(
            "clock",
            f"It is {iso_millis(now)} by this machine, but something is dated later (up to {iso_millis(newest)})"
            f"{which}. If the clock is wrong now, put it right (NTP); if it was ahead then: promptsync doctor --repair",
        )
    return ok("clock", f"It is {iso_millis(now)}, later than anything that arrived.")


def check_zone(connection: sqlite3.Connection, zone: str) -> Iterator[Finding]:
    """Whether rows claim to have changed hours after their own export was made, which a wrong zone explains.

    ``zone``: the one in force for times without any.
    """
    for name, ahead in files_ahead(connection):
        yield problem(
            "time zone",
            f"{ahead:,} rows of {name} are dated hours after the export itself: times without a zone are later than "
            f"the export. Set mirror.timezone, now {zone}, to the vendor's zone.",
        )


def check_vendors(connection: sqlite3.Connection) -> Iterator[Finding]:
    """What any vendor has brought that is new to us or cannot be read. What only one of them leaves open, its own
    checks say."""
    yield from _drift(connection)
    yield from _spellings(connection)


def _drift(connection: sqlite3.Connection) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for one in sorted(drift(connection), key=lambda one: (one.kind, one.table, one.name)):
        names.setdefault(one.kind, []).append(f"{one.table}.{one.name}" if one.table else one.name)
    for kind, found in names.items():
        yield note("vendors", f"New to us, {kind}: {names_in_words(found, _MOST_NAMES)}; everything of it is kept.")


def _spellings(connection: sqlite3.Connection) -> Iterator[Finding]:
    counts = count_by_class(connection)
    for kind, words in _SPELLINGS.items():
        if count := counts.get(kind):
            yield problem(
                "vendors",
                f"{count:,} rows have a {words} spelt in a way we cannot read: look at them with 'promptsync rejects "
                f"list --class {kind}'.",
            )
