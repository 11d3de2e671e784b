"""What is said of Customer.io's tables: what needs a person, and what the vendor turned out to write.

Owns the sentences. Where the vendor's pages leave open what files are called (facts beside the specifications),
promptsync is tolerant; here it says what has been observed. Reads nothing itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from promptsync.clock import MICROS, parse_iso
from promptsync.plugins.finding import Finding, note
from promptsync.store.change_set_state import ChangeSetState

_WRONG_CLOCK: Final = 86_400 * MICROS
"""A row that much later than now is no matter of two clocks that differ."""
_UNCHANGING: Final = frozenset({"cio_events", "cio_inbound"})
"""What happened once does not change: a row's time decides between copies of it, which say the same."""
_NAME: Final = re.compile(
    r"(?P<stem>.+)_v(?P<version>[0-9]+)(?P<changes>_chngs)?_[0-9]+_[0-9]+(?P<part>_[0-9]+)?\.[a-z]+"
)


def change_set_problems(states: Iterable[ChangeSetState], now: int) -> Iterator[str]:
    """Sentences, each for a person to act on. ``now``: microseconds."""
    for state in states:
        if state.latest and state.table not in _UNCHANGING and parse_iso(state.latest) > now + _WRONG_CLOCK:
            yield (
                f"{state.later:,} rows of {state.table} in workspace {state.workspace_id} are dated later than now, up "
                f"to {state.latest}, and win over every change before that: once the vendor has put them right, "
                f"'promptsync reset {state.table}' and load its files again."
            )


def check_change_sets(names: Iterable[str]) -> Finding:
    """Versions, stems, and how sequences are written, of the names of change sets.

    >>> check_change_sets(["people_v5_7_000000000000000001.parquet", "metrics_v4_7_000000000000000001_1.parquet"]).says
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
