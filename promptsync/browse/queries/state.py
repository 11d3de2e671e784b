"""How current the copy is, for the line that every page ends with. A handful of look-ups by index."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from promptsync.browse.queries.reader import Reader

NIGHTLY: Final = ("contact", "contact_data", "contact_tag", "opt_out", "opt_in", "message", "broadcast")
"""The exported tables that staff work with."""

SILENT: Final = timedelta(minutes=15)
"""How old the service's last look may be: three times as long as it takes from one to the next."""

_NEWEST: Final = 'SELECT as_of FROM sync_snapshot WHERE "table" = :name AND org_id = :org ORDER BY at DESC LIMIT 1'
_LIVE: Final = "SELECT received_at FROM sync_event ORDER BY received_at DESC LIMIT 1"
_FILE: Final = "SELECT seen_at FROM sync_file WHERE +state IN ('merged', 'unchanged') ORDER BY id DESC LIMIT 1"


def exported_until(reader: Reader, orgs: Iterable[int]) -> str | None:
    """The oldest of the newest snapshots: everything up to then is here. None without nightly exports."""
    found = (reader.value(_NEWEST, name=name, org=org) for org in orgs for name in NIGHTLY)
    return min((as_of for as_of in found if as_of), default=None)


def live_until(reader: Reader) -> str | None:
    """When the newest delivery was received."""
    found: str | None = reader.value(_LIVE)
    return found


def found_by_service(reader: Reader) -> dict[str, Any] | None:
    """What the running service put down when it last looked: ``at``, ``problems``, ``places``. None: never, or not
    readable."""
    text = reader.value("SELECT value FROM sync_state WHERE name = 'status'")
    try:
        found = json.loads(text or "")
        return {
            "at": str(found["at"]),
            "problems": [str(problem) for problem in found["problems"]],
            "places": [
                {name: str(place[name] or "") for name in ("name", "last_success")} for place in found["places"]
            ],
        }
    except (ValueError, TypeError, KeyError):
        return None


def taken_over(reader: Reader) -> str | None:
    """When a file was last taken over, whoever's it is."""
    found: str | None = reader.value(_FILE)
    return found
