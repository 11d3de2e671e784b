"""The list of people whom a mirror has forgotten, into the lake that it is pushed into: they are erased there, too.

Owns which erasures are new there, by the moment at which they began, and what becomes of them. Hashes can only be taken
over by a lake whose list was made with the same key, or that has none yet: with another the list stays with the mirror,
and a person is told.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptsync.lake.erase import PLAN, Erased, Plan, carry_out, resume
from promptsync.lake.erased import Listed, rows_of_erasure
from promptsync.lake.finding import people_on
from promptsync.lake.lake import Lake
from promptsync.lake.scratch import scratch_folder
from promptsync.store import erased
from promptsync.store.slices import Progress


@dataclass(slots=True)
class Brought:
    """``erasures``: how many are new in the lake; ``stay``: how many cannot be brought; ``done``: what was removed."""

    erasures: int = 0
    stay: int = 0
    done: Erased = field(default_factory=Erased)


def bring_list(lake: Lake, mirror: sqlite3.Connection, database: Path, progress: Progress) -> Brought:
    """Do it. Raises KeyLost if the mirror's key is not there."""
    if not erased.list_state(mirror):
        return Brought()
    if (lost := erased.key_problem(mirror, database)) is not None:
        raise erased.KeyLost(lost)
    listing, secret = erased.listing(mirror), erased.read_key(database)
    hashes: dict[int, list[tuple[str, bytes]]] = {}
    for row in listing["sync_erased"]:
        hashes.setdefault(row["erasure_id"], []).append((row["kind"], bytes.fromhex(row["hash"])))
    if secret is None or not hashes:
        return Brought()
    resume(lake, progress)
    listed = lake.people.read()
    known = {one["begun_at"] for one in listed.erasures}
    new = [row for row in listing["sync_erasure"] if row["id"] in hashes and row["begun_at"] not in known]
    if not new:
        return Brought()
    if lake.people.make_key(secret.key).key != secret.key:
        return Brought(stay=len(new))
    first = max((one["id"] for one in listed.erasures), default=0) + 1
    kept = tuple((first, kind, one) for row in new for kind, one in hashes[row["id"]])
    with scratch_folder() as scratch:
        people = people_on(lake, Listed(lake.schema, kept=kept, secret=secret), scratch)
    plan = Plan(first + len(new) - 1, str(new[-1]["why"]), frozenset(people), frozenset())
    if not lake.storage.write_once(PLAN, plan.content()):
        return bring_list(lake, mirror, database, progress)
    lake.people.take(_rows(new, hashes, first, secret))
    return Brought(len(new), 0, carry_out(lake, plan, progress))


def _rows(
    new: Sequence[Mapping[str, Any]],
    hashes: Mapping[int, Sequence[tuple[str, bytes]]],
    first: int,
    secret: erased.Secret,
) -> Iterator[dict[str, Any]]:
    """The rows of the list that say so; that the last of them has ended is said once it is carried out here."""
    for number, row in enumerate(new, first):
        said = {**row, "finished_at": None} if row is new[-1] else row
        yield from rows_of_erasure(number, said, hashes[row["id"]], secret)
