"""Driving a real mirror through change sets: any order, repetitions, interruptions and restarts."""

import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.clock import iso_millis
from promptsync.loading.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

from .change_model import Kind, Row, as_bytes


class Killed(BaseException):
    """The process ends here, as far as the loader can tell."""


class Driver:
    """One mirror in ``folder``, begun as a copy of an empty one."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(empty, folder / "mirror.db")
        self.settings = LoadSettings(ZoneInfo("UTC"))
        self.open()

    def open(self) -> None:
        self.mirror = Mirror(self.folder / "mirror.db", declared_schema())
        self.loader = FileLoader(self.mirror, self.settings, lambda: 1_800_000_000_000_000)

    def close(self) -> None:
        self.mirror.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def load(self, path: Path, **how: Any) -> FileReport:
        return self.loader.load(LoadRequest(path, "test", **how))

    def load_until(self, path: Path, pieces: int, **how: Any) -> FileReport | None:
        """Load a file; after so many pieces of the writer's work all ends (None), and a new process begins."""
        writer = self.mirror.writer
        writer.submit = _Until(writer.submit, pieces)  # type: ignore[method-assign]
        try:
            return self.load(path, **how)
        except Killed:
            del writer.submit
            self.restart()
            return None
        finally:
            vars(writer).pop("submit", None)

    def dump(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table, hidden columns included; names in lower case."""
        with self.mirror.reading() as connection:
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0].lower() for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def check(self, kind: Kind, rows: dict[tuple[Any, ...], Row]) -> None:
        """The table is what the model says, versions included."""
        found = {tuple(row[column] for column in kind.key): row for row in self.dump(kind.table)}
        assert found.keys() == rows.keys()
        for key, row in rows.items():
            have = found[key]
            assert have["_row_at"] == as_bytes(row.newest)
            for column in {*kind.values, *row.cells}:
                cell = row.cells.get(column)
                if column in kind.times:
                    cell = iso_millis(cell * 1000) if cell else None
                assert have[column] == cell, (key, column)
                version = have.get(f"_col_{column}_at")
                version = have["_row_at"] if version is None else version
                assert version == as_bytes(row.won.get(column, ())), (key, column)


class _Until:
    """Stands in for ``Writer.submit``."""

    def __init__(self, submit: Callable[..., "Future[Any]"], pieces: int) -> None:
        self.submit, self.left = submit, pieces

    def __call__(self, *args: Any, **kwargs: Any) -> "Future[Any]":
        if not self.left:
            raise Killed
        self.left -= 1
        future = self.submit(*args, **kwargs)
        future.exception()
        return future
