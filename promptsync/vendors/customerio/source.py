"""Customer.io's change sets as a kind of file, as the ``[[customerio]]`` sections have it.

Owns what these sections say of files and tables. How names are spelled is in files.py.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from promptsync.config.remotes import CustomerioConfig
from promptsync.config.values import suggest
from promptsync.errors import ConfigError
from promptsync.plugins.declared import AtPlace, TableFiles
from promptsync.vendors.customerio.files import STEMS, SUFFIX, own_mark, recognise

SECTION: Final = "customerio"
CONTENT: Final = "cio_delivery_content"
"""The table that ``content_budget`` bounds."""


def change_set_files(sections: Sequence[CustomerioConfig], tables: Sequence[str]) -> TableFiles:
    """The kind. ``tables``: the names of the vendor's. Raises ConfigError for a table that there is not."""
    return TableFiles(
        SECTION,
        partial(recognise, stems=stems_of(sections, tables)),
        (SUFFIX,),
        mark=own_mark,
        empty=False,
        leave_out=left_out(sections, tables),
        at_place=partial(_at_place, sections, tables),
        samples=tuple(f"{stem}_v5_1044_17{SUFFIX}" for stem in stems_of(sections, tables)),
    )


def _at_place(sections: Sequence[CustomerioConfig], tables: Sequence[str], place: CustomerioConfig) -> AtPlace:
    return AtPlace(
        recognise=partial(recognise, stems=stems_of([place], tables)),
        skip=frozenset(table_named(name, tables) for name in place.skip),
        downloads=place.downloads,
        putting_away="" if place.delete_after_load else place.move_after_load,
        leave_out=left_out(sections, tables),
        budgets={CONTENT: place.content_budget} if place.content_budget is not None else {},
    )


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
