"""Compares a listing with what is known: what to fetch, in which order, and what only to note.

Owns the decision on every file that is not done with. Pure: no place, no database, no clock. A set difference
by key and version, never a high-water mark, so that a file is found however late it appears and whichever instant its
name states.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from promptsync.errors import InputRefused
from promptsync.places.place import Item

ENOUGH: Final = 5
"""A version that failed in this many runs, not for lack of a connection, is left alone until someone asks for it."""


class Stated(Protocol):
    """What a file name states."""

    @property
    def table(self) -> str: ...
    @property
    def at(self) -> int | None:
        """The instant it states, microseconds since the epoch, if it states one."""
        ...

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts what is fetched."""
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
    """``fetch``: in order. ``new``: those never seen in this version. ``back``: keys. ``done``: loaded before and still
    there."""

    fetch: list[tuple[Item, S]] = field(default_factory=list)
    new: list[tuple[Item, S]] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    done: list[Item] = field(default_factory=list)

    def leave(self, keys: Iterable[str]) -> None:
        """Not now: somebody still writes to these."""
        left = set(keys)
        self.new = [pair for pair in self.new if pair[0].key not in left]
        self.fetch = [pair for pair in self.fetch if pair[0].key not in left]


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """``since``: nothing that states an earlier instant. ``by_hand``: what was given up is tried again."""

    since: int | None = None
    by_hand: bool = False


def make_plan(
    differences: Iterable[tuple[Item, Seen | None]],
    parse: Callable[[str], S | None],
    options: FetchOptions,
    skip: Container[str] = (),
) -> Plan[S]:
    """Decide on listed items, each with what is known of its key. ``parse`` gives None for a name to be passed over in
    silence, and raises InputRefused for one that is not recognised. ``skip``: tables to note and not to fetch."""
    plan: Plan[S] = Plan()
    for item, seen in differences:
        try:
            stated = parse(item.file_name)
        except InputRefused:
            plan.unrecognised.append(item.file_name)
            continue
        if stated is None or (options.since is not None and stated.at is not None and stated.at < options.since):
            continue
        new = seen is None or seen.tag != item.tag
        if new:
            plan.new.append((item, stated))
        elif seen is not None and seen.gone:
            plan.back.append(item.key)
        if seen is not None and not new and seen.state == "loaded":
            plan.done.append(item)
        elif (seen is None or new or _open(seen, options)) and stated.table not in skip:
            plan.fetch.append((item, stated))
    plan.fetch.sort(key=lambda pair: (pair[1].order, pair[0].key))
    return plan


def _open(seen: Seen, options: FetchOptions) -> bool:
    if seen.state == "failed":
        return options.by_hand or seen.attempts < ENOUGH
    return seen.state in ("waiting", "gone", "skipped", "over_budget")
