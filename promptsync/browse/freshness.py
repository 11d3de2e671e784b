"""Whether this copy can be relied on: by what it holds, and by what the service that keeps it last found.

Owns that decision, for the line on every page, the page about it, and monitors alike. Reads a handful of rows by index.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from promptsync.browse.dates import iso
from promptsync.browse.queries.freshness import SILENT, exported_until, found_by_service, live_until, taken_over
from promptsync.browse.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class Freshness:
    """``answer``: yes, mostly or no; ``why``: empty, stale, silent, problems or good.

    ``exported``, ``live``: up to when exports and deliveries are here, None if there are no such. ``found``: what the
    service put down when it last looked (``at``, ``problems``, ``places``), None if it never has; ``silent``: that is
    too long ago.
    """

    answer: str
    why: str
    exported: str | None
    live: str | None
    found: Mapping[str, Any] | None
    silent: bool

    @property
    def good(self) -> bool:
        """Whether there is nothing to say but until when. A copy that no service keeps is good while it is not old."""
        return self.why == "good" or (self.why == "silent" and self.found is None)


def look(reader: Reader, orgs: Iterable[int], now: datetime, stale_after: timedelta) -> Freshness:
    """How current the copy of these organisations is."""
    exported, live, found = exported_until(reader, orgs), live_until(reader), found_by_service(reader)
    silent = found is None or found["at"] < iso(now - SILENT)
    if exported is None and live is None and taken_over(reader) is None:
        answer, why = "no", "empty"
    elif exported is not None and exported < iso(now - stale_after):
        answer, why = "no", "stale"
    elif silent:
        answer, why = "mostly", "silent"
    else:
        answer, why = ("mostly", "problems") if found and found["problems"] else ("yes", "good")
    return Freshness(answer, why, exported, live, found, silent)
