"""The rule by which claims become rows (merge/spec.py), as one SQL aggregate over files of claims and rows.

Owns its text, from a table's layout and an engine's dialect. A column takes the greatest (version, not null, value) of
all claims on it: first the greatest version per unit, then, among the claims of that very version, each column's
greatest value on its own, which no engine lets be NULL beside another. Greatest-of is associative, commutative and
idempotent, so claims may be folded in any order, any grouping and any number of times, and rows again with more claims.

Since when a row is gone follows from ``_seen_at`` and a small relation of ends (``instant`` and ``iso``): of applied
snapshots for rows, of full lists for links to a contact. Runs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from promptsync.lake.shape import (
    ORG,
    SEEN,
    SNAP,
    claiming,
    column_type,
    fields_of,
    folded,
    row_key,
    sees,
    version_type,
)
from promptsync.merge.layout import Layout, Unit
from promptsync.model import Role


@dataclass(frozen=True)
class Dialect:
    """How an engine spells identifiers and types. ``types``: of an Arrow type's name."""

    quote: str
    types: Mapping[str, str]

    def name(self, column: str) -> str:
        """A quoted identifier, safe for any column name of a vendor."""
        return self.quote + column.replace(self.quote, self.quote * 2) + self.quote

    def names(self, columns: Sequence[str], alias: str = "") -> str:
        """Several, of a relation if it is named."""
        return ", ".join(f"{alias}.{self.name(c)}" if alias else self.name(c) for c in columns)

    def null(self, type_: pa.DataType) -> str:
        """NULL of a type."""
        return f"CAST(NULL AS {self.types[str(type_)]})"


