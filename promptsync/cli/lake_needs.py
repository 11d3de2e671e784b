"""What several commands of a lake need: packages that not everybody has, an engine, and what they say alike.

Owns the sentence that says what is missing. Imported by every command of a lake, so it imports neither.
"""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from promptsync.cli.context import App
from promptsync.errors import ConfigError

if TYPE_CHECKING:
    from promptsync.lake.engine import Engine
    from promptsync.store.slices import Progress

_PACKAGES = {"duckdb": ("deltalake", "duckdb"), "spark": ("deltalake", "pandas", "pyspark")}


def require_packages(app: App) -> None:
    """Raises ConfigError, with the command that installs what is not there."""
    from promptsync.lake.settings import section_of

    missing = [name for name in _PACKAGES[section_of(app.config).engine] if find_spec(name) is None]
    if missing:
        python, names = shlex.quote(sys.executable), " ".join(missing)
        install = (
            f"{python} -m pip install {names}" if find_spec("pip") else f"uv pip install --python {python} {names}"
        )
        raise ConfigError(f"A lake needs packages that are not installed: {install}")


@contextmanager
def engine_for(app: App) -> "Iterator[Engine]":
    """What decodes and folds, as configured."""
    from promptsync.lake.opening import engine_of
    from promptsync.lake.scratch import scratch_folder

    with scratch_folder() as scratch:
        engine = engine_of(app.config, scratch)
        try:
            yield engine
        finally:
            engine.close()


@contextmanager
def showing(app: App) -> "Iterator[Progress]":
    """What takes the steps of long work, and shows them."""
    with app.progress() as progress:
        yield lambda *step: progress.show({"progress": [*step]})


def say_collisions(count: int) -> None:
    """That rows became rejects, as an organization with a lower number has their ids."""
    if count:
        what = "1 row is a reject: its id is" if count == 1 else f"{count:,} rows are rejects: their ids are"
        click.echo(f"{what} also claimed by an organization with a lower number.", err=True)
