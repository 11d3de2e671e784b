"""What the commands of a lake need before they begin: packages that not everybody has, and an engine.

Owns the sentence that says what is missing. Imported by every command of a lake, so it imports neither.
"""

import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from promptsync.cli.context import App
from promptsync.errors import ConfigError

if TYPE_CHECKING:
    from promptsync.lake.engine import Engine

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

    with tempfile.TemporaryDirectory(prefix="promptsync-engine-") as scratch:
        engine = engine_of(app.config, Path(scratch))
        try:
            yield engine
        finally:
            engine.close()
