"""The command line in this process over a folder that ``init`` has made."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from promptsync.cli import main
from promptsync.config import Config, load_config
from promptsync.store.connect import open_reader


def run(*args: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin, catch_exceptions=False)


@dataclass(frozen=True)
class Place:
    """A folder that ``init`` has made; commands run with its configuration."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "promptsync.toml"

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @property
    def database(self) -> Path:
        return self.config.mirror.database

    def run(self, *args: object, stdin: str | None = None) -> Result:
        return run("--config", self.file, *args, stdin=stdin)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the mirror answers."""
        connection = open_reader(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def edit(self, pattern: str, text: str) -> None:
        content, count = re.subn(pattern, text, self.file.read_text(), flags=re.MULTILINE)
        assert count
        self.file.write_text(content)
