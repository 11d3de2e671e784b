"""Mirrors that released versions have made: opened by the present code, and gone on with as if it had made them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from released import FIXTURES, facts, lay, play, versions

from promptsync import __version__
from promptsync.model import Role
from promptsync.store.connect import open_reader
from promptsync.store.migrations import fingerprint, record, recorded
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

SCHEMA = declared_schema()
VERSIONS = versions()


def _objects(path: Path) -> dict[str, Any]:
    """What is declared in a mirror: columns by table, whatever their order, and the text of everything else."""
    with closing(open_reader(path)) as connection:
        rows = connection.execute("SELECT name, type, sql FROM sqlite_master").fetchall()
        return {
            name: {column[1:6] for column in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))}
            if kind == "table"
            else sql
            for name, kind, sql in rows
        }


def _content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What people see of every table of the mirror, rows in order of their key."""
    content = {}
    with closing(open_reader(path)) as connection:
        for table in SCHEMA:
            if table.role is not Role.OWN:
                columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table.name,))]
                seen = sorted(name for name in columns if not name.startswith("_") or name == "_absent_since")
                listed, key = (", ".join(f'"{name}"' for name in some) for some in (seen, table.key))
                content[table.name] = connection.execute(
                    f'SELECT {listed} FROM "{table.name}" ORDER BY {key}'
                ).fetchall()
    return content


def test_the_version_of_now_has_left_a_mirror() -> None:
    assert __version__ in VERSIONS, "run tests/store/released.py and add what it writes"
    assert {path.name for path in FIXTURES.iterdir()} == {f"{v}.{end}" for v in VERSIONS for end in ("db.gz", "json")}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_becomes_what_a_new_mirror_is(version: str, tmp_path: Path, empty: Path) -> None:
    """A declaration that has changed since, and that no migration leads to, ends here with a sentence."""
    path = lay(version, tmp_path / "home")
    with closing(sqlite3.connect(path)) as connection, connection:
        record(connection, facts(version))
    Mirror(path, SCHEMA).close()
    old, new = _objects(path), _objects(empty)
    assert old.keys() == new.keys()
    for name, made in new.items():
        assert made <= old[name] if isinstance(made, set) else made == old[name], name
    with closing(open_reader(path)) as connection:
        assert recorded(connection) == {table.name: fingerprint(table) for table in SCHEMA}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_goes_on_as_a_new_mirror_would(version: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    lay(version, old)
    play(new, "before")
    assert _content(old / "mirror.db") == _content(new / "mirror.db")
    for home in (old, new):
        play(home, "after")
    assert _content(old / "mirror.db") == _content(new / "mirror.db")
