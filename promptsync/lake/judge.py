"""Which of the decoded inputs may be believed, by the guards of the mirror (merge/guards.py).

Owns the comparison of each snapshot with the night before it, in the order of nights however they fall into runs: that
night may be in the tables, or among the inputs of the same run. The sentences are the mirror's, with the lake's
command.
"""

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.clock import iso_millis
from promptsync.errors import Held
from promptsync.lake import parquet
from promptsync.lake.engine import ClaimFile
from promptsync.lake.ledger import Snapshot
from promptsync.lake.parts import Decoded, accepting
from promptsync.lake.shape import ORG, SNAP, row_key
from promptsync.merge.guards import (
    LATEST_AHEAD,
    Content,
    Guards,
    reason_in_bad_rows,
    reason_in_rows_lost,
    reason_to_hold,
)
from promptsync.model import Schema, Table

Files = Callable[[str, int], Sequence[ClaimFile]]
"""The present files of a table in which an organization's rows are."""


class Judge:
    """Judges the inputs of one run. ``applied``: snapshots that were applied before; those that pass are added."""

    def __init__(self, schema: Schema, guards: Guards, applied: set[Snapshot], files: Files, now: int) -> None:
        self._schema, self._guards, self.applied, self._files, self._now = schema, guards, applied, files, now
        self.passed: list[Snapshot] = []
        self._parts: dict[tuple[str, int, int], list[ClaimFile]] = {}

    def judge(self, inputs: Iterable[Decoded], accepted: frozenset[str]) -> None:
        """Hold those that may not be believed. ``accepted``: names of those at which a person has looked."""
        for one in sorted(inputs, key=lambda one: (one.snapshot.at if one.snapshot else 0, one.name)):
            if one.state != "decoded":
                continue
            try:
                if one.name not in accepted:
                    self._refuse(one)
            except Held as held:
                one.refuse(held)
                continue
            self._pass(one)

    def _pass(self, one: Decoded) -> None:
        if (stated := one.snapshot) is not None:
            found = Snapshot(stated.table, stated.org_id or 0, stated.at, one.learned.rows + one.learned.bad)
            self.applied.add(found)
            self.passed.append(found)
            place = (found.table, found.org, found.instant)
            self._parts.setdefault(place, []).extend(file for _, file in one.parts)

    def _refuse(self, one: Decoded) -> None:
        """Raises Held."""
        learned, stated = one.learned, one.snapshot
        content = Content(learned.rows, learned.bad, learned.keyless, learned.first_bad)
        if stated is None:
            why = reason_in_bad_rows(content, self._guards) if one.parts and not one.deliveries else None
            _hold(one, "guard", why)
            return
        if stated.at > self._now + LATEST_AHEAD:
            _hold(one, "future", f"It states {iso_millis(stated.at)}, which has not come yet.")
        known = [s for s in self.applied if (s.table, s.org) == (stated.table, stated.org_id or 0)]
        before = max((s for s in known if s.instant <= stated.at), key=lambda s: s.instant, default=None)
        rows_before = before.rows if before else None
        _hold(one, "guard", reason_to_hold(content, rows_before, self._guards))
        if before and all(s.instant < stated.at for s in known):
            lost = self._lost(self._schema[stated.table], before, one)
            _hold(one, "guard", reason_in_rows_lost(lost, rows_before, self._guards))

    def _lost(self, table: Table, before: Snapshot, one: Decoded) -> int:
        """How many rows of the snapshot before are missing, compared by key."""
        key, place = list(row_key(table)), (before.table, before.org, before.instant)
        if place in self._parts:
            held = _keys(self._parts[place], key)
        else:
            held = _keys_held(self._files(table.name, before.org), key, before)
        have = _keys([file for _, file in one.parts], key)
        if held is None or have is None:
            return 0 if held is None else held.num_rows
        return held.join(have, key, join_type="left anti").num_rows


def _hold(one: Decoded, reason: str, why: str | None) -> None:
    if why:
        raise Held(reason, f"{why} If it is right all the same: {accepting(one.name)}")


def _keys(files: Sequence[ClaimFile], key: list[str]) -> pa.Table | None:
    found = [parquet.read(file.path, key) for file in files]
    return pa.concat_tables(found).group_by(key).aggregate([]) if found else None


def _keys_held(files: Sequence[ClaimFile], key: list[str], before: Snapshot) -> pa.Table | None:
    """The keys of the rows that a snapshot held, as the newest that did."""
    found = []
    for file in files:
        rows = parquet.read(file.path, [*key, SNAP])
        chosen = pc.equal(rows.column(SNAP), pa.scalar(before.instant, pa.int64()))
        if ORG in key:
            chosen = pc.and_(chosen, pc.equal(rows.column(ORG), pa.scalar(before.org, pa.int64())))
        found.append(rows.filter(chosen).select(key))
    return pa.concat_tables(found) if found else None
