"""An asynchronous export job from request to rows: its states, and what each answer makes of it.

Owns the state machine, and a job's spelling as a row of ``sync_job``. Pure: knows no network, no store and no clock;
every instant is a parameter, in microseconds. Each change of state is written down before the next step is taken, so
that a job survives a kill anywhere: every step may be taken twice.

    requested --> pending --> available --> downloaded --> loaded
        |            ^  \\         |  ^          |
        v            |   v        v  |          v
     refused         expired <----+  +------- (file gone)      anything --> failed
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any, Final

from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.vendors.qlara.answers import Entry
from promptsync.vendors.qlara.profile import VendorProfile

FOLDER: Final = "exports"
"""Where the files of jobs are, below the mirror's folder."""


class State(StrEnum):
    """As written in ``sync_job``."""

    REQUESTED = "requested"
    PENDING = "pending"
    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    LOADED = "loaded"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUSED = "refused"


CLOSED = frozenset({State.LOADED, State.FAILED, State.REFUSED})


class Step(Enum):
    """What is to be done next with a job."""

    REQUEST = "request"
    FIND = "find"  # its answer was lost or named no id: look for it in the listing
    POLL = "poll"
    DOWNLOAD = "download"
    REGENERATE = "regenerate"
    LOAD = "load"


class Condition(Enum):
    """What a listing says of a job."""

    WAIT = "wait"
    READY = "ready"
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobLimits:
    """When to give up. ``deadline``: microseconds in one state. ``attempts``: requests, regenerations and downloads.

    ``settle``: microseconds after a regeneration during which the listing may still say expired.
    """

    deadline: int = 2 * 3600 * MICROS
    attempts: int = 8
    settle: int = 60 * MICROS


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``params``: what was asked for, by our names. ``id``: of its row, 0 if it has none yet."""

    kind: str
    params: Mapping[str, object]
    requested_at: int
    changed_at: int
    state: State = State.REQUESTED
    vendor_id: str | None = None
    attempts: int = 0
    file_id: int | None = None
    error: str | None = None
    id: int = field(default=0)

    @property
    def open(self) -> bool:
        """Whether there is anything left to do."""
        return self.state not in CLOSED


def next_step(job: Job) -> Step:
    """What to do with an open job. A job that may have been asked for is looked for before it is asked for again."""
    match job.state:
        case State.REQUESTED:
            return Step.FIND if job.attempts else Step.REQUEST
        case State.PENDING:
            return Step.POLL if job.vendor_id else Step.FIND
        case State.AVAILABLE:
            return Step.DOWNLOAD
        case State.EXPIRED:
            return Step.REGENERATE
        case State.DOWNLOADED:
            return Step.LOAD
    raise ValueError(f"a job that is {job.state.value} has no next step")


def moved(job: Job, state: State, now: int, error: str | None = None) -> Job:
    """The job in another state."""
    return replace(job, state=state, changed_at=now, error=error)


def tried(job: Job, now: int, limits: JobLimits, why: str) -> Job:
    """One more attempt begins, or the job has failed because there were too many."""
    if job.attempts >= limits.attempts:
        return moved(job, State.FAILED, now, f"Given up after {job.attempts} attempts: {why}")
    return replace(job, attempts=job.attempts + 1, error=why or None)


def accepted(job: Job, vendor_id: str | None, now: int) -> Job:
    """The vendor has taken the request."""
    return replace(moved(job, State.PENDING, now), vendor_id=vendor_id)


def condition(entry: Entry, profile: VendorProfile) -> Condition:
    """What a listed job is good for. An unknown status means wait; ``ready`` overrules all but expired and failed."""
    if entry.status in profile.expired:
        return Condition.EXPIRED
    if entry.status in profile.failed:
        return Condition.FAILED
    if entry.ready is not None:
        return Condition.READY if entry.ready else Condition.WAIT
    return Condition.READY if entry.status in profile.done else Condition.WAIT


def by_clock(job: Job, now: int) -> Job:
    """The job, not changed later than now: where our clock was ahead, nobody would ever have waited long enough."""
    return replace(job, changed_at=now) if job.changed_at > now else job


def looked(job: Job, entry: Entry | None, profile: VendorProfile, now: int, limits: JobLimits) -> Job:
    """A pending job after a look at the listing; ``entry`` None: it is not there (yet)."""
    said = Condition.WAIT if entry is None else condition(entry, profile)
    if entry is not None and job.vendor_id is None:
        job = replace(job, vendor_id=entry.id)
    job = by_clock(job, now)
    if said is Condition.READY:
        return moved(job, State.AVAILABLE, now)
    if said is Condition.FAILED:
        return moved(job, State.FAILED, now, "The vendor could not make this export; request it again.")
    if said is Condition.EXPIRED and not (job.attempts > 1 and now - job.changed_at < limits.settle):
        return moved(job, State.EXPIRED, now)
    if now - job.changed_at > limits.deadline:
        return moved(job, State.FAILED, now, _overdue(job, entry, limits))
    return job


def find(job: Job, listed: Iterable[Entry], types: Collection[str], taken: Collection[str], skew: int) -> Entry | None:
    """The listed job that a request with a lost answer made: of that type, the first one created after the request.

    ``taken``: vendor ids of other jobs. ``skew``: the vendor's clock less ours. Listed times may be cut to seconds.
    """
    after = job.requested_at + skew - (job.requested_at + skew) % MICROS - MICROS
    fitting = [
        (entry.created, entry)
        for entry in listed
        if entry.type in types and entry.id not in taken and entry.created is not None and entry.created >= after
    ]
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def _overdue(job: Job, entry: Entry | None, limits: JobLimits) -> str:
    minutes = limits.deadline // (60 * MICROS)
    what = "is not in the vendor's listing" if entry is None else f"is still {entry.status or 'without status'}"
    return f"After {minutes:,} minutes it {what}; request it again."


def slices(start: int, end: int, longest: int, overlap: int) -> list[tuple[int, int]]:
    """A range cut into overlapping pieces of at most ``longest``, oldest first. All in microseconds; 0: uncut."""
    if not longest or end - start <= longest:
        return [(start, end)]
    found = []
    while start + longest < end:
        found.append((start, start + longest))
        start += longest - overlap
    return [*found, (start, end)]


def row_of(job: Job) -> dict[str, Any]:
    """The columns of a job but its id. Instants are cut to milliseconds."""
    return {
        "type": job.kind,
        "range": json.dumps(job.params, sort_keys=True),
        "vendor_id": job.vendor_id,
        "state": job.state.value,
        "attempts": job.attempts,
        "requested_at": iso_millis(job.requested_at),
        "changed_at": iso_millis(job.changed_at),
        "file_id": job.file_id,
        "error": job.error,
    }


def job_of(row: Mapping[str, Any]) -> Job:
    """The job that a row holds."""
    return Job(
        id=row["id"],
        kind=row["type"],
        params=json.loads(row["range"]),
        vendor_id=row["vendor_id"],
        state=State(row["state"]),
        attempts=row["attempts"],
        requested_at=parse_iso(row["requested_at"]),
        changed_at=parse_iso(row["changed_at"]),
        file_id=row["file_id"],
        error=row["error"],
    )
