"""Sentence 2 of the rule: absence. A row was last seen at the greatest time of any claim on it; it is absent since the
first applied snapshot of its table and organization after that. The columns that this needs:

    _absent_since   ISO instant of that snapshot; NULL while the row is present. No row is ever deleted.
    _seen_at        when a delivery or an export last claimed the row, in microseconds. When a snapshot last did is in
                    ``_snap_at`` and ``_in_snapshot`` (coverage.py); last seen is the greatest of all three. A row
                    with none of them was only mentioned, and is neither present nor absent (``unseen``).

A claim brings with it the first applied snapshot after its own time (``new_absent``, NULL if there is none): if the
claim is the row's newest, the row is absent since then; if it is older, since then at the latest (``after``). A
snapshot makes absent the rows that it lacks and that nothing has claimed since (``gone``, ``absent_slice``).

Links to a contact follow the same sentence, with full lists in place of snapshots and only ``_seen_at``:
``removed_at``.

Owns every expression on these columns, and the statements by which a snapshot, staged and attached as ``staging``,
makes rows absent: ``staging.gone (key, held, absent)`` lists them, ``held`` if the newest applied snapshot has the row.

Named parameters of the statements: ``org``, ``rev``, ``newest``, ``asserted`` (coverage.py), ``at`` and ``as_of`` (the
snapshot's instant, microseconds and ISO), ``first`` and ``last`` (bounds of a slice).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from promptsync.merge.coverage import Coverage
from promptsync.merge.sql import assigned, keys_listed, listed_in, names, names_of, quote, same_key
from promptsync.merge.version import PER_MICRO

NEXT_SNAPSHOT = (
    'CASE WHEN :newest = 1 THEN NULL ELSE (SELECT x.as_of FROM sync_snapshot x WHERE x."table" = :table '
    "AND x.org_id = :org AND x.at > s._at ORDER BY x.at LIMIT 1) END"
)
"""The first applied snapshot after the time of a staged row ``s``; NULL if the file itself is the newest."""


def removed_at(last_seen: int, full_lists: Sequence[int]) -> int | None:
    """When a link last mentioned at ``last_seen`` was removed. ``full_lists``: ascending. All in microseconds.

    The time of every full list is kept, so that the answer does not depend on their order of arrival.
    """
    place = bisect_right(full_lists, last_seen)
    return full_lists[place] if place < len(full_lists) else None


@dataclass(frozen=True)
class Absence:
    """Expressions and statements for one layout."""

    coverage: Coverage

    @property
    def old(self) -> str:
        """The mirror's table, quoted."""
        return self.coverage.old

    def after(self, new_absent: str) -> str:
        """``_absent_since`` after a claim whose time is followed by a snapshot at ``new_absent`` (NULL: by none)."""
        have = f"{self.old}._absent_since"
        return (
            f"CASE WHEN {new_absent} IS NULL THEN NULL WHEN {self.unseen()} THEN {new_absent} "
            f"WHEN {have} IS NULL THEN NULL WHEN {new_absent} > {have} THEN {new_absent} ELSE {have} END"
        )

    def changed_by(self, new_absent: str) -> str:
        """Whether such a claim changes it."""
        return f"({self.after(new_absent)}) IS DISTINCT FROM {self.old}._absent_since"

    def unseen(self) -> str:
        """Whether no claim has been made on the row yet."""
        return f"({self.old}._seen_at = 0 AND {self.old}._snap_at = 0 AND {self.old}._in_snapshot = 0)"

    @property
    def gone(self) -> str:
        """Fills ``staging.gone`` with the keys of rows that the snapshot, if applied, makes absent or no longer
        covers; whether the newest applied one held them, and whether they become absent."""
        return self._gone(self.old, "")

    @property
    def gone_in_gaps(self) -> str:
        """The same, where only the ranges of keys in ``staging.gaps (low, high)`` were read."""
        key = f"{self.old}.{quote(self.coverage.layout.key[0])}"
        return self._gone(f"staging.gaps g CROSS JOIN {self.old}", f"{key} BETWEEN g.low AND g.high AND ")

    @property
    def spare(self) -> str:
        """Keeps a row of ``staging.gone``, its key given by position: it is in the file but cannot be read."""
        key = self.coverage.layout.key
        slots = ", ".join("?" * len(key))
        return f"UPDATE staging.gone SET held = 0, absent = 0 WHERE ({names(key)}) = ({slots})"

    @property
    def lacked(self) -> str:
        """How many rows the newest applied snapshot holds that are not staged."""
        return f"SELECT count(*) FROM {self.old} WHERE _in_snapshot = 1 AND {self.coverage.owned} AND {self._unstaged}"

    @property
    def absent_slice(self) -> str:
        """Makes the rows of ``staging.gone`` with rowid ``first`` to ``last`` absent."""
        return self._make_absent(listed_in("gone", self.coverage.layout.key))

    def absent_keys(self, count: int) -> str:
        """Makes absent those of these keys that the file lacks. Parameters ``k0``, ``k1`` ...: the keys, one by one."""
        key = self.coverage.layout.key
        return self._make_absent(f"({names(key)}) IN ({keys_listed(key, count)}) AND {self._unstaged}")

    def _gone(self, source: str, among: str) -> str:
        row = f"{names_of(self.old, self.coverage.layout.key)}, {self.old}._in_snapshot, {self._unseen_since}"
        return f"INSERT INTO staging.gone SELECT {row} FROM {source} WHERE {among}{self._lost} AND {self._unstaged}"

    def _make_absent(self, which: str) -> str:
        sets = self.coverage.written_down() | {
            "_absent_since": f"CASE WHEN {self._unseen_since} THEN :as_of ELSE NULL END",
            "_rev": f"CASE WHEN {self._unseen_since} THEN :rev ELSE {self.old}._rev END",
        }
        return f"UPDATE {self.old} SET {assigned(sets)} WHERE {which} AND {self._lost}"

    @property
    def _lost(self) -> str:
        """Rows last seen before this snapshot that it, lacking them, makes absent or, if an older one held them, no
        longer covers."""
        old, asserted = self.old, self.coverage.asserted
        held = f"({old}._in_snapshot = 1 AND :newest = 1 AND {asserted} < :at * {PER_MICRO})"
        loose = (
            f"({old}._in_snapshot = 0 AND NOT {self.unseen()} AND {self._unseen_since} "
            f"AND ({old}._absent_since IS NULL OR {old}._absent_since > :as_of))"
        )
        return f"{self.coverage.owned} AND ({held} OR {loose})"

    @property
    def _unseen_since(self) -> str:
        """Whether nothing has claimed the row since this snapshot's instant."""
        return f"({self.old}._seen_at < :at AND {self.old}._snap_at < :at * {PER_MICRO})"

    @property
    def _unstaged(self) -> str:
        """Whether the file lacks the row."""
        return f"NOT EXISTS (SELECT 1 FROM staging.rows s WHERE {same_key(self.old, 's', self.coverage.layout.key)})"
