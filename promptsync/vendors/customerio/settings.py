"""What the configuration says of change sets, wherever they come from: names of files, columns not wanted.

Owns the step from the sections ``[[customerio]]`` to tables of the schema. What is fetched from where is elsewhere.
"""

from collections.abc import Iterable

from promptsync.config.sections import CustomerioConfig
from promptsync.config.values import suggest
from promptsync.errors import ConfigError
from promptsync.vendors.customerio.files import STEMS

_PREFIX = "cio_"


def stems_of(sections: Iterable[CustomerioConfig], tables: Iterable[str]) -> dict[str, str]:
    """What names begin with, to the table meant: the known ones and those configured. Raises ConfigError."""
    known = set(tables)
    given = {stem: table_named(name, known) for section in sections for stem, name in section.stems.items()}
    return dict(STEMS) | given


def left_out(sections: Iterable[CustomerioConfig], tables: Iterable[str]) -> dict[str, frozenset[str]]:
    """Table to the columns that some section does not want. Raises ConfigError."""
    known, found = set(tables), dict[str, frozenset[str]]()
    for section in sections:
        for name, columns in section.leave_out.items():
            table = table_named(name, known)
            found[table] = found.get(table, frozenset()) | frozenset(columns)
    return found


def table_named(name: str, tables: Iterable[str]) -> str:
    """The table that a configuration names, with or without ``cio_``. Raises ConfigError."""
    known = set(tables)
    found = next((one for one in (name, f"{_PREFIX}{name}") if one in known), None)
    if found is None:
        near = suggest(name, [one.removeprefix(_PREFIX) for one in known])
        raise ConfigError(
            f"[[customerio]] names a table {name} that there is not{near}; 'promptsync schema' lists all."
        )
    return found
