"""Checks of what the mirror holds: that it is whole, that the clock runs forward, what the vendors turned out to do.

Owns the questions that are put to a reading connection. Where the vendors' pages leave something open (facts beside
the specifications), promptsync is tolerant; here it says what has been observed.

Checks of Customer.io's change sets: what the vendor turned out to write.

Owns the questions that are put to a reading connection, and their sentences. Where the vendor's pages leave open what
files are called (facts beside the specifications), promptsync is tolerant; here it says what has been observed.
"""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.plugins.finding import Finding, note, ok, problem
from promptsync.vendors.prompt.event_types import EVENT_TYPES

_NAME = re.compile(r"(?P<stem>.+)_v(?P<version>[0-9]+)(?P<changes>_chngs)?_[0-9]+_[0-9]+(?P<part>_[0-9]+)?\.[a-z]+")


def check_change_sets(connection: sqlite3.Connection) -> Iterator[Finding]:
    """What the names of the files loaded so far say."""
    sql = "SELECT name FROM sync_file WHERE sequence IS NOT NULL AND state IN ('merged', 'unchanged')"
    names = connection.execute(sql)
    yield describe(row[0] for row in names)


def describe(names: Iterable[str]) -> Finding:
    """Versions, stems, and how sequences are written, of the names of change sets.

    >>> describe(["people_v5_7_000000000000000001.parquet", "metrics_v4_7_000000000000000001_1.parquet"]).says
    "2 of Customer.io's files have been loaded: v4, v5; metrics, people; 1 with one sequence number, 1 with two."
    """
    versions, stems, doubled, count = set[int](), Counter[str](), 0, 0
    for match in filter(None, map(_NAME.fullmatch, names)):
        count += 1
        versions.add(int(match["version"]))
        stems[match["stem"] + (" (chngs after the version)" if match["changes"] else "")] += 1
        doubled += match["part"] is not None
    if not count:
        return note("vendors", "No file of Customer.io has been loaded yet.")
    seen = ", ".join(f"v{version}" for version in sorted(versions))
    return note(
        "vendors",
        f"{count:,} of Customer.io's files have been loaded: {seen}; {', '.join(sorted(stems))}; "
        f"{count - doubled:,} with one sequence number, {doubled:,} with two.",
    )


_MOST_ERRORS = 10
_STEPS = 10_000
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
_NUMBERS = (
    "SELECT c.id, c.phone, k.key FROM contact c JOIN contact_channel k ON k.contact_id = c.id "
    "WHERE k.identity_type = 'SMS' AND k.removed_at IS NULL AND c.phone IS NOT NULL ORDER BY c.id"
)


def check_integrity(connection: sqlite3.Connection, *, deep: bool, seconds: float = 10.0) -> Finding:
    """SQLite's own check of the file: the quick one for at most ``seconds``, or all of it with ``deep``."""
    until = time.monotonic() + seconds
    if not deep:
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        sql = f"PRAGMA {'integrity_check' if deep else 'quick_check'}({_MOST_ERRORS})"
        said = [row[0] for row in connection.execute(sql)]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            return _broken(str(error))
        return note("integrity", f"Nothing wrong in {seconds:.0f} seconds of looking; --deep looks at everything.")
    except sqlite3.DatabaseError as error:
        return _broken(str(error))
    finally:
        connection.set_progress_handler(None, 0)
    if said != ["ok"]:
        return _broken(said[0])
    return ok("integrity", "The database is whole." if deep else "The database is whole (quick check).")


def _broken(why: str) -> Finding:
    return problem("integrity", f"The database is damaged ({why}); stop the daemon, check the disk, restore a backup.")


def newest_mark(connection: sqlite3.Connection) -> int | None:
    """The newest time at which something was received, loaded or run, in microseconds."""
    marks = [
        connection.execute(f"SELECT max({column}) FROM {table}").fetchone()[0]
        for table, column in (("sync_event", "received_at"), ("sync_file", "seen_at"), ("sync_run", "started_at"))
    ]
    return max((parse_iso(mark) for mark in marks if mark), default=None)


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
    sql = (
        "SELECT name, ahead FROM sync_file f WHERE state = 'merged' AND ahead > 0 AND NOT EXISTS (SELECT 1 FROM "
        'sync_file g WHERE g.state = \'merged\' AND g."table" = f."table" AND g.org_id IS f.org_id '
        "AND g.as_of > f.as_of) ORDER BY id"
    )
    for name, ahead in connection.execute(sql):
        yield problem(
            "time zone",
            f"{ahead:,} rows of {name} are dated hours after the export itself: times without a zone are later than "
            f"the export. Set mirror.timezone, now {zone}, to the vendor's zone.",
        )


def check_vendors(connection: sqlite3.Connection, seen: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    """What has been observed of what the vendors leave open. ``seen``: kind to form to how often."""
    yield check_ids(*count_numbers(connection.execute(_NUMBERS)))
    yield from _drift(connection)
    yield from _spellings(connection)
    yield from _received(connection)
    yield from _forms(seen)
    yield from _stamps(connection)
    yield from _duplicates(connection)


def count_numbers(rows: Iterable[tuple[int, str, str]]) -> tuple[int, int]:
    """Of rows (contact, exported number, number told by webhook): how many contacts can be compared, how many differ.

    A contact with several numbers is the same if any is.
    """
    same: dict[int, bool] = {}
    for contact, exported, told in rows:
        same[contact] = same.get(contact, False) or _same_number(exported, told)
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
    for kind, table, name in connection.execute('SELECT kind, "table", name FROM sync_drift ORDER BY 1, 2, 3'):
        names.setdefault(kind, []).append(f"{table}.{name}" if table else name)
    for kind, found in names.items():
        yield note("vendors", f"New to us, {kind}: {_some(found)}; everything of it is kept.")


def _spellings(connection: sqlite3.Connection) -> Iterator[Finding]:
    for kind, words in _SPELLINGS.items():
        count = connection.execute('SELECT count(*) FROM sync_reject WHERE "class" = ?', (kind,)).fetchone()[0]
        if count:
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
    names = connection.execute(
        "SELECT name FROM sync_file WHERE name LIKE '%.csv%' AND \"table\" IS NOT NULL ORDER BY id DESC LIMIT ?",
        (_NEWEST,),
    )
    ends = Counter(re.sub("[0-9]", "9", match[1]) or "nothing" for (name,) in names if (match := _STAMP.search(name)))
    if ends:
        said = [f"{end} ({count:,})" for end, count in ends.most_common()]
        yield note("vendors", f"After the time, stamps of files have: {_some(said)}.")


def _duplicates(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Whether the same body has come more than once: sent again, or meant so."""
    sql = (
        "SELECT count(*), count(DISTINCT type || digest) FROM "
        "(SELECT type, digest FROM sync_event ORDER BY id DESC LIMIT ?)"
    )
    looked, different = connection.execute(sql, (_NEWEST,)).fetchone()
    if looked:
        again = looked - different
        yield note("vendors", f"Of the newest {looked:,} deliveries {again:,} had the text of another one.")


def _received(connection: sqlite3.Connection) -> Iterator[Finding]:
    counts = dict(connection.execute("SELECT type, count(*) FROM sync_event GROUP BY 1").fetchall())
    if not counts:
        yield note("vendors", "No webhook delivery has been received yet.")
        return
    known = sorted(counts.keys() & EVENT_TYPES.keys())
    yield note("vendors", f"Deliveries of {len(known)} of the {len(EVENT_TYPES)} event types have been received.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
