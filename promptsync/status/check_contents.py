"""Checks of what the mirror holds: that it is whole, that the clock runs forward, what the vendors turned out to do.

Owns the sentences. Where the vendors' pages leave something open (facts beside the specifications), promptsync is
tolerant; here it says what has been observed. Is handed a reading connection.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from promptsync.clock import MICROS, iso_millis
from promptsync.plugins.declared import Finding, note, ok, problem
from promptsync.store import deliveries, spelling_counts
from promptsync.store.overview import drift, files_ahead
from promptsync.store.reading import first_damage
from promptsync.store.rejects import count_by_class
from promptsync.vendors.prompt.event_types import EVENT_TYPES

_AHEAD = 5 * MICROS
_FEWEST_DIGITS = 7
_MOST_NAMES = 8
_SPELLINGS = {"bad_boolean": "yes/no", "bad_time": "time", "bad_number": "number"}
_NEWEST = 100_000
_FORMS = {
    "signature": "Forms of X-Hub-Signature",
    "time": "Forms of times in nightly files",
    "boolean": "Words for true and false in nightly files",
    "export status": "Statuses of exports",
}
_STAMP = re.compile(r"_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d([^.]*)\.csv")


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


def check_vendors(connection: sqlite3.Connection, seen: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    """What has been observed of what the vendors leave open. ``seen``: kind to form to how often."""
    yield check_ids(*count_numbers(spelling_counts.phone_numbers(connection)))
    yield from _drift(connection)
    yield from _spellings(connection)
    yield from _received(connection)
    yield from _forms(seen)
    yield from _stamps(connection)
    yield from _duplicates(connection)


def count_numbers(rows: Iterable[tuple[int, str, str]]) -> tuple[int, int]:
    """Of rows (contact, exported number, number in a webhook): how many contacts can be compared, how many differ.

    A contact with several numbers is the same if any is.
    """
    same: dict[int, bool] = {}
    for contact, exported, stated in rows:
        same[contact] = same.get(contact, False) or _same_number(exported, stated)
    return len(same), sum(not agrees for agrees in same.values())


def _same_number(a: str, b: str) -> bool:
    """Equal digits, or one lacks the country's."""
    short, long = sorted((re.sub("[^0-9]", "", a), re.sub("[^0-9]", "", b)), key=len)
    return short == long or (len(short) >= _FEWEST_DIGITS and long.endswith(short))


def check_ids(compared: int, differ: int) -> Finding:
    """That a customer of the webhooks and the contact of the exports with the same id are the same person."""
    if differ:
        return problem(
            "ids",
            f"{differ:,} of {compared:,} contacts have another number in the exports than in webhooks about the same "
            "id: a few are changed numbers, many mean that the ids are not the same; ask the vendor before trusting "
            "names beside messages.",
        )
    if not compared:
        return note("ids", "Whether ids mean the same in exports and webhooks is not known yet: no contact in both.")
    return ok("ids", f"{compared:,} contacts have the same number in exports and webhooks: the ids mean the same.")


def _drift(connection: sqlite3.Connection) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for one in sorted(drift(connection), key=lambda one: (one.kind, one.table, one.name)):
        names.setdefault(one.kind, []).append(f"{one.table}.{one.name}" if one.table else one.name)
    for kind, found in names.items():
        yield note("vendors", f"New to us, {kind}: {_some(found)}; everything of it is kept.")


def _spellings(connection: sqlite3.Connection) -> Iterator[Finding]:
    counts = count_by_class(connection)
    for kind, words in _SPELLINGS.items():
        if count := counts.get(kind):
            yield problem(
                "vendors",
                f"{count:,} rows have a {words} spelt in a way we cannot read: look at them with 'promptsync rejects "
                f"list --class {kind}'.",
            )


def _forms(seen: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    """How things are spelt that no specification says."""
    for kind, words in _FORMS.items():
        forms = seen.get(kind, {})
        if forms:
            said = [f"{form} ({count:,})" if kind != "export status" else form for form, count in forms.items()]
            yield note("vendors", f"{words}: {_some(said)}.")
        else:
            yield note("vendors", f"{words}: none seen yet.")


def _stamps(connection: sqlite3.Connection) -> Iterator[Finding]:
    """How the stamps in names of nightly files end."""
    names = spelling_counts.nightly_names(connection, _NEWEST)
    ends = Counter(re.sub("[0-9]", "9", match[1]) or "nothing" for name in names if (match := _STAMP.search(name)))
    if ends:
        said = [f"{end} ({count:,})" for end, count in ends.most_common()]
        yield note("vendors", f"After the time, stamps of files have: {_some(said)}.")


def _duplicates(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Whether the same body has come more than once: sent again, or meant so."""
    looked, different = deliveries.count_different(connection, _NEWEST)
    if looked:
        again = looked - different
        yield note("vendors", f"Of the newest {looked:,} deliveries {again:,} had the text of another one.")


def _received(connection: sqlite3.Connection) -> Iterator[Finding]:
    counts = deliveries.count_by_type(connection)
    if not counts:
        yield note("vendors", "No webhook delivery has been received yet.")
        return
    known = sorted(counts.keys() & EVENT_TYPES.keys())
    yield note("vendors", f"Deliveries of {len(known)} of the {len(EVENT_TYPES)} event types have been received.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