SPARK = Dialect("`", {"int64": "BIGINT", "double": "DOUBLE", "string": "STRING", "binary": "BINARY"})
DUCKDB = Dialect('"', {"int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "binary": "BLOB"})


@dataclass(frozen=True)
class Relation:
    """A relation to fold: its name in SQL, and the columns that its files have."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """The statements of one layout."""

    layout: Layout
    dialect: Dialect

    def statement(self, inputs: Sequence[Relation], ends: str = "") -> str:
        """The rows that the inputs make, in order of the key. ``ends``: the relation of what ends them; without one
        none has ended."""
        claims = " UNION ALL ".join(self._aligned(one) for one in inputs)
        parts = [f"claims AS ({claims})", *self._folded, *([self._gone(ends)] if self.end and ends else [])]
        return f"WITH {', '.join(parts)} {self._rows(ends)} ORDER BY {self.dialect.names(self._key)}"

    def folded(self, claims: str, by: Sequence[str] = ()) -> str:
        """The rows that claims make, none of them ended, where a relation that is read twice would be made twice.
        ``claims``: a relation in the layout's shape; ``by``: what it is divided by, which follows from the key."""
        named, key = self.dialect.name, self.dialect.names(self._key)
        group = self.dialect.names(tuple(dict.fromkeys((*by, *self._key))))
        if self.layout.table.role is Role.HAPPENED:
            return f"SELECT {key}, {self._greatest()} FROM {claims} GROUP BY {group}"
        newest = {unit.at: named(f"newest {unit.at}") for unit in self.layout.units}
        picked = [key]
        for unit in self.layout.units:
            at, top = named(unit.at), newest[unit.at]
            picked.append(f"max({at}) AS {at}")
            picked += [f"max(CASE WHEN {at} = {top} THEN {named(c)} END) AS {named(c)}" for c in unit.columns]
        picked += [f"max({column}) AS {column}" for column in self._instants]
        over = "".join(f", max({named(at)}) OVER same AS {top}" for at, top in newest.items())
        return (
            f"SELECT {', '.join(picked)} FROM (SELECT *{over} FROM {claims} WINDOW same AS (PARTITION BY {group})) "
            f"GROUP BY {group}"
        )

    def ended(self, rows: str, ends: str = "", hint: str = "") -> str:
        """Folded rows, with since when they are gone, each read once. ``rows``, ``ends``: relations; ``hint``: on how
        to bring them together."""
        if not self.end or not ends:
            return self._rows("").replace(" folded", f" {rows}")
        of, named = self._ended_by, self.dialect.name
        each, same = (
            "".join(f"{named(c)}, " for c in of),
            " AND ".join(f"g.{named(c)} = f.{named(c)}" for c in of) or "true",
        )
        stamps = f"SELECT {each}array_sort(collect_list(struct(instant, iso))) AS stamps FROM {ends}"
        stamps += f" GROUP BY {self.dialect.names(of)}" if of else ""
        first = f"get(filter(g.stamps, one -> one.instant > f.{SEEN}), 0).iso"
        return f"SELECT {hint} f.*, {first} AS {self.end} FROM {rows} f LEFT JOIN ({stamps}) g ON {same}"

    @property
    def end(self) -> str:
        """The column that says since when a row is gone; empty if its table knows no such thing."""
        table = self.layout.table
        if table.role is Role.HAPPENED:
            return ""
        return "_absent_since" if table.exported else "removed_at" if table.full_list else ""

    @cached_property
    def _key(self) -> tuple[str, ...]:
        return row_key(self.layout.table)

    def _aligned(self, one: Relation) -> str:
        """An input in the layout's shape. A unit of which it lacks a column is not claimed."""
        have = {folded(column): column for column in one.columns}
        named = self.dialect.name
        picked = [f"{named(have[folded(column)])} AS {named(column)}" for column in self._key]
        if self.layout.table.role is Role.HAPPENED:
            picked += [named(field.name) for field in fields_of(self.layout) if field.name not in self._key]
            return f"SELECT {', '.join(picked)} FROM {one.name}"
        for unit in self.layout.units:
            picked += self._unit(unit, have)
        for column in self._instants:
            picked.append(f"{have.get(column) or self.dialect.null(pa.int64())} AS {column}")
        return f"SELECT {', '.join(picked)} FROM {one.name}"

    def _unit(self, unit: Unit, have: Mapping[str, str]) -> list[str]:
        """The version and the values of a unit, as an input with these columns claims them."""
        named, table = self.dialect.name, self.layout.table
        at = claiming(unit, have)
        if at is None:
            nothing = [self.dialect.null(column_type(table, column)) for column in unit.columns]
            at_sql, values = self.dialect.null(version_type(table)), nothing
        else:
            at_sql, values = named(at), [named(have[folded(column)]) for column in unit.columns]
        pairs = zip(unit.columns, values, strict=True)
        return [f"{at_sql} AS {named(unit.at)}", *(f"{value} AS {named(column)}" for column, value in pairs)]

    @property
    def _instants(self) -> tuple[str, ...]:
        table = self.layout.table
        return tuple(name for name, wanted in ((SEEN, sees(table)), (SNAP, table.exported)) if wanted)

    @property
    def _folded(self) -> tuple[str, ...]:
        """The relation ``folded``, one row of each key, and what it is made of."""
        named, key = self.dialect.name, self.dialect.names(self._key)
        if self.layout.table.role is Role.HAPPENED:
            return (f"folded AS (SELECT {key}, {self._greatest()} FROM claims GROUP BY {key})",)
        versions = [*(unit.at for unit in self.layout.units), *self._instants]
        newest = "".join(f", max({named(at)}) AS {named(at)}" for at in versions)
        same = " AND ".join(f"c.{named(column)} = n.{named(column)}" for column in self._key)
        picked = [self.dialect.names(self._key, "n")]
        for unit in self.layout.units:
            at = named(unit.at)
            picked.append(f"max(n.{at}) AS {at}")
            picked += [f"max(CASE WHEN c.{at} = n.{at} THEN c.{named(c)} END) AS {named(c)}" for c in unit.columns]
        picked += [f"max(n.{column}) AS {column}" for column in self._instants]
        return (
            f"newest AS (SELECT {key}{newest} FROM claims GROUP BY {key})",
            f"folded AS (SELECT {', '.join(picked)} FROM claims c JOIN newest n ON {same} "
            f"GROUP BY {self.dialect.names(self._key, 'n')})",
        )

    def _greatest(self) -> str:
        """Of what happened the greatest of each column: what claims one key says the same."""
        rest = [self.dialect.name(field.name) for field in fields_of(self.layout) if field.name not in self._key]
        return ", ".join(f"max({column}) AS {column}" for column in rest)

    def _rows(self, ends: str) -> str:
        """The folded rows, with since when they are gone."""
        named, key = self.dialect.name, self._key
        if not self.end:
            return "SELECT * FROM folded"
        if not ends:
            return f"SELECT *, {self.dialect.null(pa.string())} AS {self.end} FROM folded"
        same = " AND ".join(f"f.{named(column)} = g.{named(column)}" for column in key)
        return f"SELECT f.*, g.iso AS {self.end} FROM folded f LEFT JOIN gone g ON {same}"

    @property
    def _ended_by(self) -> tuple[str, ...]:
        """The part of the key that a row and what ends it share."""
        of = (ORG,) if self.layout.table.exported else self._key[:2]
        return tuple(column for column in of if column in self._key)

    def _gone(self, ends: str) -> str:
        """The relation ``gone``: the rows last seen before the last end that concerns them, and the first after it."""
        names, key, of = self.dialect.names, self._key, self._ended_by
        same = "".join(f"e.{self.dialect.name(column)} = f.{self.dialect.name(column)} AND " for column in of)
        each = f"{names(of)}, " if of else ""
        last = f"SELECT {each}max(instant) AS instant FROM {ends}" + (f" GROUP BY {names(of)}" if of else "")
        return (
            f"gone AS (SELECT {names(key, 'f')}, min(e.iso) AS iso FROM folded f "
            f"JOIN ({last}) l ON {same.replace('e.', 'l.')}f.{SEEN} < l.instant "
            f"JOIN {ends} e ON {same}e.instant > f.{SEEN} GROUP BY {names(key, 'f')})"
        )
