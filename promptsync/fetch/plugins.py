"""Fetching by hand from the sources of plugins.

Owns how they are named (``plugin.source``, or as much of it as only one has), and the step from what a source leaves
to loaded files. When a source runs by itself is the daemon's business; engine/plugin_work.py calls its function.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from promptsync.clock import iso_millis
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError
from promptsync.fetch.report import FetchReport
from promptsync.fetch.sources import Source, choose
from promptsync.loading.report import DROP, LoadRequest
from promptsync.plugins.calls import PluginFailed
from promptsync.plugins.loading import Extensions
from promptsync.store import ledger


def plugin_sources(extensions: Extensions) -> tuple[str, ...]:
    """The names of the plugins' sources."""
    return tuple(f"{one.name}.{source.name}" for one in extensions.plugins for source in one.declared.sources)


def choose_any(
    places: Sequence[Source], plugins: Sequence[str], wanted: Sequence[str]
) -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """The configured places and the plugins' sources that people name; all if none is named. Raises ConfigError."""
    if not wanted:
        return choose(places, ()) if places or not plugins else (), tuple(plugins)
    named = {word: _named(plugins, word) for word in wanted}
    left = [word for word, found in named.items() if found is None]
    chosen = tuple(found for found in named.values() if found is not None)
    if left and plugins and not places:
        raise ConfigError(f"'{left[0]}' is none of the sources configured: {', '.join(plugins)}.")
    return choose(places, left) if left else (), tuple(dict.fromkeys(chosen))


def _named(names: Iterable[str], wanted: str) -> str | None:
    """The one source that is meant; None if none or several could be."""
    parts = [name for name in names if wanted in (name, *name.split("."))]
    return parts[0] if len(parts) == 1 else None


def fetch_plugin(engine: Engine, name: str) -> FetchReport:
    """Have a source fetch now, even if it is paused, and load what it leaves. The run is put on record."""
    started, began = iso_millis(engine.clock()), time.monotonic()
    found = engine.plugins.source(*name.split(".", 1))
    if found is None:
        raise ConfigError(f"No plugin that is loaded has a source {name}: restart the daemon if it is a new one.")
    report = FetchReport(name)

    def load(paths: list[Path]) -> None:
        report.listed = report.new = len(paths)
        for loaded in engine.load([LoadRequest(path, DROP) for path in paths]):
            report.add_file(loaded, loaded.error)

    try:
        engine.plugins.fetch(*found, engine.config.drop.folder, now=True, load=load)
    except PluginFailed as error:
        report.error, report.error_type = str(error), type(error).__name__
    report.seconds = round(time.monotonic() - began, 3)
    row = {"task": f"plugin {name}", "started_at": started, "finished_at": iso_millis(engine.clock())}
    row |= {"outcome": "failed" if report.error else "done", "message": report.error or report.sentence()}
    engine.mirror.writer.run(lambda connection: ledger.insert(connection, "sync_run", row))
    return report
