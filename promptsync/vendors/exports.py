"""Rows that a vendor hands out only when it is asked for them, job by job: what promptsync does with such a vendor.

Owns the shape, which the engine, the daemon's tasks and the commands go by. What a job is, and how one is carried on,
is the vendor's. Blocking: for worker threads and commands.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from promptsync.config import Config
    from promptsync.config.schedules import Schedule
    from promptsync.loading.report import FileReport, LoadRequest
    from promptsync.places.patience import Patience
    from promptsync.store.slices import Progress


class Exports(Protocol):
    """Exports into one mirror. What is asked for, and its parameters, have the vendor's names for them.

    What asks for rows raises ConfigError if the configuration has no section of the vendor's, or asks for what it does
    not have, and Unavailable if it cannot be reached.
    """

    def reconfigure(self, config: "Config") -> None:
        """Go by another configuration, from the next run on."""

    @property
    def schedules(self) -> "Mapping[str, Schedule] | None":
        """When each kind is asked for, of those that are by the clock; None if the vendor is not configured."""

    @property
    def tables(self) -> Collection[str]:
        """The tables that exports fill."""

    def request(self, kind_name: str, params: Mapping[str, Any]) -> list[int]:
        """Put jobs on record; returns their ids. Nothing is sent yet."""

    def carry_on(
        self, ids: list[int] | None, progress: "Progress" = ..., patience: "Patience | None" = None
    ) -> list[dict[str, Any]]:
        """Carry jobs (None: all open ones) on until they are closed; returns their rows."""

    def resume_by_hand(
        self, ids: Sequence[int], *, accept: bool, progress: "Progress" = ..., patience: "Patience | None" = None
    ) -> list[dict[str, Any]]:
        """Carry on what is open, and try what is held once more; returns the jobs' rows. ``ids``: only these, if any.
        ``accept``: a person has looked at what is held."""

    def newest(
        self, query: Mapping[str, Any], progress: "Progress" = ..., patience: "Patience | None" = None
    ) -> dict[str, int]:
        """Read the newest rows without a job and merge them; returns counts."""

    def scheduled(self, kind_name: str) -> str:
        """Ask for what is new and merge it; returns a sentence."""

    def resume(self) -> str | None:
        """Carry on what is open, if anything is; returns a sentence."""

    def knows(self, request: "LoadRequest") -> bool:
        """Whether a file is to be loaded as an export: it is said to be one, or it is where a job left it."""

    def load(self, request: "LoadRequest", progress: "Progress") -> "FileReport":
        """Load one file; a job that it is of is then loaded too."""

    def paused(self) -> AbstractContextManager[None]:
        """Load no export meanwhile: what is being loaded is finished first."""

    def tidy(self) -> None:
        """Remove the files of merged jobs of which no row waits any more."""
