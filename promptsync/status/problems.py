"""What needs a person: the one place where the state of a mirror becomes sentences that say what to do.

Owns what counts as a problem. Pure: it is handed what was read (facts.py) and what is known of the daemon, and so the
command line, the daemon's alerts and metrics, and through them the pages, all say the same. Anyone may knock at an
address of the internet: a wrong path is a problem only as long as no delivery gets through.
"""

import shlex
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, parse_iso, seconds_since
from promptsync.errors import size_in_words
from promptsync.status.backups import backup_problems
from promptsync.status.facts import Expectations, Status
from promptsync.status.plugins import plugin_problems
from promptsync.status.sources import source_problems
from promptsync.store.overview import ChangeSetState
from promptsync.store.refusals import Oversized, RefusedDeliveries

_WRONG_CLOCK: Final = 86_400 * MICROS
"""A row that much later than now is no matter of two clocks that differ."""
_LEAST_SILENCE: Final = timedelta(days=1)
_LONGEST_WAIT: Final = timedelta(minutes=15)
"""A delivery that has waited for longer is not about to be applied."""
LOW_DISK: Final = 256 << 20

NOTHING_YET: Final = (
    "Nothing has arrived yet: load a file, or enter the webhook at the vendor ('promptsync init' shows how)."
)
"""What is said of a mirror that is new. It ends by itself with the first file or delivery."""

