"""Full-set lists: what a list that restates everything says about what it lacks.

Owns the pure decision. A link is removed at the time of the first full list after it was last mentioned; every full
list's time is kept, so that the answer is the same in whatever order they arrive.
"""

from bisect import bisect_right
from collections.abc import Sequence


def removed_at(last_seen: int, full_lists: Sequence[int]) -> int | None:
    """When a link last mentioned at ``last_seen`` was removed. ``full_lists``: ascending. All in microseconds."""
    place = bisect_right(full_lists, last_seen)
    return full_lists[place] if place < len(full_lists) else None
