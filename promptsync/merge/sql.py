"""The few pieces of SQL that all generated statements share: quoting, lists, comparison.

Owns spelling only. Everything stays within what SQLite and PostgreSQL both understand.
"""

from collections.abc import Iterable, Sequence


def quote(name: str) -> str:
    """An identifier, safe whatever a vendor calls a column."""
    return '"' + name.replace('"', '""') + '"'


def names(columns: Iterable[str]) -> str:
    """``"a", "b"``."""
    return ", ".join(quote(column) for column in columns)


def differs(old: str, new: str, columns: Sequence[str]) -> str:
    """Whether any of the columns has another value in ``new`` than in ``old`` (NULL is a value)."""
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
