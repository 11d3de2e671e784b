"""The few pieces of SQL that all generated statements share: quoting, lists, comparison.

Owns only how SQL is spelled; uses nothing but what SQLite and PostgreSQL both understand.
"""

from collections.abc import Iterable, Mapping, Sequence


def quote(name: str) -> str:
    """A quoted identifier, safe for any column name of a vendor."""
    return '"' + name.replace('"', '""') + '"'


def names(columns: Iterable[str]) -> str:
    """``"a", "b"``."""
    return ", ".join(quote(column) for column in columns)


def differs(old: str, new: str, columns: Sequence[str]) -> str:
    """Whether any of the columns has a different value in ``new`` than in ``old`` (NULL is a value)."""
    return "(" + " OR ".join(f"{old}.{quote(c)} IS DISTINCT FROM {new}.{quote(c)}" for c in columns) + ")"


def greater(new: str, old: str, column: str) -> str:
    """Whether a column has a greater value in ``new``: numbers by size, text by its UTF-8 bytes, NULL least."""
    a, b = f"{new}.{quote(column)}", f"{old}.{quote(column)}"
    return f"({a} IS NOT NULL AND ({b} IS NULL OR {a} > {b}))"


def later(*expressions: str) -> str:
    """The greatest of some numbers that are never NULL."""
    first, *rest = expressions
    if not rest:
        return first
    other = later(*rest)
    return f"CASE WHEN {first} >= {other} THEN {first} ELSE {other} END"


def names_of(alias: str, columns: Iterable[str]) -> str:
    """``t."a", t."b"``."""
    return ", ".join(f"{alias}.{quote(column)}" for column in columns)


def same_key(one: str, other: str, key: Iterable[str]) -> str:
    """Whether two rows have the same key."""
    return " AND ".join(f"{one}.{quote(column)} = {other}.{quote(column)}" for column in key)


def assigned(sets: Mapping[str, str]) -> str:
    """``"a" = 1, "b" = 2``."""
    return ", ".join(f"{quote(name)} = {value}" for name, value in sets.items())


def listed_in(list_: str, key: Sequence[str]) -> str:
    """Whether a row's key is in a list of the staging file, between rowids ``:first`` and ``:last``."""
    keys = f"SELECT {names_of('g', key)} FROM staging.{list_} g WHERE g.rowid BETWEEN :first AND :last"
    return f"({names(key)}) IN ({keys})"


def keys_listed(key: Sequence[str], count: int) -> str:
    """A list of ``count`` keys, their columns given as parameters ``k0``, ``k1`` ..., one by one."""
    width = len(key)
    rows = (", ".join(f":k{row * width + n}" for n in range(width)) for row in range(count))
    return "VALUES " + ", ".join(f"({row})" for row in rows)
