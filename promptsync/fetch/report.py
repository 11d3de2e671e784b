"""What came of looking at one place.

Owns the shape, and the sentence for the record of runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from promptsync.loading.files import FileReport

_MOST_LISTED: Final = 1_000


@dataclass(slots=True)
class FetchReport:
    """What came of one source. ``listed``, ``new``, ...: numbers of files. ``files``: the ledger's row of each loaded,
    ``problems`` and ``notes``: sentences; the first thousand of each. ``rejected``: rows. ``over_budget``: files that
    wait because of content_budget; ``put_away``: deleted or moved after they were loaded; ``passed_over``: entries that
    could not be listed; ``still_held``: files that an earlier run held.

    ``own_marks``: files that the vendor writes for itself, ``own_mark``: what such a file is, a sentence.
    ``error``: why the source as a whole ended early, with the error's type as ``error_type``; None if it did not.
    """

    source: str
    listed: int = 0
    new: int = 0
    loaded: int = 0
    held: int = 0
    failed: int = 0
    gone: int = 0
    strangers: int = 0
    over_budget: int = 0
    put_away: int = 0
    passed_over: int = 0
    still_held: int = 0
    own_marks: int = 0
    own_mark: str | None = None
    rejected: int = 0
    seconds: float = 0.0
    error: str | None = None
    error_type: str | None = None
    retryable: bool = False
    files: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """For the record of runs."""
        done = f"{self.listed:,} files there, {self.new:,} new, {self.loaded:,} loaded"
        words = {"held": "held", "failed": "failed", "gone": "gone", "over_budget": "over the budget"}
        words |= {"passed_over": "passed over", "still_held": "still held"}
        words |= {"own_marks": "written by the vendor for itself"}
        rest = [f"{count:,} {word}" for name, word in words.items() if (count := getattr(self, name))]
        rest += [f"{self.put_away:,} put away"] if self.put_away else []
        return " ".join((", ".join((done, *rest)) + ".", *self.notes[:1]))

    def add_file(self, loaded: FileReport, error: str | None) -> dict[str, Any]:
        """Count a file that was loaded or held; gives its row."""
        row = loaded.as_row() | {"reason": loaded.reason, "file_id": loaded.file_id, "error": error}
        self.loaded += error is None
        self.held += error is not None
        self.rejected += loaded.rejected
        _add_one(self.files, row)
        return row

    def add_still_held(self, copies: Iterable[str]) -> None:
        """Why each copy that is held now is so; those that this run has listed are not listed again."""
        listed = {file["error"] for file in self.files}
        for why in copies:
            if why not in listed:
                self.still_held += 1
                self.add_problem(f"Still held: {why}")

    def add_problem(self, says: str) -> None:
        """One more sentence about a file that could not be fetched."""
        _add_one(self.problems, says)

    def add_note(self, says: str) -> None:
        """Add a sentence that needs no action at once."""
        _add_one(self.notes, says)


def _add_one(listed: list[Any], one: Any) -> None:
    if len(listed) < _MOST_LISTED:
        listed.append(one)
