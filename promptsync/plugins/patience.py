"""When a plugin's function that failed is called again.

Owns the decision, which is pure: the time is handed in, in seconds of a clock that only runs forward. What waits on the
outside (a receiver, a place that files come from) is called again with growing delay for hours before it counts as
paused; what is called with every delivery is left out at once. Each observer and each source stands for itself.
"""

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``first``, ``longest``: seconds until the call after the first failure, and at most; each delay is twice the one
    before; 0: none. ``failures`` in a row over at least ``lasting`` seconds pause it; then it has one try every
    ``pause`` seconds."""

    failures: int = 3
    lasting: float = 0.0
    first: float = 0.0
    longest: float = 0.0
    pause: float = 15 * MINUTE

    @property
    def patient(self) -> bool:
        """Whether each failure is followed by a delay of its own."""
        return self.first > 0


AT_ONCE: Final = RetryPolicy()
"""Of what is called with every delivery, file, request or question."""

POLICIES: Final = {
    "observers": RetryPolicy(lasting=4 * HOUR, first=0.5, longest=5 * MINUTE, pause=HOUR),
    "sources": RetryPolicy(lasting=4 * HOUR, first=MINUTE, longest=30 * MINUTE, pause=HOUR),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What fails of a plugin. ``hook``; ``name``: of the observer or source, else empty. ``error``: why, in words."""

    hook: str
    name: str
    error: str
    failures: int
    paused: bool

    @property
    def part(self) -> str:
        """``observers.opt_outs``, or the hook alone."""
        return part_of(self.hook, self.name)


def part_of(hook: str, name: str) -> str:
    """What fails and pauses by itself: a hook, or one of its observers or sources.

    >>> part_of("sources", "list"), part_of("filters", "")
    ('sources.list', 'filters')
    """
    return f"{hook}.{name}" if name else hook


class Standing:
    """How one part of a plugin fares. ``failures``: in a row, up to now; ``error``: of the last of them."""

    __slots__ = ("_delay", "_due", "_since", "error", "failures", "hook", "name", "paused", "policy")

    def __init__(self, hook: str, name: str = "") -> None:
        self.hook, self.name = hook, name
        self.policy = POLICIES.get(hook, AT_ONCE)
        self.failures = 0
        self.paused = False
        self.error = ""
        self._since = self._due = self._delay = 0.0

    def wait(self, now: float) -> float:
        """Seconds until it is called again; 0 if it can be called."""
        return min(self._delay, max(0.0, self._due - now)) if self.failures else 0.0

    @property
    def allowance(self) -> int:
        """How many failures in a row end the calling for now."""
        return 1 if self.policy.patient else max(1, self.policy.failures - self.failures)

    def failed(self, now: float, error: str) -> None:
        """A call failed."""
        self._since = self._since if self.failures else now
        self.failures += 1
        self.error = error
        policy = self.policy
        self.paused = self.failures >= policy.failures and now - self._since >= policy.lasting
        delay = min(policy.first * 2.0 ** min(self.failures - 1, 60), policy.longest)
        self._delay = policy.pause if self.paused else delay  # which a sum of floats can exceed by a hair
        self._due = now + self._delay

    def succeeded(self) -> None:
        """A call did what it should."""
        self.failures = 0
        self.paused = False

    def trouble(self) -> Trouble | None:
        """What there is to say of it; None if it works."""
        return Trouble(self.hook, self.name, self.error, self.failures, self.paused) if self.failures else None
