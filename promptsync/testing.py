"""A test kit for plugin authors: a fresh mirror in milliseconds, with the plugin enabled, to post to, load and read.

Owns what a test can do. pytest finds the fixture ``kit`` by itself (promptsync/pytest_plugin.py); ``from
promptsync.testing import kit`` still works. All of it goes the way that the daemon goes: deliveries through the inbox,
rows through files. What a plugin's function raises is printed with its traceback. Production code never imports this.
"""

import csv
import gzip
import json
import shutil
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from promptsync.clock import iso_micros, parse_iso, system_clock
from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.model.delivery import Delivery
from promptsync.plugins.asking import findings, page_text
from promptsync.plugins.calls import PluginFailed
from promptsync.plugins.declared import Finding, PluginError
from promptsync.plugins.loading import Plugin
from promptsync.status.facts import Expectations
from promptsync.status.status import read_status
from promptsync.store.inbox import insert_event
from promptsync.store.reading import row_of, select_of
from promptsync.vendors import type_of_path

__all__ = ["Kit", "kit", "opened"]


class Kit:
    """One mirror in a folder of its own. Enable plugins first; it opens with the first thing asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settings: dict[str, Any] = {}
        self._given: dict[str, object] = {}
        self._engine: Engine | None = None

    def enable(self, plugin: Path | object, name: str = "", **settings: Any) -> "Kit":
        """Enable a one-file plugin by its path, or any module or object with hooks under a ``name``."""
        if isinstance(plugin, Path):
            name = name or plugin.stem
            (self.folder / "plugins").mkdir(exist_ok=True)
            shutil.copy(plugin, self.folder / "plugins" / f"{name}.py")
            self._settings.setdefault("enabled", []).append(name)
        else:
            name = name or getattr(plugin, "__name__", "").rpartition(".")[2] or type(plugin).__name__.lower()
            self._given[name] = plugin
        self._settings[name] = settings
        return self

    @property
    def config(self) -> Config:
        """The configuration that all of it runs with."""
        return Config.read({"plugins": self._settings}, self.folder)

    @property
    def engine(self) -> Engine:
        """The open mirror. Raises ConfigError for a plugin that cannot run."""
        if self._engine is None:
            self._engine = Engine(self.config, given=self._given)
            for plugin in self._engine.plugins.extensions.plugins:
                plugin.calls.show = traceback.print_exception
        return self._engine

    def configure(self, **plugins: Any) -> "Kit":
        """Set keys of ``[plugins]`` itself, such as ``limit``."""
        self._settings |= plugins
        return self

    def post(self, type_: str, body: Mapping[str, Any], at: str = "") -> int:
        """Receive and apply a delivery; returns its id. ``at``: when it was received, ISO; now without."""
        received = parse_iso(at) if at else system_clock()
        delivery = Delivery(type_, json.dumps(body), {}, received, type_of_path(type_))
        id_ = self.engine.mirror.writer.run(
            lambda c: insert_event(c, self.engine.suppression.delivery(delivery), received)
        )
        self.engine.apply_pending()
        return id_

    def event(self, id_: int) -> dict[str, Any]:
        """What came of a delivery: its row of ``sync_event``. Raises LookupError."""
        with self.engine.mirror.reading() as connection:
            found = row_of(connection, "sync_event", id_)
        if found is None:
            raise LookupError(f"There is no delivery {id_}; 'post' returns the ids.")
        return found

    def load(
        self, table: str, rows: Iterable[Mapping[str, Any]], org: int = 1, as_of: str = "2026-02-04T08:00:00Z"
    ) -> FileReport:
        """Load a nightly file of these rows; columns that a row does not name are blank."""
        stamp = iso_micros(parse_iso(as_of))[:19].replace(":", "-")
        declared = self.engine.mirror.schema[table]
        owner = f"_{org}" if declared.org_scoped else ""
        path = self.folder / f"{table}{owner}_{stamp}Z.csv.gz"
        names = [column.name for column in declared.file_columns]
        with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([[_cell(row.get(name)) for name in names] for row in rows])
        return self.load_file(path)

    def load_file(self, path: Path, *, accept: bool = True) -> FileReport:
        """Load a file, a plugin's kinds included. ``accept``: as if a person had looked at it."""
        (report,) = self.engine.load([LoadRequest(path, "test", accept=accept)])
        return report

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a table by its name, or of a SELECT."""
        return self.engine.plugins.reading.rows(select_of(sql), parameters)

    def notify(self) -> int:
        """Call the observers with everything that waits, those with a schedule too; returns the number of batches.
        Raises PluginError with the first one's error."""
        batches = 0
        for queue in self.engine.plugins.queues:
            batches += queue.all(now=True)
            if queue.failures:
                raise PluginError(queue.calls.error) from (queue.error and queue.error.__cause__)
        return batches

    tell = notify
    """The old name of ``notify``."""

    def fetch(self, source: str) -> list[FileReport]:
        """Have a source (its name, or ``plugin.name``) fetch, and load what it leaves; returns what came of each file.

        Raises PluginError with why it failed, LookupError if there is no such source.
        """
        plugin, found = self._declared("sources", source)
        reports: list[FileReport] = []

        def load(paths: list[Path]) -> None:
            reports.extend(self.engine.load([LoadRequest(path, "test", accept=True) for path in paths]))

        with _as_plugin_error():
            self.engine.plugins.fetch(plugin, found, self.config.drop.folder, now=True, load=load)
        return reports

    def page(self, path: str, **query: str) -> str:
        """The HTML that a page gives for a query, without what stands around it. Raises PluginError, LookupError."""
        plugin, found = self._declared("pages", path)
        with _as_plugin_error():
            return page_text(plugin, found, self.engine.plugins.reading, query)

    def check(self) -> list[Finding]:
        """What the plugins' checks find, as ``promptsync doctor`` prints it."""
        plugins = self.engine.plugins.extensions.plugins
        return [one for plugin in plugins for one in findings(plugin, self.engine.plugins.reading)]

    def about(self, identifiers: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[Any, ...]]]:
        """The keys, by table, of the rows that the plugins' hook ``erase`` says are about a person."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        for plugin in self.engine.plugins.extensions.plugins:
            for eraser in plugin.declared.erase:
                with _as_plugin_error():
                    keys = plugin.calls.one("erase", eraser.keys, identifiers, self.engine.plugins.reading)
                found.setdefault(eraser.table, []).extend(tuple(key) for key in keys)
        return found

    def command(self, name: str, *arguments: str) -> Result:
        """Run a command of a plugin; gives ``output``, ``exit_code`` and ``exception`` as click.testing does."""
        _, found = self._declared("commands", name)
        return CliRunner().invoke(found, list(arguments))

    def _declared(self, hook: str, wanted: str) -> tuple[Plugin, Any]:
        known = []
        for plugin in self.engine.plugins.extensions.plugins:
            for one in getattr(plugin.declared, hook):
                name = one.path.strip("/") if hook == "pages" else str(one.name)
                known.append(name)
                if wanted.strip("/") in (name, f"{plugin.name}.{name}", f"{plugin.name}/{name}"):
                    return plugin, one
        raise LookupError(f"There is no {wanted} among the {hook} of the plugins: {', '.join(known) or 'none'}.")

    def problems(self) -> tuple[str, ...]:
        """What ``promptsync status`` says needs a person, staleness apart."""
        patient = self.config.alerts.stale_after * 10_000
        expected = Expectations(patient, self.config.mirror.timezone, webhook_stale_after="never")
        with self.engine.mirror.reading() as connection:
            return read_status(connection, self.engine.mirror.schema, expected, system_clock()).problems

    def restart(self) -> "Kit":
        """Close the mirror; it opens again when it is asked for something."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        return self


def _cell(value: Any) -> Any:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


@contextmanager
def _as_plugin_error() -> Iterator[None]:
    """What failed as PluginError, with what the plugin raised as its cause."""
    try:
        yield
    except PluginFailed as error:
        raise PluginError(str(error)) from error.__cause__


@contextmanager
def opened(folder: Path) -> Iterator[Kit]:
    """A fresh mirror in a folder, closed at the end."""
    made = Kit(folder)
    try:
        yield made
    finally:
        made.restart()


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    """A fresh mirror."""
    with opened(tmp_path) as made:
        yield made
