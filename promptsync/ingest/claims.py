"""What one delivery claims: rows, mentions, what happened, full lists.

Owns the shape between reading a delivery and merging it. Reading is pure: it makes a ``Claims`` and touches nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from promptsync.ingest.fields import MISSING
from promptsync.merge.version import Rank, time_of, version

Value = str | int | float | None
Key = tuple[Value, ...]


@dataclass(slots=True)
class RowClaim:
    """Claims about one row. ``groups``: group name to (version, values in its order). ``seen``: microseconds."""

    table: str
    key: Key
    seen: int
    groups: dict[str, tuple[int, tuple[Value, ...]]] = field(default_factory=dict)

    def group(self, name: str, claimed: int, *values: object) -> "RowClaim":
        """Claim a group at a version. It is claimed if any value could be read; what could not is NULL in it."""
        if MISSING in values:
            if values.count(MISSING) == len(values):
                return self
            values = tuple(None if value is MISSING else value for value in values)
        self.groups[name] = (claimed, values)  # type: ignore[assignment]
        return self

    def times(self) -> list[int]:
        """Every instant that the claim speaks of, microseconds."""
        return [self.seen, *(time_of(claimed) for claimed, _ in self.groups.values())]

    def told(self, name: str, at: int, *values: object) -> "RowClaim":
        """Claim a group as a webhook does, at an instant in microseconds."""
        return self.group(name, version(at, Rank.WEBHOOK), *values)


@dataclass(slots=True)
class Claims:
    """Everything one delivery says. ``at``: its observed_at in microseconds; ``event_id``: its number in the inbox.

    ``type``, ``path``: its event type, and the path it came by, which may say more.
    """

    event_id: int
    org_id: int
    at: int
    problems: list[str]
    type: str = ""
    path: str = ""
    rows: list[RowClaim] = field(default_factory=list)
    mentions: list[tuple[str, Key]] = field(default_factory=list)
    happened: list[tuple[str, tuple[Value, ...]]] = field(default_factory=list)
    full_lists: list[tuple[int, str, int]] = field(default_factory=list)

    def row(self, table: str, *key: Value, seen: int | None = None) -> RowClaim:
        """Begin a claim about a row, observed with the delivery unless ``seen`` says when."""
        claim = RowClaim(table, key, self.at if seen is None else seen)
        self.rows.append(claim)
        return claim

    def mention(self, table: str, *key: Value) -> None:
        """An id is only named: it makes a row if there is none, and claims nothing."""
        if None not in key:
            self.mentions.append((table, key))

    def event(self, table: str, item: int, *values: object) -> None:
        """Something happened: one row, keyed by the delivery and the item's place in it."""
        cells: Sequence[Value] = [None if v is MISSING else v for v in values]  # type: ignore[misc]
        self.happened.append((table, (self.event_id, item, self.org_id, *cells)))

    def full_list(self, contact_id: int, name: str) -> None:
        """The delivery states the whole of one of a contact's lists."""
        self.full_lists.append((contact_id, name, self.at))
