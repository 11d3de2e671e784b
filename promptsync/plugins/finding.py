"""One answer of a check.

Owns the shape. A sentence never holds a secret or personal data: it is printed and pasted into mails.
"""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """``NOTE``: worth knowing, nothing has to be done. ``PROBLEM``: a person has to do something."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check``: what was looked at, a stable name. ``says``: a sentence; of a problem, with what to do."""

    level: Level
    check: str
    says: str

    def as_dict(self) -> dict[str, str]:
        """Plain data, for JSON."""
        return {"level": self.level.value, "check": self.check, "says": self.says}


def ok(check: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, check, says)


def note(check: str, says: str) -> Finding:
    """Worth knowing."""
    return Finding(Level.NOTE, check, says)


def problem(check: str, says: str) -> Finding:
    """Somebody has to do something."""
    return Finding(Level.PROBLEM, check, says)
