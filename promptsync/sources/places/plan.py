"""What a listing means, compared with what is known: what to fetch, in which order, and what only to note.

Owns the decision. Pure: no place, no database, no clock. A set difference by key and version, so that a file is found
however late it appears and whatever its name says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from promptsync.errors import InputRefused
from promptsync.sources.places.place import Item

ENOUGH: Final = 5
"""A version that failed in this many runs, not for lack of a connection, is left alone until someone asks for it."""


class Stated(Protocol):
    """What a file name states."""

    @property
    def as_of(self) -> int:
        """Microseconds since the epoch."""
        ...


class Seen(Protocol):
    """What is known of a key."""

    @property
    def tag(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def gone(self) -> bool: ...


S = TypeVar("S", bound=Stated)


@dataclass(slots=True)
class Plan(Generic[S]):
    """``fetch``: oldest first. ``new``: those never seen in this version. ``vanished``, ``back``: keys."""

    fetch: list[tuple[Item, S]] = field(default_factory=list)
    new: list[tuple[Item, S]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    def leave(self, keys: Iterable[str]) -> None:
        """Not now: somebody still writes to these."""
        left = set(keys)
        self.new = [pair for pair in self.new if pair[0].key not in left]
        self.fetch = [pair for pair in self.fetch if pair[0].key not in left]


@dataclass(frozen=True, slots=True)
class Wish:
    """``since``: nothing that states an earlier instant. ``by_hand``: what was given up is tried again."""

    since: int | None = None
    by_hand: bool = False


def make_plan(
    items: Iterable[Item], known: Mapping[str, Seen], parse: Callable[[str], S], wish: Wish, *, complete: bool
) -> Plan[S]:
    """Compare. ``parse`` raises InputRefused for a name that says nothing. ``complete``: what is not listed is gone."""
    plan: Plan[S] = Plan()
    listed = set()
    for item in items:
        listed.add(item.key)
        try:
            stated = parse(item.file_name)
        except InputRefused:
            plan.strangers.append(item.file_name)
            continue
        if wish.since is not None and stated.as_of < wish.since:
            continue
        seen = known.get(item.key)
        if seen is None or seen.tag != item.tag:
            plan.new.append((item, stated))
            plan.fetch.append((item, stated))
            continue
        if seen.gone:
            plan.back.append(item.key)
        if _open(seen, wish):
            plan.fetch.append((item, stated))
    if complete:
        plan.vanished = [key for key, seen in known.items() if key not in listed and not seen.gone]
    plan.fetch.sort(key=lambda pair: (pair[1].as_of, pair[0].key))
    return plan


def _open(seen: Seen, wish: Wish) -> bool:
    if seen.state == "failed":
        return wish.by_hand or seen.attempts < ENOUGH
    return seen.state in ("waiting", "gone")
