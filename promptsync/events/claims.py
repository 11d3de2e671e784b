"""What one delivery claims: rows, mentions, what happened, full lists.

Owns the shape between reading a delivery and merging it. Reading is pure: it makes a ``Claims`` and touches nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from promptsync.clock import MAX_MICROS, MICROS
from promptsync.events.fields import MISSING, Fields
from promptsync.merge.version import Rank, not_after, time_of, version
from promptsync.model import Key, Value

AHEAD = 300 * MICROS
"""How much later than its receipt a delivery may say that something was so: clocks differ. Microseconds."""

_EARLIEST = 946_684_800 * MICROS  # 2000-01-01T00:00:00Z


@lru_cache(maxsize=256)
def _told_at(at: int) -> int:
    """The version of what a delivery claims: of its claims most are of one time."""
    return version(at, Rank.WEBHOOK)


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
        return [self.seen, *[time_of(claimed) for claimed, _ in self.groups.values()]]

    def claim(self, name: str, at: int, *values: object) -> "RowClaim":
        """Claim the columns of a group: that these were their values, in order, at an instant in microseconds."""
        if MISSING in values:
            return self.group(name, _told_at(at), *values)
        self.groups[name] = (_told_at(at), values)  # type: ignore[assignment]
        return self

    told = claim
    """The old name of ``claim``."""


@dataclass(slots=True)
class Claims:
    """Everything one delivery, or one row of a file, says. ``at``: when that was so, microseconds; ``event_id``: of a
    delivery, its number in the inbox; ``problems``: what could not be read, sentences without values.

    ``type``, ``path``: its event type, and the path it came by, which may say more. ``latest``: no time that it states
    is believed to be later, microseconds.
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
    latest: int = MAX_MICROS

    @classmethod
    def of_file(cls, org_id: int, at: int) -> "Claims":
        """What one row of a file says, for the ``decode`` of a FileKind. ``at``: when that was so, microseconds."""
        return cls(0, org_id, at, [])

    @property
    def received_at(self) -> int:
        """When the delivery was received, microseconds."""
        return self.latest - AHEAD

    def when(self, model: Fields, name: str) -> int | None:
        """A time that the delivery states, as a version may have it: microseconds, or None for no time.

        The latest wins, so one wrong time would win for ever: it counts as ``latest`` at most, and one before the year
        2000 as none. Both are named.
        """
        return believed(model, name, self.latest)

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

    def bound(self) -> "Claims":
        """Limit the time of every claim to ``latest``."""
        for row in self.rows:
            row.seen = min(row.seen, self.latest)
            row.groups = {
                name: (not_after(claimed, self.latest), values) for name, (claimed, values) in row.groups.items()
            }
        self.full_lists = [(contact, name, min(at, self.latest)) for contact, name, at in self.full_lists]
        return self


def believed(model: Fields, name: str, latest: int) -> int | None:
    """What is believed of a time in a delivery: microseconds, from the year 2000 to ``latest``, or None for no time."""
    stated = model.instant(name)
    if stated is None:
        return None
    if stated < _EARLIEST:
        model.note(name, "is before the year 2000, so it is no time to go by")
        return None
    if stated > latest:
        model.note(name, "is later than the delivery's receipt, so it counts as no later")
        return latest
    return stated
