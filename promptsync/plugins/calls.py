"""Calling the functions of one plugin: on threads of its own, each within its time, counted.

Owns the isolation. A function that raises or takes too long fails that one call; three failures in a row pause the
plugin for a quarter of an hour, after which it gets one more try at a time. A thread cannot be ended from outside: one
that takes too long is left behind, and its result, should there ever be one, is ignored.
"""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import structlog

from promptsync.errors import PromptsyncError, Unavailable
from promptsync.plugins.declared import PluginError

_log = structlog.get_logger()
IN_A_ROW = 3
PAUSE_SECONDS = 900.0
_GLANCE = 0.1  # seconds between two looks at whether a call takes too long
_OURS = str(Path(__file__).parent.parent)

Call = Callable[..., Any]


class PluginFailed(PromptsyncError):
    """A call of a plugin's function failed. The sentence begins with the plugin's name."""


class PluginPaused(PluginFailed):
    """The plugin failed three times in a row: it was not called."""

    retryable = True


@dataclass(slots=True)
class Tally:
    """How one hook of a plugin has fared. ``seconds``: spent in it."""

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Job:
    """Items to call a function with, one after the other, on one thread."""

    function: Call
    items: Sequence[tuple[Any, ...]]
    in_a_row: int
    results: list[Any] = field(default_factory=list)
    started: float = 0.0
    seconds: float = 0.0
    left_behind: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """On the plugin's thread: until the items end, too many failed in a row, or nobody waits any more."""
        for item in self.items:
            self.started = time.monotonic()
            failed = False
            try:
                result = self.function(*item)
            except BaseException as error:  # noqa: BLE001  SystemExit too: it is the plugin's, not ours
                result, failed = error, True
            with self.lock:
                if self.left_behind:
                    return
                self.seconds += time.monotonic() - self.started
                self.results.append(_Failure(_words(result)) if failed else result)
                self.in_a_row = self.in_a_row + 1 if failed else 0
            if self.in_a_row >= IN_A_ROW:
                break
        self.over.set()

    def leave(self, limit: float) -> bool:
        """Whether the running item has had its time; if so, nothing of it counts any more."""
        with self.lock:
            if self.over.is_set() or len(self.results) >= len(self.items):
                return False
            spent = time.monotonic() - self.started
            if self.started and spent >= limit:
                self.left_behind = True
                self.seconds += spent
        return self.left_behind


@dataclass(frozen=True, slots=True)
class _Failure:
    """A call that failed, and why in words."""

    why: str


class Calls:
    """The way to call one plugin. ``limit``: seconds for a call that states none.

    ``told``: called with the sentence why when a pause begins, with None when it has ended.
    """

    def __init__(self, plugin: str, limit: float = 2.0) -> None:
        self.plugin = plugin
        self.limit = limit
        self.report: Callable[[str | None], None] = lambda _: None
        self.tallies: dict[str, Tally] = {}
        self.error = ""
        self._in_a_row = 0
        self._paused_until = 0.0
        self._lanes: dict[str, _Lane] = {}
        self._state = threading.Lock()
        self._closed = threading.Event()

    @property
    def pause(self) -> float:
        """Seconds until the plugin is called again; 0 if it is not paused."""
        return max(0.0, self._paused_until - time.monotonic())

    def one(self, hook: str, function: Call, *arguments: Any, limit: float | None = None) -> Any:
        """Call a function. Raises PluginFailed, PluginPaused if it is not even tried."""
        (result,) = self.each(hook, function, [arguments], limit)
        if isinstance(result, PluginFailed):
            raise result
        return result

    def each(
        self, hook: str, function: Call, items: Sequence[tuple[Any, ...]], limit: float | None = None
    ) -> list[Any]:
        """Call a function with each of ``items``; each has ``limit`` seconds. One result each, PluginFailed for what
        failed, PluginPaused for what was not tried. Raises Unavailable once closed."""
        results: list[Any] = []
        limit = self.limit if limit is None else limit
        while len(results) < len(items) and not self.pause:
            results += self._some(hook, function, items[len(results) :], limit)
            if self._closed.is_set():
                raise Unavailable("promptsync is stopping; try again in a moment.")
        skipped = PluginPaused(f"plugin {self.plugin} is paused ({self.error})")
        results += [skipped] * (len(items) - len(results))
        return results

    def close(self) -> None:
        """Call nothing more, and let go of the threads."""
        self._closed.set()
        for lane in list(self._lanes.values()):
            lane.close()

    def _some(self, hook: str, function: Call, items: Sequence[tuple[Any, ...]], limit: float) -> list[Any]:
        """Results of the first few items: as far as one thread gets."""
        with self._state:
            lane = self._lanes.setdefault(hook, _Lane(f"plugin-{self.plugin}-{hook}"))
            tally = self.tallies.setdefault(hook, Tally())
            before = self._in_a_row
        with lane.lock:
            job = _Job(function, items, min(before, IN_A_ROW - 1))
            lane.give(job)
            while not job.over.wait(min(_GLANCE, limit / 4)):
                if job.leave(0.0 if self._closed.is_set() else limit):
                    lane.replace()
                    break
        results = list(job.results)
        if job.left_behind and not self._closed.is_set():
            results.append(_Failure(f"it took longer than {limit:g} seconds"))
            job.in_a_row += 1
        results = [self._failed(hook, r) if isinstance(r, _Failure) else r for r in results]
        failures = self._count(tally, job, results)
        if failures and hook != "start":  # what fails at the start is said by whoever started it
            _log.warning("plugin_failed", plugin=self.plugin, failures=failures, error=self.error, pause=self.pause)
        return results

    def _failed(self, hook: str, failure: _Failure) -> PluginFailed:
        self.error = f"{hook}: {failure.why}"
        return PluginFailed(f"plugin {self.plugin}: {self.error}")

    def _count(self, tally: Tally, job: _Job, results: list[Any]) -> int:
        failures = sum(isinstance(result, PluginFailed) for result in results)
        with self._state:
            tally.calls += len(results)
            tally.failures += failures
            tally.seconds += job.seconds
            recovered = self._in_a_row >= IN_A_ROW and len(results) > 0 and job.in_a_row == 0
            self._in_a_row = job.in_a_row
            paused = self._in_a_row >= IN_A_ROW
            if paused:
                self._paused_until = time.monotonic() + PAUSE_SECONDS
        if paused or recovered:
            self.report(self.error if paused else None)
        return failures


class _Lane:
    """A thread that works off jobs, started with the first one."""

    def __init__(self, name: str) -> None:
        self.lock = threading.Lock()
        self._name = name
        self._jobs: SimpleQueue[_Job | None] | None = None

    def give(self, job: _Job) -> None:
        """Have the thread run a job."""
        if self._jobs is None:
            self._jobs = SimpleQueue()
            threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True).start()
        self._jobs.put(job)

    def replace(self) -> None:
        """Leave the thread behind: it ends should it ever come back. The next job gets a new one."""
        self.close()
        self._jobs = None

    def close(self) -> None:
        """Let the thread end when it is idle."""
        if self._jobs is not None:
            self._jobs.put(None)


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        job.run()


def _words(error: BaseException) -> str:
    """Why, without a word of what the plugin was given: the class and the line, or the plugin's own sentence."""
    if isinstance(error, PluginError | PromptsyncError):
        with suppress(Exception):  # the class may be the plugin's own, and say it in its own way
            return str(error)
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith((_OURS, "<"))]
    if not frames:
        return type(error).__name__
    line = [frame.lineno for frame in frames if frame.filename == frames[0].filename][-1]
    return f"{type(error).__name__} in line {line} of {Path(frames[0].filename).name}"
