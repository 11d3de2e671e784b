"""What Customer.io turned out to write.

Owns the sentences. Where the vendor's pages leave open what files are called (facts beside the specifications),
promptsync is tolerant; here it says what has been observed.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from promptsync.plugins.declared import Finding, ReadOnly, note
from promptsync.store.spelling_counts import change_set_names

_NAME: Final = re.compile(
    r"(?P<stem>.+)_v(?P<version>[0-9]+)(?P<changes>_chngs)?_[0-9]+_[0-9]+(?P<part>_[0-9]+)?\.[a-z]+"
)


def check_files(mirror: ReadOnly) -> list[Finding]:
    """What the files that have been loaded are called."""
    with mirror.reading() as connection:
        return [said_of_names(change_set_names(connection))]


def said_of_names(names: Iterable[str]) -> Finding:
    """Versions, stems, and how sequences are written, of the names of change sets.

    >>> said_of_names(["people_v5_7_000000000000000001.parquet", "metrics_v4_7_000000000000000001_1.parquet"]).says
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
