"""The rule by which claims become rows, as plain Python. It is the reference: the rest of this folder says the same in
SQL, and tests/merge compares the two on worlds of snapshots, deliveries, change sets, exports and plugins' rows.

The core in three sentences:

1. *Value.* Each column's value is that of the claim with the greatest (version, value): of equal versions every column
   takes its greater value on its own.
2. *Absence.* A row was last seen at the greatest time of any claim on it; it is absent since the first applied snapshot
   of its table and organization after that.
3. *Coverage*, for speed only. A row whose values a snapshot repeats is not written: being held by the newest snapshot
   implies that snapshot's version. None of this is here, so none of it may show in the result.

Owns the meaning of a claim. It takes the whole SET of claims at once, so it knows no order of arrival, no batch, no
slice and no hidden column. Must import nothing from promptsync and never be made fast.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Value = str | int | float | bytes | None
Key = tuple[Value, ...]
Version = tuple[int, ...]
"""Compared from the left. Of a nightly row, a delivery or an export: (terminal, microseconds, rank, stage). Of a change
set's row: (its ordering value, the file's sequence, its part, the row's place). The two never meet in one table."""

WEBHOOK, EXPORT, SNAPSHOT = 2, 1, 0
"""Ranks: which source wins when two claims are of the same instant."""
STAGES = ("NA", "QUEUED", "SENT", "RECEIVED", "DELIVERED", "READ", "FAILED", "UNDELIVERED", "OPTED_OUT", "ABORTED")
_TERMINAL = STAGES.index("RECEIVED")
_HOUR = 3_600_000_000


def version(at: int, rank: int, status: str = "NA") -> Version:
    """The version of a claim observed ``at`` (microseconds since 1970, UTC). ``status``: of a message, if a webhook
    claims it. Unknown statuses count as the earliest; those from RECEIVED on are terminal and beat all that are not."""
    stage = STAGES.index(status) if status in STAGES else 0
    return int(stage >= _TERMINAL), at, rank, stage


def observed_at(as_of: int, changed: int = 0, correction: int = 0) -> int:
    """When a snapshot's row was observed: at its last change if that is stated and later than the snapshot, at most six
    hours later. Each correction of the same instant counts as made a microsecond later."""
    return min(max(as_of, changed), as_of + 6 * _HOUR) + correction


def order(value: Value) -> tuple[int, int | float | bytes]:
    """Sorts values as the mirror does: NULL least, then numbers by size, then text by its UTF-8 bytes, then bytes."""
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return (2, value.encode()) if isinstance(value, str) else (3, value)


def first_after(last_seen: int | None, instants: Iterable[int]) -> int | None:
    """Since when something is gone: the first of the instants after it was last seen. What was only mentioned, never
    seen, is not gone. A row is absent since the first snapshot, a link is removed at the first full list."""
    return min((at for at in instants if last_seen is not None and at > last_seen), default=None)


@dataclass(slots=True)
class Row:
    """Everything ever claimed about one row. ``seen``: the time of each claim that the row existed.

    ``org``: its owner; a claim by another organization is a collision and not merged, so there is only one.
    """

    org: int = 0
    claims: list[tuple[Version, Mapping[str, Value]]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    def value(self, column: str) -> Value:
        """Sentence 1. A claim says nothing about a column that it lacks; NULL if no claim has it."""
        return max(self._about(column), key=lambda claim: (claim[0], order(claim[1])), default=((), None))[1]

    def version(self, column: str) -> Version:
        """The version that a claim on a column has to reach; empty if there is none yet."""
        return max((stated for stated, _ in self._about(column)), default=())

    @property
    def newest(self) -> Version:
        """The greatest version of any claim, even of one with nothing but the key."""
        return max((stated for stated, _ in self.claims), default=())

    @property
    def last_seen(self) -> int | None:
        """The greatest time of any claim; None if the row was only mentioned."""
        return max(self.seen, default=None)

    def _about(self, column: str) -> list[tuple[Version, Value]]:
        return [(stated, values[column]) for stated, values in self.claims if column in values]


@dataclass(slots=True)
class ClaimSet:
    """Everything ever claimed. Rows by table and key; snapshots by table and organization; full lists by contact
    and name of the list. All instants in microseconds."""

    rows: dict[tuple[str, Key], Row] = field(default_factory=lambda: defaultdict(Row))
    snapshots: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    full_lists: dict[tuple[Value, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    def mention(self, table: str, key: Key, org: int) -> Row:
        """Its id was named: the row exists, and nothing more is known."""
        row = self.rows[table, key]
        row.org = org
        return row

    def see(self, table: str, key: Key, org: int, at: int) -> None:
        """The row existed at that instant."""
        self.mention(table, key, org).seen.append(at)

    def say(self, table: str, key: Key, stated: Version, values: Mapping[str, Value]) -> None:
        """These columns of the row had these values; nothing is said about the others."""
        self.rows[table, key].claims.append((stated, dict(values)))

    def apply_snapshot(self, table: str, org: int, at: int) -> None:
        """A complete file stated the table at an instant: a row not in it, and not seen since, is absent."""
        self.snapshots[table, org].add(at)

    def state_list(self, contact: Value, name: str, at: int) -> None:
        """One of a contact's lists was stated in full: a link not in it, and not seen since, is gone."""
        self.full_lists[contact, name].add(at)

    def absent_since(self, table: str, key: Key, org: int) -> int | None:
        """Sentence 2. ``org``: the organization of the table's snapshots, 0 for the table of organizations."""
        return first_after(self.rows[table, key].last_seen, self.snapshots[table, org])

    def removed_at(self, table: str, key: Key, name: str) -> int | None:
        """When a link to a contact, its first key column, was removed. ``name``: the list that states such links."""
        return first_after(self.rows[table, key].last_seen, self.full_lists[key[0], name])
