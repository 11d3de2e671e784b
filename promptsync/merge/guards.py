"""Whether a snapshot can be trusted to say what is there and what is not.

Owns the pure decision to hold a file. It is about trust in an input, not about the rule: a person who has looked may
accept what is held here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guards:
    """Shares between 0 and 1: the least rows compared with the snapshot before, the most bad rows."""

    min_rows_share: float = 0.8
    max_bad_rows_share: float = 0.01


@dataclass(frozen=True, slots=True)
class Content:
    """What a file turned out to hold. ``rows``: good ones; ``keyless``: bad rows whose key could not be read."""

    rows: int
    bad: int
    keyless: int


def reason_to_hold(content: Content, rows_before: int | None, guards: Guards) -> str | None:
    """A sentence why a person should look at the file first, or None. ``rows_before``: of the snapshot before it.

    A table that was accepted as empty once may stay empty: a young organization has no opt-ins for months.
    """
    if content.rows == 0 and rows_before != 0:
        return "It has no rows."
    if content.keyless:
        return f"{content.keyless:,} of its rows have no readable key, so nobody can tell which rows it lacks."
    total = content.rows + content.bad
    if content.bad > total * guards.max_bad_rows_share:
        return f"{content.bad:,} of its {total:,} rows cannot be read."
    if rows_before and content.rows < rows_before * guards.min_rows_share:
        return f"It has {content.rows:,} rows, the snapshot before it had {rows_before:,}."
    return None


def reason_to_hold_changes(content: Content, guards: Guards) -> str | None:
    """The same of a change set. It says nothing of other rows, so it may be as small as it is."""
    total = content.rows + content.bad
    if content.bad > total * guards.max_bad_rows_share:
        return f"{content.bad:,} of its {total:,} rows cannot be read."
    return None
