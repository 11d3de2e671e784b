"""The version of a claim: one integer that orders all claims about one column group.

Owns the layout, from the highest bit down, so that a plain integer comparison IS the rule:

    terminal   1 bit    a message status that nothing later can undo
    time       52 bits  observed_at, microseconds since the epoch, UTC
    rank       4 bits   webhook 2, async export 1, snapshot 0
    stage      4 bits   the later delivery stage wins a tie

0 means "never claimed". Between equal versions the greater value wins (rule.py). spec.py has the version as a tuple.
"""

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what only looks at a mirror needs no numpy
    import numpy as np
    import numpy.typing as npt

_STAGE_BITS = 4
_TIME_SHIFT = 8
_TIME_MAX = (1 << 52) - 1
TERMINAL = 1 << 61
PER_MICRO = 1 << _TIME_SHIFT
"""``version // PER_MICRO`` is the time of a version that is not terminal."""


class Rank(IntEnum):
    """Which source wins when two claims are of the same instant."""

    SNAPSHOT = 0
    ASYNC_EXPORT = 1
    WEBHOOK = 2


def time_of(claimed: int) -> int:
    """The time of a version, microseconds since 1970, UTC."""
    return (claimed & ~TERMINAL) >> _TIME_SHIFT


def not_after(claimed: int, latest: int) -> int:
    """The same version with its time limited to ``latest``, microseconds: no claim is believed beyond that.

    >>> not_after(version(2_000, Rank.WEBHOOK), 1_500) == version(1_500, Rank.WEBHOOK)
    True
    """
    if time_of(claimed) <= latest:
        return claimed
    return (claimed & (TERMINAL | PER_MICRO - 1)) | latest << _TIME_SHIFT


STAGES = ("NA", "QUEUED", "SENT", "RECEIVED", "DELIVERED", "READ", "FAILED", "UNDELIVERED", "OPTED_OUT", "ABORTED")
"""Delivery states of a message, earliest first (Event Endpoint specification, MessageModel.status)."""

_FIRST_TERMINAL = STAGES.index("RECEIVED")
_SUCCESSFUL = {"SENT": 1, "DELIVERED": 1, "READ": 1, "FAILED": 0, "UNDELIVERED": 0, "OPTED_OUT": 0, "ABORTED": 0}


def version(observed_at: int, rank: Rank) -> int:
    """The version of a claim, never 0. ``observed_at``: microseconds since 1970, UTC."""
    if not 0 < observed_at < _TIME_MAX:
        observed_at = min(max(observed_at, 0), _TIME_MAX)
    return observed_at << _TIME_SHIFT | rank << _STAGE_BITS or 1


def versions(observed_at: "npt.NDArray[np.int64]", rank: Rank) -> "npt.NDArray[np.int64]":
    """The same of many claims at once; of rank 0, none may be of the instant 0."""
    return observed_at.clip(0, _TIME_MAX) << _TIME_SHIFT | rank << _STAGE_BITS


def status_version(observed_at: int, status: str) -> int:
    """The version of a webhook's claim about a message's delivery: terminal first, then time, then stage.

    A status that the specification does not list counts as the earliest stage.
    """
    stage = STAGES.index(status) if status in STAGES else 0
    plain = version(observed_at, Rank.WEBHOOK) | stage
    return plain | TERMINAL if stage >= _FIRST_TERMINAL else plain


def outcome_of(status: str) -> int | None:
    """What a status says about ``is_successful``: 1, 0 or nothing."""
    return _SUCCESSFUL.get(status)
