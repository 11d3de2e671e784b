"""Calling the functions of one plugin: on threads of its own, each within its time, counted.

Owns the isolation. A function that raises or takes too long fails that one call; when it is called again is decided in
patience.py, for each hook by itself, and for each observer and source. A thread cannot be ended from outside: one that
takes too long is left behind, and its result, should there ever be one, is ignored.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import structlog

from promptsync.errors import PromptsyncError, Unavailable
from promptsync.plugins.failures import in_words
from promptsync.plugins.patience import Standing, Trouble, part_of

_log = structlog.get_logger()
_GLANCE = 0.1  # seconds between two looks at whether a call takes too long

Call = Callable[..., Any]


class PluginFailed(PromptsyncError):
    """A call of a plugin's function failed. The sentence begins with the plugin's name; the cause is its exception."""


class PluginPaused(PluginFailed):
    """The function failed before, and its time to be called again has not come: it was not called."""

    retryable = True


@dataclass(slots=True)
class Tally:
    """How one hook of a plugin has fared. ``seconds``: spent in it."""

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Job:
    """Items to call a function with, one after the other, on one thread. ``allowance``: failures in a row that end it
    and, before one that did not fail, ``before``."""

    function: Call
    items: Sequence[tuple[Any, ...]]
    allowance: int
    before: int
    results: list[Any] = field(default_factory=list)
    started: float = 0.0
    seconds: float = 0.0
    left_behind: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """On the plugin's thread: until the items end, too many failed in a row, or nobody waits any more."""
        in_a_row = self.before
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
                self.results.append(_Failure(in_words(result), result) if failed else result)
            in_a_row = in_a_row + 1 if failed else 0
            if in_a_row >= self.allowance:
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
    """A call that failed, why in words, and what was raised; nothing was where it took too long."""

    why: str
    error: BaseException | None = None


class Calls:
    """The way to call one plugin. ``limit``: seconds for a call that states none. ``clock``: seconds, running forward.

    ``report``: called with what has begun to fail or be paused, and with the part's name and None once it works again.
    ``show``: called with every exception that a function raised, for whoever may see all of it.
    """

    def __init__(self, plugin: str, limit: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.plugin = plugin
        self.limit = limit
        self.report: Callable[[str, Trouble | None], None] = lambda *_: None
        self.show: Callable[[BaseException], None] = self._log_traceback
        self.tallies: dict[str, Tally] = {}
        self.error = ""
        self._clock = clock
        self._standings: dict[str, Standing] = {}
        self._lanes: dict[str, _Lane] = {}
        self._state = threading.Lock()
        self._closed = threading.Event()

    def troubles(self) -> list[Trouble]:
        """What fails now, paused or not."""
        with self._state:
            found = [standing.trouble() for standing in self._standings.values()]
        return [one for one in found if one is not None]

    def failures(self, hook: str, name: str = "") -> int:
        """How often in a row it has failed up to now."""
        return self._standing(hook, name).failures

    def wait(self, hook: str, name: str = "") -> float:
        """Seconds until it is called again; 0 if it can be called."""
        return self._standing(hook, name).wait(self._clock())

    def one(
        self, hook: str, function: Call, *arguments: Any, limit: float | None = None, name: str = "", now: bool = False
    ) -> Any:
        """Call a function. ``name``: of the observer or source whose it is; ``now``: even if it should wait.

        Raises PluginFailed, PluginPaused if it is not even tried.
        """
        standing = self._standing(hook, name)
        (result,) = self._each(standing, function, [arguments], self.limit if limit is None else limit, now=now)
        if isinstance(result, PluginFailed):
            raise result
        return result

    def each(self, hook: str, function: Call, items: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Call a function with each of ``items``. One result each, PluginFailed for what failed, PluginPaused for what
        was not tried. Raises Unavailable once closed."""
        return self._each(self._standing(hook), function, items, self.limit, now=False)

    def close(self) -> None:
        """Call nothing more, and let go of the threads."""
        self._closed.set()
        for lane in list(self._lanes.values()):
            lane.close()

    def _standing(self, hook: str, name: str = "") -> Standing:
        with self._state:
            return self._standings.setdefault(part_of(hook, name), Standing(hook, name))

    def _each(
        self, standing: Standing, function: Call, items: Sequence[tuple[Any, ...]], limit: float, *, now: bool
    ) -> list[Any]:
        results: list[Any] = []
        while len(results) < len(items) and (now or not standing.wait(self._clock())):
            results += self._some(standing, function, items[len(results) :], limit)
            if self._closed.is_set():
                raise Unavailable("promptsync is stopping; try again in a moment.")
        skipped = PluginPaused(f"plugin {self.plugin} is paused ({standing.hook}: {standing.error})")
        results += [skipped] * (len(items) - len(results))
        return results

    def _some(self, standing: Standing, function: Call, items: Sequence[tuple[Any, ...]], limit: float) -> list[Any]:
        """Results of the first few items: as far as one thread gets."""
        hook = standing.hook
        with self._state:
            part = part_of(hook, standing.name)
            lane = self._lanes.setdefault(part, _Lane(f"plugin-{self.plugin}-{part}"))
            tally = self.tallies.setdefault(hook, Tally())
            most = 1 if standing.policy.patient else standing.policy.failures
            job = _Job(function, items, most, most - standing.allowance)
        with lane.lock:
            lane.give(job)
            while not job.over.wait(min(_GLANCE, limit / 4)):
                if job.leave(0.0 if self._closed.is_set() else limit):
                    lane.replace()
                    break
        results = list(job.results)
        if job.left_behind and not self._closed.is_set():
            results.append(_Failure(f"it took longer than {limit:g} seconds"))
        self._count(standing, tally, job.seconds, results)
        return [self._failed(hook, result) if isinstance(result, _Failure) else result for result in results]

    def _failed(self, hook: str, failure: _Failure) -> PluginFailed:
        if failure.error is not None:
            self.show(failure.error)
        failed = PluginFailed(f"plugin {self.plugin}: {hook}: {failure.why}")
        failed.__cause__ = failure.error
        return failed

    def _count(self, standing: Standing, tally: Tally, seconds: float, results: Iterable[Any]) -> None:
        with self._state:
            before = standing.trouble()
            tally.seconds += seconds
            for result in results:
                tally.calls += 1
                if isinstance(result, _Failure):
                    tally.failures += 1
                    standing.failed(self._clock(), result.why)
                    self.error = f"{standing.hook}: {result.why}"
                else:
                    standing.succeeded()
            after = standing.trouble()
        if after is not None and after != before and standing.hook != "start":  # a start is said by who makes it
            said = {"part": after.part, "failures": after.failures, "error": after.error, "paused": after.paused}
            again_in = round(standing.wait(self._clock()), 1)
            _log.warning("plugin_failed", plugin=self.plugin, **said, again_in=again_in)
        if after is not None and (after.paused or standing.policy.patient) and after != before:
            self.report(after.part, after)
        elif after is None and before is not None and (before.paused or standing.policy.patient):
            self.report(before.part, None)

    def _log_traceback(self, error: BaseException) -> None:
        """For ``-v -v``: an exception's text may hold what people wrote."""
        _log.debug("plugin_traceback", plugin=self.plugin, exception="".join(traceback.format_exception(error)))


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
