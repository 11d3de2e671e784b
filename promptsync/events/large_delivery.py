"""A large delivery merged in parts, so that the answers to others do not wait for it.

Owns how its claims are cut and when it is marked: with the last part. Claims can be merged twice and in any order, so
after a kill, or beside anything else that is applied meanwhile, doing it all again ends in the same rows.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from promptsync.events.claims import Claims
from promptsync.events.merge_claims import Collision
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_SECONDS: Final = 0.01
_FIRST, _LEAST, _MOST = 100, 10, 2_000


class Parts:
    """Claims, some at a time. What a full list says of a contact comes with the contact's own row: whether that belongs
    to another organization decides about both."""

    def __init__(self, claims: Claims) -> None:
        self._rest = claims
        self._done = 0
        self._lists: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
        for stated in claims.full_lists:
            self._lists[stated[0]].append(stated)
        self._whole = max(len(claims.rows), len(claims.mentions), len(claims.happened))
        self._foreign: set[int] = set()

    def take(self, count: int) -> tuple[Claims, bool]:
        """The next claims, at most this many of each kind, and whether they are the last."""
        first, self._done = self._done, self._done + count
        last, claims = self._done >= self._whole, self._rest
        rows, some = claims.rows[first : self._done], slice(first, self._done)
        contacts = [int(row.key[0] or 0) for row in rows if row.table == "contact"]
        lists = [stated for contact in contacts for stated in self._lists.pop(contact, ())]
        if last:
            lists += [one for contact, all_ in self._lists.items() if contact not in self._foreign for one in all_]
        part = replace(
            claims, rows=rows, mentions=claims.mentions[some], happened=claims.happened[some], full_lists=lists
        )
        return part, last

    def exclude(self, collisions: list[Collision]) -> None:
        """These keys belong to another organization."""
        self._foreign.update(int(one.key[0] or 0) for one in collisions if one.table == "contact")


Merge = Callable[[sqlite3.Connection, Claims, bool], list[Collision] | None]
"""Merges some claims; the flag says whether they are the last. Returns what collided; None: nothing more is to be
merged."""


def merge_in_parts(mirror: Mirror, claims: Claims, merge: Merge) -> None:
    """Hand claims to ``merge`` part by part, each in a transaction of its own. Not for the writer's thread."""
    parts, size, last = Parts(claims), _FIRST, False
    while not last:
        part, last = parts.take(size)

        def timed(
            connection: sqlite3.Connection, part: Claims = part, last: bool = last
        ) -> tuple[list[Collision] | None, float]:
            started = time.perf_counter()
            return merge(connection, part, last), time.perf_counter() - started

        collisions, spent = mirror.writer.run(timed, Lane.APPLY, durable=False)
        if collisions is None:
            return
        parts.exclude(collisions)
        size = min(max(int(size * _SECONDS / max(spent, 1e-6)), _LEAST), 2 * size, _MOST)
