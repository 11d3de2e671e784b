"""A value over time: what it was at any instant. The one structure in which the simulated world keeps its past."""

from bisect import bisect_right
from typing import Generic, TypeVar

V = TypeVar("V")


class Timeline(Generic[V]):
    """A value that was first set at some instant and changed at later ones (microseconds)."""

    __slots__ = ("times", "values")

    def __init__(self, at: int, value: V) -> None:
        self.times = [at]
        self.values = [value]

    def set(self, at: int, value: V) -> None:
        """The value from ``at`` on. Raises ValueError unless it is later than every change before."""
        if at <= self.times[-1]:
            raise ValueError("a timeline goes forward")
        self.times.append(at)
        self.values.append(value)

    def at(self, when: int) -> V:
        """The value at an instant; the first one before there was any."""
        return self.values[max(bisect_right(self.times, when) - 1, 0)]

    def since(self, when: int) -> int:
        """When the value that held at ``when`` had been set."""
        return self.times[max(bisect_right(self.times, when) - 1, 0)]
