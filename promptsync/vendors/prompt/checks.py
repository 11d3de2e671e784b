"""What Prompt turned out to send.

Owns the sentences. Where the vendor's pages leave something open (facts beside the specifications), promptsync is
tolerant; here it says what has been observed.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from promptsync.errors import names_in_words
from promptsync.plugins.declared import Finding, ReadOnly, note, ok, problem
from promptsync.store import deliveries, spelling_counts
from promptsync.vendors.prompt.event_types import EVENT_TYPES

_FEWEST_DIGITS: Final = 7
_MOST_NAMES: Final = 8
_NEWEST: Final = 100_000
_FORMS: Final = {
    spelling_counts.SIGNATURE: "Forms of X-Hub-Signature",
    spelling_counts.TIME: "Forms of times in nightly files",
    spelling_counts.BOOLEAN: "Words for true and false in nightly files",
}
_STAMP: Final = re.compile(r"_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d([^.]*)\.csv")


def check_observed(mirror: ReadOnly) -> list[Finding]:
    """What has been observed of what the vendor leaves open."""
    with mirror.reading() as connection:
        return [
            check_ids(*count_numbers(spelling_counts.phone_numbers(connection))),
            *_received(connection),
            *_forms(connection),
            *_stamps(connection),
            *_duplicates(connection),
        ]


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


def _received(connection: sqlite3.Connection) -> Iterator[Finding]:
    counts = deliveries.count_by_type(connection)
    if not counts:
        yield note("vendors", "No webhook delivery has been received yet.")
        return
    known = sorted(counts.keys() & EVENT_TYPES.keys())
    yield note("vendors", f"Deliveries of {len(known)} of the {len(EVENT_TYPES)} event types have been received.")


def _forms(connection: sqlite3.Connection) -> Iterator[Finding]:
    """How things are spelt that no specification says."""
    seen = spelling_counts.read(connection)
    for kind, words in _FORMS.items():
        said = [f"{form} ({count:,})" for form, count in seen.get(kind, {}).items()]
        yield note("vendors", f"{words}: {names_in_words(said, _MOST_NAMES) if said else 'none seen yet'}.")


def _stamps(connection: sqlite3.Connection) -> Iterator[Finding]:
    """How the stamps in names of nightly files end."""
    names = spelling_counts.nightly_names(connection, _NEWEST)
    ends = Counter(re.sub("[0-9]", "9", match[1]) or "nothing" for name in names if (match := _STAMP.search(name)))
    if ends:
        said = [f"{end} ({count:,})" for end, count in ends.most_common()]
        yield note("vendors", f"After the time, stamps of files have: {names_in_words(said, _MOST_NAMES)}.")


def _duplicates(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Whether the same body has come more than once: sent again, or meant so."""
    looked, different = deliveries.count_different(connection, _NEWEST)
    if looked:
        again = looked - different
        yield note("vendors", f"Of the newest {looked:,} deliveries {again:,} had the text of another one.")
