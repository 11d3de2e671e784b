"""How a lake stands: what has been taken in, what waits, what each table has.

Owns what is asked. Changes nothing.
"""

from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.lake.lake import Lake, new_of
from promptsync.model import Role

_FOR_A_PERSON: Final = ("held", "ignored")


def status_of(lake: Lake) -> dict[str, Any]:
    """Tables with rows and the newest night of each organization, inputs that wait, what needs a person."""
    known, snapshots = lake.ledger.inputs(), lake.ledger.snapshots()
    tables = []
    for table in lake.schema:
        present = lake.tables.present(table) if table.role is not Role.OWN else None
        if present is not None:
            of = [one for one in snapshots if one.table == table.name]
            nights = {str(org): iso_millis(max(s.instant for s in of if s.org == org)) for org in {s.org for s in of}}
            tables.append({"table": table.name, "rows": present.rows, "newest": dict(sorted(nights.items()))})
    held = [row for row in known.values() if row["state"] in _FOR_A_PERSON]
    shown = ("name", "state", "table", "reason", "error", "seen_at")
    return {
        "location": lake.storage.name,
        "tables": tables,
        "waiting": [one.name for one in new_of(lake.inputs(), known)],
        "held": [{name: row[name] for name in shown} for row in sorted(held, key=lambda row: str(row["name"]))],
        "rejects": len(lake.ledger.rows("sync_reject")),
        "runs": sorted((row["started_at"] for row in lake.ledger.rows("sync_run")), reverse=True)[:1],
    }
