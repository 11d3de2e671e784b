"""What every command needs: the configuration, how to speak and to show progress, and the way to the mirror.

Owns the choice between working here and handing the work to the running daemon; the exit codes: 0 done, 1 done but
something needs a person, 2 wrong use or configuration, 3 cannot be done now; and the display of long work: a bar with
rate and time left on a terminal, a plain line every few seconds elsewhere.
"""

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from promptsync.cli.config_file import find_config
from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.store.connect import open_reader, translate
from promptsync.store.owner import become_owner

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from promptsync.config import Config
    from promptsync.daemon.client import Emit

_EVERY_SECONDS = 3.0
_WORDS = {
    "checking": "checking (bytes)",
    "reading": "reading rows",
    "staging": "sorting rows",
    "comparing": "comparing rows",
    "deleting": "deleting rows",
    "merging": "merging rows",
    "absent": "rows no longer there",
    "indexing": "entering into search",
    "taking over": "taking rows over",
    "copying": "copying (pages)",
    "encrypting": "encrypting (bytes)",
    "storing": "storing (bytes)",
    "downloading": "downloading (bytes)",
    "decrypting": "decrypting (bytes)",
    "segments": "segments of deliveries",
}


class ProgressBar:
    """Use as a context manager; ``show`` takes what an operation emits."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        from rich.console import Console

        self._console = Console(file=stream)
        self._bars: Bars | None = None
        self._quiet = quiet
        self._task: TaskID | None = None
        self._step = ""
        self._spoken = time.monotonic()
        self._began = time.monotonic()
        self._first = 0

    def __enter__(self) -> "ProgressBar":
        if self._console.is_terminal and not self._quiet:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            words, count = TextColumn("{task.description}"), TextColumn("{task.fields[count]}")
            columns = (words, BarColumn(), count, TimeRemainingColumn(compact=True))
            self._bars = Bars(*columns, console=self._console, transient=True)
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, line: dict[str, Any]) -> None:
        """Show ``{"progress": [step, done, total]}``; anything else is not for here."""
        if self._quiet or "progress" not in line:
            return
        step, done, total = line["progress"]
        words = _WORDS.get(step, step)
        if step != self._step:
            self._step, self._began, self._first = step, time.monotonic(), done
            if self._bars is not None:
                if self._task is not None:
                    self._bars.remove_task(self._task)
                self._task = self._bars.add_task(words, total=total or None, count="")
        of = f" of {total:,}" if total else ""
        rate = f"{(done - self._first) / max(time.monotonic() - self._began, 0.001):,.0f}/s"
        count = f"{done:,}{of} ({rate})" if done or total else ""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, total=total or None, count=count)
        elif time.monotonic() - self._spoken > _EVERY_SECONDS:
            self._spoken = time.monotonic()
            self._console.print(f"{words}: {count}" if count else f"{words} ...", highlight=False)


NEEDS_PERSON, WRONG, NOT_NOW = 1, 2, 3


def program() -> str:
    """This program as it was typed, for commands that a person is to copy."""
    return sys.argv[0] if os.access(sys.argv[0], os.X_OK) else "promptsync"


@dataclass
class App:
    """One run of the command. ``verbosity``: -1 quiet, 0, 1, 2 (with tracebacks). ``logs_plain``: as ``set_up_logs``
    takes it."""

    config_path: Path | None
    verbosity: int = 0
    logs_plain: bool | None = False

    @cached_property
    def config_file(self) -> Path:
        """The configuration file in force. Raises ConfigError."""
        return find_config(self.config_path, os.environ, Path.cwd())

    @cached_property
    def config(self) -> "Config":
        """The configuration. Raises ConfigError with everything that is wrong with it."""
        from promptsync.config import load_config

        return load_config(self.config_file)

    @cached_property
    def pages_file(self) -> Path:
        """The file whose ``[browse]`` is in force: the configuration, or if that says nothing there, ``browse.toml``
        beside it, which the pages of a service have to themselves."""
        from promptsync.config import BrowseConfig

        beside = self.config_file.with_name("browse.toml")
        return beside if beside.is_file() and self.config.browse == BrowseConfig() else self.config_file

    @cached_property
    def pages_config(self) -> "Config":
        """The configuration in ``pages_file``. Raises ConfigError like ``config``."""
        from promptsync.config import load_config

        return self.config if self.pages_file == self.config_file else load_config(self.pages_file)

    def set_up_logs(self) -> None:
        """How loudly what is done here is logged. For what is imported after the command itself, too."""
        from promptsync.daemon.logs import set_up_logs

        set_up_logs(self.verbosity, plain=self.logs_plain)

    def say(self, text: str = "") -> None:
        """A line for people; none with --quiet."""
        if self.verbosity >= 0:
            click.echo(text)

    def operate(self, name: str, params: Mapping[str, Any], emit: "Emit") -> dict[str, Any]:
        """Run an operation in the daemon if one holds the mirror, else here."""
        from promptsync.daemon.client import ask_daemon, daemon_runs

        database = self.config.mirror.database
        if daemon_runs(database):
            return ask_daemon(database, name, params, emit)
        become_owner(database)
        self.set_up_logs()
        from promptsync.daemon.operations import OPERATIONS
        from promptsync.engine.engine import Engine

        with Engine(self.config) as engine:
            return OPERATIONS[name](engine, params, emit)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection to the mirror. Raises Unavailable if there is none yet or it is of another version."""
        database = self.config.mirror.database
        if not database.exists():
            raise Unavailable(f"There is no mirror at {database} yet; 'promptsync run' or 'promptsync load' makes it.")
        connection = open_reader(database)
        try:
            yield connection
        except sqlite3.Error as error:
            raise translate(error) or Unavailable(
                f"{database} cannot be read as a mirror ({error}); 'promptsync doctor' says more."
            ) from error
        finally:
            connection.close()

    def progress(self) -> ProgressBar:
        """A progress display: a bar on a terminal, plain lines elsewhere, nothing with --quiet."""
        return ProgressBar(sys.stderr, quiet=self.verbosity < 0)