_MIB: Final = 1 << 20
_MOST_KINDS: Final = 3
_DOCTOR: Final = "'promptsync doctor' says what is in the way"
_REFUSED: Final = {
    "wrong_signature": ("wrong signature", "compare the secret in webhook.secrets with the one entered at Prompt"),
    "unsigned": (
        "no signature",
        "enter the secret at Prompt, or find out who else posts to this address",
    ),
    "wrong_password": ("wrong password", "compare webhook.basic_auth with the user and password entered at Prompt"),
    "wrong_header": ("wrong or missing header", "compare webhook.headers with what the proxy in front adds"),
    "path": ("wrong path", "compare webhook.path with the end of the address entered at Prompt"),
    "method": ("not sent with POST", "see that the proxy in front passes deliveries on as they are"),
    "content_encoding": ("compressed", "have the proxy in front pass bodies on as they are"),
    "event_type": ("header and path name different events", "see that the proxy in front keeps the whole path"),
    "not_json": ("not JSON", "find out who else posts to this address with the secret"),
    "unavailable": ("could not be stored", _DOCTOR),
    "unexpected": ("could not be stored", _DOCTOR),
    "no_room": ("too many large ones at once", "have the vendor send them again"),
}
"""What the listener's reasons are for people, and what to do. What is not here is the network's, and passes."""
_PASSING: Final = frozenset({"path", "method"})


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What is known of the daemon. ``troubles``: sentences of its own; ``free``: bytes of room where the mirror is,
    None if that could not be seen."""

    runs: bool
    troubles: tuple[str, ...] = ()
    free: int | None = None


def daemon_problems(daemon: DaemonState, *, watched: bool) -> Iterator[str]:
    """Sentences about the daemon and its machine. ``watched``: whether one has ever looked after this mirror; who only
    loads files by hand needs none."""
    yield from daemon.troubles
    if not daemon.runs and watched:
        yield (
            "The daemon is not running, so that nothing is received: 'systemctl start promptsync' starts the service, "
            "'promptsync run' starts it here."
        )
    if daemon.free is not None and daemon.free < LOW_DISK and not daemon.troubles:
        yield f"Only {size_in_words(daemon.free)} are free where the mirror is: make room, or deliveries are refused."


def status_problems(status: Status, expected: Expectations, unchanging: Container[str]) -> Iterator[str]:
    """Sentences about a mirror, each for a person to act on. ``unchanging``: tables whose rows are."""
    now = parse_iso(status.checked_at)
    if not (
        status.tables
        or status.events.received
        or status.merged_exports
        or status.change_sets
        or any(part.newest_file for part in status.plugin_parts)
    ):
        yield NOTHING_YET
    for table in status.tables:
        if table.future:
            yield (
                f"{table.table} of organization {table.org_id} holds an export of {table.future}, which has not come "
                "yet, so that no later one counts; 'promptsync doctor --repair' takes it back."
            )
        elif table.stale:
            yield (
                f"{table.table} of organization {table.org_id} is as of {table.newest}: newer exports are missing"
                f"{'' if expected.sources else ', and no place to fetch them from is configured ([[nightly]])'}."
            )
    yield from source_problems(status.sources)
    yield from change_set_problems(status.change_sets, unchanging, now)
    for file in status.held:
        action = "put it right" if file.state != "ignored" else "rename it or say what it is"
        reason = str(file.error).removeprefix(f"{file.name} ").removesuffix(".")
        yield f"{file.name} is {file.state} ({reason}); {action}, or: promptsync files discard {file.id}"
    for other in status.differing:
        yield differs(other.name, other.differing, other.path)
    for file in status.unfinished:
        yield f"{file.name} was not finished; load it again."
    for job in status.jobs:
        if job.state in ("failed", "refused"):
            yield f"Export {job.id} of {job.type} is {job.state}: {job.error}"
    yield from plugin_problems(status.plugins, status.plugin_parts)
    if status.rejects:
        total = sum(status.rejects.values())
        yield f"{total:,} rejected rows or deliveries wait: 'promptsync rejects list' shows them."
    yield from _about_deliveries(status, expected, now)
    for task in status.failing:
        yield f"The task '{task.task}' failed when it last ran, on {task.started_at}: {task.message}"
    yield from set_up_problems(status, expected)
    yield from backup_problems(status.backup)
    if (ahead := future_problem(status)) is not None:
        yield ahead


def set_up_problems(status: Status, expected: Expectations) -> Iterator[str]:
    """Sentences about how this machine, the sender and the proxy between them are set up."""
    found = (
        refused_problem(status.refused, status.events.newest, expected.zone),
        oversized_problem(status.oversized, expected.max_body),
        status.key_problem,
        status.log.problem,
    )
    yield from filter(None, found)


def refused_problem(found: Sequence[RefusedDeliveries], let_in: str | None, zone: ZoneInfo) -> str | None:
    """A sentence for a person to act on; None if there is nothing to do.

    ``found``: those of the last hour; ``let_in``: when the newest delivery was stored (ISO); ``zone``: of clock times.
    """
    wrong = [one for one in found if one.reason in _REFUSED and not _is_noise(one, let_in)]
    if not wrong:
        return None
    total, newest = sum(one.count for one in wrong), max(one.last_at for one in wrong)
    clock = datetime.fromtimestamp(parse_iso(newest) / MICROS, zone)
    parts = [f"{_REFUSED[one.reason][0]}{f' ({one.count:,})' if len(wrong) > 1 else ''}" for one in wrong]
    actions = dict.fromkeys(_REFUSED[one.reason][1] for one in wrong)
    return (
        f"{total:,} {'delivery was' if total == 1 else 'deliveries were'} refused in the last hour: "
        f"{', '.join(dict.fromkeys(parts))}, newest {clock:%H:%M}; {'; '.join(actions)}."
    )


def _is_noise(one: RefusedDeliveries, let_in: str | None) -> bool:
    """Whether deliveries get through, and somebody else does not."""
    return one.reason in _PASSING and let_in is not None and let_in >= one.first_at


def oversized_problem(found: Oversized | None, allowed: int) -> str | None:
    """A sentence for a person to act on; None if there is nothing to do. ``allowed``: ``webhook.max_body`` in bytes."""
    if found is None or found.largest <= allowed:
        return None
    kinds = sorted(found.count, key=lambda kind: -found.count[kind])
    of = ", ".join(kinds[:_MOST_KINDS]) + (" and others" if len(kinds) > _MOST_KINDS else "")
    one = found.total == 1
    allow, came = size_in_words(allowed), size_in_words(found.largest)
    return (
        f"{found.total:,} {'delivery was' if one else 'deliveries were'} refused, as {'it is' if one else 'they are'} "
        f"larger than webhook.max_body allows, and {'is' if one else 'are'} not in the mirror ({of}; {allow} "
        f"are allowed, {came} or more came; the last at {found.last_at}). Set webhook.max_body to "
        f'"{-(-found.largest // _MIB)} MiB" or more and restart; let a proxy in front pass as much (nginx: '
        "client_max_body_size, Caddy: request_body max_size); then have the vendor send them again."
    )


def future_problem(status: Status) -> str | None:
    """What is said of claims that are dated later than now."""
    if not status.future.latest:
        return None
    return (
        f"Dated later than now (up to {status.future.latest}): {status.future.words()}. If this machine's clock is "
        "wrong, put it right (NTP); if it was ahead then: promptsync doctor --repair"
    )


def differs(name: str, rows: int, path: str) -> str:
    """What is said of a merged file that contradicts another of the same instant. ``rows``: how many of them differ."""
    return (
        f"{name} differs from the export of the same night merged before it in {rows:,} rows; of each value the "
        f"greater was kept. If it replaces that export: promptsync load --corrects {shlex.quote(path)}"
    )


def change_set_problems(states: Iterable[ChangeSetState], unchanging: Container[str], now: int) -> Iterator[str]:
    """Sentences, each for a person to act on. ``unchanging``: tables whose rows are; ``now``: microseconds."""
    for state in states:
        if state.latest and state.table not in unchanging and parse_iso(state.latest) > now + _WRONG_CLOCK:
            yield (
                f"{state.later:,} rows of {state.table} in workspace {state.workspace_id} are dated later than now, up "
                f"to {state.latest}, and win over every change before that: once the vendor has put them right, "
                f"'promptsync reset {state.table}' and load its files again."
            )


def _about_deliveries(status: Status, expected: Expectations, now: int) -> Iterator[str]:
    if status.events.failed:
        yield f"{status.events.failed:,} deliveries failed: 'promptsync events list --failed' shows them."
    if status.undecided:
        yield (
            f"{status.undecided:,} deliveries failed or are of an unknown type, and are older than deliveries are kept "
            f"({expected.events}): 'promptsync events replay --failed' tries them again, 'promptsync retention run "
            "--failed' lets them go."
        )
    if status.oldest_pending and seconds_since(status.oldest_pending, now) > _LONGEST_WAIT.total_seconds():
        yield (
            f"{status.events.pending:,} deliveries wait to be applied, the oldest since {status.oldest_pending}: "
            "'promptsync doctor' says what is in the way."
        )
    allowed = _silence_allowed(status, expected)
    newest = status.events.newest
    if allowed is not None and newest and seconds_since(newest, now) > allowed.total_seconds():
        yield (
            f"No delivery has come since {newest}, and at most {_hours(allowed)} pass without one: see that the "
            "webhook is still entered at Prompt and that the proxy in front is up (alerts.webhook_stale_after)."
        )


def _silence_allowed(status: Status, expected: Expectations) -> timedelta | None:
    """For how long no delivery may come; None: for ever. Weekends and holidays are quiet."""
    if expected.webhook_stale_after == "never":
        return None
    if expected.webhook_stale_after == "auto":
        return max(2 * status.longest_silence, _LEAST_SILENCE)
    return expected.webhook_stale_after


def _hours(time: timedelta) -> str:
    hours = round(time.total_seconds() / 3600)
    return f"{hours:,} hours" if hours != 1 else "an hour"
