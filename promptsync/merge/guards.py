"""Decides whether a file can be trusted as a statement of what exists.

Owns the pure decision to hold a file. It is about trust in an input, not about the rule: a person who has looked at a
held file may accept it.
"""

from dataclasses import dataclass

from promptsync.clock import MICROS

LATEST_AHEAD = 24 * 3_600 * MICROS
"""How far ahead of the clock an instant in a file may be, in microseconds."""
_MOST = 0.5
"""The share of bad rows at which even a few of them hold a file."""


@dataclass(frozen=True, slots=True)
class Guards:
    """Shares between 0 and 1: the fewest rows compared with the snapshot before, and the most bad rows.

    ``min_bad_rows``: fewer bad rows than this never hold a file, unless they are half of it.
    """

    min_rows_share: float = 0.8
    max_bad_rows_share: float = 0.01
    min_bad_rows: int = 10


@dataclass(frozen=True, slots=True)
class Content:
    """What a file contained. ``rows``: good ones; ``keyless``: bad rows whose key could not be read.

    ``first_bad``: where the first bad row is and what is wrong with it, in words; empty if unknown.
    """

    rows: int
    bad: int
    keyless: int
    first_bad: str = ""


def reason_to_hold(content: Content, rows_before: int | None, guards: Guards) -> str | None:
    """A sentence why a person should look at the file first, or None. ``rows_before``: rows of the snapshot before it.

    A table that was once accepted as empty may stay empty: a young organization has no opt-ins for months.
    """
    if content.rows == 0 and content.bad == 0 and rows_before != 0:
        return "It has no rows."
    if why := reason_in_bad_rows(content, guards):
        return why
    rows = content.rows + content.bad
    if rows_before and rows < rows_before * guards.min_rows_share:
        return f"It has {rows:,} rows, the snapshot before it had {rows_before:,}."
    return None


def reason_in_rows_lost(lost: int, rows_before: int | None, guards: Guards) -> str | None:
    """A sentence why the rows missing from a snapshot hold it, or None. ``lost``: how many of the ``rows_before`` rows
    of the newest applied one are missing, compared by key: new rows do not make up for them."""
    if rows_before and rows_before - lost < rows_before * guards.min_rows_share:
        return f"It lacks {lost:,} of the {rows_before:,} rows that the snapshot before it had."
    return None


def reason_in_bad_rows(content: Content, guards: Guards) -> str | None:
    """A sentence why the rows that cannot be read hold a file of any kind, or None.

    A change set or an export says nothing about other rows, so this is the only check for them.
    """
    total, first = content.rows + content.bad, f" The first, {content.first_bad}" if content.first_bad else ""
    if content.keyless:
        verb = "has" if content.keyless == 1 else "have"
        return f"{content.keyless:,} of its {total:,} rows {verb} no readable key.{first}"
    many = content.bad >= guards.min_bad_rows or content.bad >= total * _MOST
    if many and content.bad > total * guards.max_bad_rows_share:
        return f"{content.bad:,} of its {total:,} rows cannot be read.{first}"
    return None