def print_json(value: Any) -> None:
    """One JSON document, for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_table(headers: list[str], rows: list[list[Any]]) -> None:
    """Columns for people, numbers to the right; on a terminal cells that are too long for it are wrapped."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[n], int) or row[n] is None for row in rows) and bool(rows) for n in range(len(headers))]
    if sys.stdout.isatty():
        _set_table(headers, texts, right)
        return
    from rich.cells import cell_len

    widths = [max(cell_len(line[n]) for line in [headers, *texts]) for n in range(len(headers))]
    for line in [headers, ["-" * width for width in widths], *texts]:
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        cells = [
            blank + cell if to_right else cell + blank
            for cell, blank, to_right in zip(line, blanks, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _set_table(headers: list[str], texts: list[list[str]], right: list[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for header, to_right in zip(headers, right, strict=True):
        table.add_column(header, justify="right" if to_right else "left", overflow="fold")
    for line in texts:
        table.add_row(*map(Text, line))
    Console(file=sys.stdout, highlight=False).print(table)


def _cell(cell: object) -> str:
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def about_file(file: Mapping[str, Any]) -> str:
    """What went wrong with a file (``name``, ``error``), with its name once."""
    return str(file["error"] if file["name"] in file["error"] else f"{file['name']}: {file['error']}")


def finish(needs_person: bool) -> NoReturn:
    """End with 0, or 1 if something needs a person."""
    raise SystemExit(NEEDS_PERSON if needs_person else 0)


def exit_code(error: PromptsyncError) -> int:
    """The exit code of an error."""
    if isinstance(error, ConfigError):
        return WRONG
    return NOT_NOW if error.retryable else NEEDS_PERSON


def _plain(value: object) -> object:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


@contextmanager
def tidied() -> Iterator[None]:
    """SIGTERM ends what runs as Ctrl-C does: files in between hold what people wrote, and are removed."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
