"""How do the plugins fare: what they fetch, load and follow, and what of them fails? Read from the mirror alone.

Owns what about a plugin needs a person, and what that person can do. Opens nothing: it is handed a connection.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptsync.store import plugin_state
from promptsync.store.overview import last_good_run, last_run


@dataclass(frozen=True, slots=True)
class PluginPart:
    """A source, an observer or a kind of files of a loaded plugin. ``kind``: "source", "observer" or "files".

    ``last_success``: ISO, when it last did its work or its newest file was merged; ``newest_file``, ``rows``: of that
    file; ``outcome``, ``message``: of a source's last run; ``waiting``: changes that an observer has not been called
    with; ``failures``: in a row; ``error``: of the last.
    """

    plugin: str
    kind: str
    name: str
    last_success: str | None = None
    outcome: str | None = None
    message: str | None = None
    newest_file: str | None = None
    rows: int | None = None
    waiting: int | None = None
    failures: int = 0
    error: str | None = None


def plugin_task(name: str) -> str:
    """What the runs of a source or an observer (``plugin.name``) are called in sync_run."""
    return f"plugin {name}"


def plugin_parts(connection: sqlite3.Connection, now: int) -> Iterator[PluginPart]:
    """The parts of the plugins that were loaded last. ``now``: microseconds."""
    failing = {(one["plugin"], one["hook"], one["name"]): one for one in plugin_state.troubles(connection)}
    waiting = plugin_state.waiting_changes(connection)
    for plugin in plugin_state.loaded(connection):
        of = plugin["name"]
        for name in plugin["sources"]:
            task = plugin_task(f"{of}.{name}")
            good, last = last_good_run(connection, task, now), last_run(connection, task)
            ran = (good.started_at if good else None, *((last.outcome, last.message) if last else ()))
            yield PluginPart(of, "source", name, *ran, **_failure(failing.get((of, "sources", name))))
        for name in plugin["file_kinds"]:
            newest = plugin_state.newest_of_kind(connection, name)
            seen = (newest.at, None, None, newest.name, newest.rows) if newest else ()
            yield PluginPart(of, "files", name, *seen)
        for name in plugin["observers"]:
            trouble = _failure(failing.get((of, "observers", name)))
            yield PluginPart(of, "observer", name, waiting=waiting.get(f"{of}.{name}", 0), **trouble)


def _failure(trouble: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"failures": trouble["failures"], "error": trouble["error"]} if trouble else {}


_RESTART = "put it right and restart the daemon"


def plugin_problems(troubles: Iterable[Mapping[str, Any]], parts: Iterable[PluginPart]) -> Iterator[str]:
    """Sentences, each for a person to act on, about what is paused; what is only called again needs nobody yet."""
    waiting = {(part.plugin, part.name): part.waiting or 0 for part in parts if part.kind == "observer"}
    for one in troubles:
        if one["paused"]:
            plugin, since = one["plugin"], one["since"]
            begins = f"Plugin {plugin}: {_what(one)} failed {one['failures']:,} times in a row since {since}"
            yield f"{begins} ({one['error']}); {_advice(one, waiting.get((plugin, one['name']), 0))}"


def _what(trouble: Mapping[str, Any]) -> str:
    named = {"observers": "the observer", "sources": "the source"}.get(trouble["hook"])
    return f"{named} {trouble['name']}" if named else f"its {trouble['hook']}"


def _advice(trouble: Mapping[str, Any], waiting: int) -> str:
    """What a person can do; every command works as it stands."""
    since, name = trouble["since"], f"{trouble['plugin']}.{trouble['name']}"
    return {
        "event_handlers": "deliveries are merged without them for 15 minutes at a time: "
        f"{_RESTART}, then: promptsync events replay --since {since}",
        "filters": "nothing that they would look at is merged meanwhile: "
        f"{_RESTART}, then: promptsync events replay --failed",
        "file_kinds": f"their files wait in the drop folder: {_RESTART}, which loads them.",
        "observers": f"{waiting:,} changes wait for it, none is lost, and it is called once an hour: see that what it "
        "needs is there; restarting the daemon calls it at once.",
        "sources": f"it is called once an hour: see that what it needs is there, then call it: promptsync fetch {name}",
    }.get(trouble["hook"], f"{_RESTART}.")
