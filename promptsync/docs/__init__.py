"""The long texts, by topic: Markdown files beside this module, for ``promptsync help`` and the pages under ``/-/help``.

Owns which there are: every file is a topic, whose first heading says what it is about. Where ``tables.md`` says so, the
tables are listed from their declarations. Must not know how a text is shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from types import MappingProxyType
from typing import Final

from promptsync.model import FilledBy, Role, Schema, Table
from promptsync.vendors import declared_schema

_LISTED: Final = "<!-- the declared tables -->\n"
_HEADING: Final = "# "


@dataclass(frozen=True, slots=True)
class Topic:
    """One text. ``name``: of its file, without ``.md``; ``about``: its first heading; ``text``: Markdown."""

    name: str
    about: str
    text: str


@cache
def topics() -> Mapping[str, Topic]:
    """Every topic by name, in the alphabet's order. They are read once: no process changes them."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda one: one.name):
        name, ending = file.name.rpartition(".")[::2]
        if ending == "md":
            text = file.read_text("utf-8")
            if _LISTED in text:
                text = text.replace(_LISTED, "\n".join(_tables(declared_schema())))
            found[name] = Topic(name, text.partition("\n")[0].removeprefix(_HEADING), text)
    return MappingProxyType(found)


def _tables(schema: Schema) -> Iterator[str]:
    """Each table with its description and views, under a heading for those that come the same way."""
    for source, tables in groupby(sorted(schema, key=_source), key=_source):
        yield from (f"## {source[1]}", "", "| table | holds |", "|---|---|")
        yield from _lines(tables)
        yield ""


def _lines(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield f"| `{table.name}` | {_cell(table.about)} |"
        for view in table.views:
            yield f"| view `{view.name}` | {_cell(view.about)} |"


def _source(table: Table) -> tuple[int, str]:
    """Where a table's rows come from, with its place in the order."""
    if table.role is Role.OWN:
        return 9, "promptsync's own"
    if table.filled_by is FilledBy.SNAPSHOT:
        return 0, f"{table.vendor}: nightly exports, kept current by webhooks"
    if table.filled_by is FilledBy.EVENT:
        happened = table.role is Role.HAPPENED
        return (2, "Webhooks: what happened, a row each time") if happened else (1, "Webhooks: what is so")
    return 3, f"{table.vendor}: {'exports' if table.filled_by is FilledBy.EXPORT else 'change sets'}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
