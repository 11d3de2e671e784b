"""The units of a table that are versioned, and its hidden columns.

Owns the step from a declaration to the actual columns of a mirror's table. A unit is a column group, or a single
column that not every file of the table has (added by the vendor over time, dropped, or unknown to us): such a split
column has a version of its own, so that a file without it leaves it alone, in any order of files.

Hidden columns of a versioned table: ``_<group>_at``, ``_col_<name>_at``, ``_snap_at`` and ``_in_snapshot``, which
coverage.py explains; ``_seen_at`` and ``_absent_since``, which absence.py explains; and ``_rev``, the revision of the
last real change, by which observers and exports find it.

A version is one integer (version.py); in a table filled by change sets it is VERSION_BYTES long (model/file_name.py)
and compared as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from promptsync.model import FilledBy, Table


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns that are always claimed together. ``exported``: snapshots claim it. ``group``: "" if born split."""

    name: str
    columns: tuple[str, ...]
    exported: bool
    split: bool = False
    group: str = ""

    @property
    def at(self) -> str:
        """The name of its version column. Split columns have a prefix, so that no vendor's name clashes with a
        group's."""
        return f"_col_{self.name}_at" if self.split else f"_{self.name}_at"


@dataclass(frozen=True)
class Layout:
    """A declared table plus the split and unknown columns that its mirror has."""

    table: Table
    split: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Hashes the table by its name: every statement is looked up by its layout, and a declaration is long."""
        return hash((self.table.name, self.split, self.extra))

    @cached_property
    def declared(self) -> "Layout":
        """The same without unknown columns: no delivery claims those, and hundreds of them would make its statement
        long."""
        return replace(self, extra=())

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Every unit: groups as declared less their split columns, then split columns, then unknown ones."""
        split = set(self.split)
        groups, singles = [], []
        for name, columns in self.table.groups.items():
            exported = any(column.exported for column in columns)
            rest = tuple(column.name for column in columns if column.name not in split)
            if rest:
                groups.append(Unit(name, rest, exported))
            singles += [Unit(c.name, (c.name,), exported, True, name) for c in columns if c.name in split]
        return (*groups, *singles, *(Unit(name, (name,), self.table.exported, True) for name in self.extra))

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Every column that claims compete for, unit by unit."""
        return tuple(column for unit in self.units for column in unit.columns)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The primary key columns."""
        return self.table.key

    @property
    def owner(self) -> tuple[str, ...]:
        """The columns that name the owner of a row."""
        return ("org_id",) if self.table.org_scoped else ()

    @property
    def version_type(self) -> str:
        """SQL type of a version."""
        return "BLOB" if self.table.filled_by is FilledBy.CHANGE_SET else "INTEGER"

    @property
    def no_version(self) -> str:
        """The version, as SQL, of a unit that was never claimed: weaker than any other."""
        return "x''" if self.table.filled_by is FilledBy.CHANGE_SET else "0"

    @property
    def version_column(self) -> str:
        """SQL type and constraints of a version column that always has a value."""
        return f"{self.version_type} NOT NULL DEFAULT {self.no_version}"

    def hidden(self) -> Iterable[tuple[str, str]]:
        """Name and SQL type of every hidden column, split columns' versions apart."""
        yield from ((f"_{group}_at", self.version_column) for group in self.table.groups)
        yield "_rev", "INTEGER NOT NULL DEFAULT 0"
        if self.table.exported:
            yield "_snap_at", "INTEGER NOT NULL DEFAULT 0"
            yield "_in_snapshot", "INTEGER NOT NULL DEFAULT 0"
        if self.table.exported or self.table.full_list:
            yield "_seen_at", "INTEGER NOT NULL DEFAULT 0"
        if self.table.exported:
            yield "_absent_since", "TEXT"
