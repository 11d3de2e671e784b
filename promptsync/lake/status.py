"""How a lake stands: what has been taken in, what waits, what each table has.

Owns what is asked. Changes nothing.
"""

from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.lake.delta import translated
from promptsync.lake.erase import PLAN
from promptsync.lake.lake import Lake, new_of
from promptsync.lake.shape import ORG, is_owned
from promptsync.lake.tables import Present
from promptsync.model import Role, Table

_FOR_A_PERSON: Final = ("held", "ignored")


def status_of(lake: Lake) -> dict[str, Any]:
    """Tables with rows and the newest night of each organization, inputs that wait and how much they are, what needs a
    person, by table how many ids more than one organization claims, and whether an erasure has not ended."""
    known, snapshots = lake.ledger.inputs(), lake.ledger.snapshots()
    tables, claimed_twice = [], {}
    for table in lake.schema:
        present = lake.tables.present(table) if table.role is not Role.OWN else None
        if present is not None:
            of = [one for one in snapshots if one.table == table.name]
            nights = {str(org): iso_millis(max(s.instant for s in of if s.org == org)) for org in {s.org for s in of}}
            tables.append({"table": table.name, "rows": present.rows, "newest": dict(sorted(nights.items()))})
            if count := _claimed_twice(table, present):
                claimed_twice[table.name] = count
    new = new_of(lake.inputs(), known)
    since = min((one.item.modified for one in new if one.item.modified), default=None)
    held = [row for row in known.values() if row["state"] in _FOR_A_PERSON]
    shown = ("name", "state", "table", "reason", "error", "seen_at")
    return {
        "location": lake.storage.name,
        "tables": tables,
        "waiting": [one.name for one in new],
        "backlog": {
            "files": len(new),
            "bytes": sum(one.item.size or 0 for one in new),
            "oldest": iso_millis(since) if since else None,
        },
        "claimed_twice": claimed_twice,
        "erasing": lake.storage.read(PLAN) is not None,
        "held": [{name: row[name] for name in shown} for row in sorted(held, key=lambda row: str(row["name"]))],
        "rejects": len(lake.ledger.rows("sync_reject")),
        "runs": sorted((row["started_at"] for row in lake.ledger.rows("sync_run")), reverse=True)[:1],
    }


def _claimed_twice(table: Table, present: Present) -> int:
    """How many ids more than one organization claims. Reads the keys of all rows."""
    if table.role is not Role.MIRROR or not is_owned(table) or ORG in table.key:
        return 0
    with translated(table.name):
        keys = present.delta.to_pyarrow_dataset().to_table([ORG, *table.key])
    found: Any = keys.group_by(list(table.key)).aggregate([(ORG, "count_distinct")]).column(f"{ORG}_count_distinct")
    return sum(count > 1 for count in found.to_pylist())
