"""Showing how far long work is.

Owns the display: a bar with rate and time left on a terminal, a plain line every few seconds elsewhere.
"""

import time
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_EVERY_SECONDS = 3.0
_WORDS = {
    "checking": "checking (bytes)",
    "reading": "reading rows",
    "staging": "sorting rows",
    "comparing": "comparing rows",
    "deleting": "deleting rows",
    "merging": "merging rows",
    "absent": "rows no longer there",
    "indexing": "entering into search",
}


class Progress:
    """Use as a context manager; ``told`` takes what an operation emits."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._console = Console(file=stream)
        self._bars: Bars | None = None
        self._quiet = quiet
        self._task: TaskID | None = None
        self._step = ""
        self._spoken = time.monotonic()
        self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        if self._console.is_terminal and not self._quiet:
            words, rate = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}")
            columns = (words, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
            self._bars = Bars(*columns, console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def told(self, line: dict[str, Any]) -> None:
        """Show ``{"progress": [step, done, total]}``; anything else is not for here."""
        if self._quiet or "progress" not in line:
            return
        step, done, total = line["progress"]
        words = _WORDS.get(step, step)
        if step != self._step:
            self._step, self._began = step, time.monotonic()
            if self._bars is not None:
                if self._task is not None:
                    self._bars.remove_task(self._task)
                self._task = self._bars.add_task(words, total=total or None, rate="")
        rate = f"{done / max(time.monotonic() - self._began, 0.001):,.0f}/s"
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, total=total or None, rate=rate)
        elif time.monotonic() - self._spoken > _EVERY_SECONDS:
            self._spoken = time.monotonic()
            of = f" of {total:,}" if total else ""
            self._console.print(f"{words}: {done:,}{of} ({rate})", highlight=False)
