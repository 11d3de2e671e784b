"""What every command needs: the configuration, how to speak, and the way to a mirror that a daemon may hold.

Owns the choice between working here and handing the work to the running daemon, and the exit codes: 0 done, 1 done but
something needs a person, 2 wrong use or configuration, 3 cannot be done now.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import click

from promptsync.cli.progress import Progress
from promptsync.config import Config, find_config, load_config
from promptsync.daemon.control import ask_daemon, daemon_runs
from promptsync.daemon.operations import OPERATIONS, Emit
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.store.connect import open_reader, translate

NEEDS_PERSON, WRONG, NOT_NOW = 1, 2, 3


@dataclass
class App:
    """One run of the command. ``verbosity``: -1 quiet, 0, 1, 2 (with tracebacks)."""

    config_path: Path | None
    verbosity: int = 0

    @cached_property
    def config_file(self) -> Path:
        """The configuration file in force. Raises ConfigError."""
        return find_config(self.config_path, os.environ, Path.cwd())

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError with everything that is wrong with it."""
        return load_config(self.config_file)

    def say(self, text: str = "") -> None:
        """A line for people; none with --quiet."""
        if self.verbosity >= 0:
            click.echo(text)

    def operate(self, name: str, params: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
        """Run an operation in the daemon if one holds the mirror, else here."""
        database = self.config.mirror.database
        if daemon_runs(database):
            return ask_daemon(database, name, params, emit)
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

    def progress(self) -> Progress:
        """A progress display: a bar on a terminal, plain lines elsewhere, nothing with --quiet."""
        return Progress(sys.stderr, quiet=self.verbosity < 0)


def print_json(value: Any) -> None:
    """One JSON document, for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def print_table(headers: list[str], rows: list[list[Any]]) -> None:
    """Columns for people, numbers to the right."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(line[n]) for line in [headers, *texts]) for n in range(len(headers))]
    right = [all(isinstance(row[n], int) or row[n] is None for row in rows) and bool(rows) for n in range(len(headers))]
    for line in [headers, ["-" * width for width in widths], *texts]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


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
