"""The hooks: everything a plugin can add to promptsync. promptsync's own tables and event handlers use the same ones.

Owns the names, arguments and meaning. Each hook is called once when promptsync starts, with the plugin's own settings,
and returns declarations; the functions in them are called later, one at a time, on threads of the plugin's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import click
import pluggy

from promptsync.model import Column, Table
from promptsync.plugins.declared import (
    Check,
    Eraser,
    EventHandler,
    FileKind,
    Filter,
    Observer,
    Page,
    Source,
    TableFiles,
)
from promptsync.plugins.settings import Settings

PROJECT = "promptsync"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tables(settings: Settings) -> Iterable[Table]:  # type: ignore[empty-body]
    """New tables. Made when promptsync starts, never dropped. State (Role.MIRROR) needs a column ``org_id`` and groups:
    columns that are always claimed together."""


@hookspec
def columns(settings: Settings) -> Mapping[str, Iterable[Column]]:  # type: ignore[empty-body]
    """New columns of tables that exist, by table, in groups of the plugin's own."""


@hookspec
def event_handlers(settings: Settings) -> Mapping[str, EventHandler]:  # type: ignore[empty-body]
    """Functions ``handler(fields, claims)`` by event type: of a new type, or in addition to what is done already."""


@hookspec
def file_kinds(settings: Settings) -> Iterable[FileKind | TableFiles]:  # type: ignore[empty-body]
    """Kinds of files that can be dropped, loaded or fetched: those that a function decodes row by row, and those whose
    name states the one table that they are merged into as a whole."""


@hookspec
def sources(settings: Settings) -> Iterable[Source]:  # type: ignore[empty-body]
    """Places that files are fetched from by the clock, while the daemon runs."""


@hookspec
def filters(settings: Settings) -> Iterable[Filter]:  # type: ignore[empty-body]
    """Functions that look at what deliveries and nightly files claim before it is merged, and may change or drop it."""


@hookspec
def observers(settings: Settings) -> Iterable[Observer]:  # type: ignore[empty-body]
    """Functions that are called with the rows that have changed, after the commit, while the daemon runs."""


@hookspec
def checks(settings: Settings) -> Iterable[Check]:  # type: ignore[empty-body]
    """Functions ``check(mirror)`` that ``status`` and ``doctor`` ask too."""


@hookspec
def commands(settings: Settings) -> Iterable[click.Command]:  # type: ignore[empty-body]
    """New commands of the command line; ``settings.mirror`` is what they read."""


@hookspec
def pages(settings: Settings) -> Iterable[Page]:  # type: ignore[empty-body]
    """New pages of ``browse``, for everyone who may read."""


@hookspec
def metadata(settings: Settings) -> Mapping[str, Mapping[str, Any]]:  # type: ignore[empty-body]
    """Metadata of tables for Datasette, by table, beyond what their declarations say."""


@hookspec
def erase(settings: Settings) -> Iterable[Eraser]:  # type: ignore[empty-body]
    """Which rows of tables of the plugin's own are about a person, where no column refers to ``contact``: so that they
    are handed over and deleted with the rest."""
