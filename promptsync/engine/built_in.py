"""promptsync as its vendors and the enabled plugins make it.

Owns the putting together of what they declare, what a plugin may add to the schema (tables and columns that merge as
ours do and can never meet a vendor's), and the checks that need to see all of it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial

from promptsync.config import Config
from promptsync.config.schedules import parse_schedule
from promptsync.config.secret import named_secret
from promptsync.engine.keeping import check_retention
from promptsync.errors import ConfigError
from promptsync.model import Column, FilledBy, Kind, Role, Schema, Table, bookkeeping
from promptsync.plugins.declared import ReadOnly, Schedule, TableFiles
from promptsync.plugins.loading import Extensions, Plugin, Wanted, load_plugins
from promptsync.plugins.settings import Settings
from promptsync.store.connect import open_reader
from promptsync.vendors import vendors

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_CHANGE_SETS = (
    "a table of change sets has a key that begins with the integer column workspace_id, whose account a row is of; its "
    "other columns are in one group, order names one of them or none, and org_scoped is False"
)
CHANGES = Table(
    "sync_change",
    "Changes that plugins have not been told of yet.",
    ("observer", "seq"),
    (
        Column("observer", Kind.TEXT, "Who is to be told: plugin.observer"),
        Column("seq", Kind.INTEGER, "Order of the changes"),
        Column("table", Kind.TEXT, "The table"),
        Column("key", Kind.JSON, "The row's primary key"),
        Column("rev", Kind.INTEGER, "The row's revision"),
    ),
    Role.OWN,
    org_scoped=False,
)
"""Part of the schema only while an observer is enabled."""


def load_extensions(config: Config, given: Mapping[str, object] | None = None) -> Extensions:
    """The enabled plugins, and ``given`` ones by name. Raises ConfigError, with a sentence, for any that cannot run."""
    settings = config.plugins
    limit = settings.limit.total_seconds()
    wanted = Wanted(settings.folder, settings.enabled, limit, partial(settings_of, config), given or {})
    ours, plugins = load_plugins(wanted, vendors(config))
    try:
        added = {plugin.name: (plugin.declared.tables, plugin.declared.columns) for plugin in plugins}
        observed = any(plugin.declared.observers for plugin in plugins)
        schema = extended((*ours.tables, *bookkeeping.TABLES), added, observed=observed)
        extensions = Extensions(schema, ours.event_handlers, tuple(plugins), ours)
        check_retention(config, schema)
        _check_files(extensions)
        _check_observers(extensions)
    except ConfigError:
        for plugin in plugins:
            plugin.calls.close()
        raise
    return extensions


def settings_of(config: Config, name: str) -> Settings:
    """The settings of a plugin, as a configuration gives them."""
    given, database = config.plugins, config.mirror.database
    opened = lambda value: named_secret(value, given.base).reveal()  # noqa: E731
    return Settings(name, given.settings(name), given.base, opened, ReadOnly(lambda: closing(open_reader(database))))


def _check_files(extensions: Extensions) -> None:
    """Raises ConfigError for a kind whose name is taken, and for a table of change sets that no kind brings."""
    taken = {kind.name for kind in extensions.own.file_kinds}
    for plugin in extensions.plugins:
        kinds = [kind for kind in plugin.declared.file_kinds if isinstance(kind, TableFiles)]
        for kind in kinds:
            if kind.name in taken:
                raise ConfigError(f"plugin {plugin.name}: there is a kind of file {kind.name} already; rename it")
            taken.add(kind.name)
        _check_patterns(extensions, plugin)
        if not kinds:
            for table in plugin.declared.tables:
                if table.filled_by is FilledBy.CHANGE_SET:
                    raise ConfigError(
                        f"plugin {plugin.name}: change sets fill {table.name}, and none of its file_kinds brings any"
                    )


def _check_patterns(extensions: Extensions, plugin: Plugin) -> None:
    """Raises ConfigError for a pattern that would take a vendor's files away."""
    for kind in plugin.declared.file_kinds:
        if isinstance(kind, TableFiles):
            continue
        for theirs in extensions.own.file_kinds:
            samples = theirs.samples if isinstance(theirs, TableFiles) else ()
            taken = next((name for name in samples if fnmatchcase(name, kind.pattern)), None)
            if taken is not None:
                raise ConfigError(
                    f"plugin {plugin.name}: file_kinds: the pattern {kind.pattern} of {kind.name} takes {taken} too, "
                    "which promptsync loads itself; narrow it"
                )


def _check_observers(extensions: Extensions) -> None:
    """Raises ConfigError for an observer or a source that can never be told or run."""
    seen = set()
    for plugin in extensions.plugins:
        for observer in plugin.declared.observers:
            _check_schedule(plugin.name, observer.name, observer.schedule)
        for source in plugin.declared.sources:
            _check_schedule(plugin.name, source.name, source.schedule)
    _check_names(extensions.plugins)
    for queue, plugin, observer in extensions.observers():
        if queue in seen or not observer.name.isidentifier():
            raise ConfigError(f"plugin {plugin.name}: observers need different names, each an identifier")
        seen.add(queue)
        for name, columns in observer.tables.items():
            if name not in extensions.schema:
                near = _near(name, (table.name for table in extensions.schema))
                raise ConfigError(
                    f"plugin {plugin.name}: {observer.name} observes {name}, and there is no such table{near}"
                )
            table = extensions.schema[name]
            if table.role is Role.OWN:
                raise ConfigError(
                    f"plugin {plugin.name}: {observer.name} observes {name}, which is promptsync's own book-keeping"
                )
            for column in columns:
                if column not in table.by_name:
                    raise ConfigError(
                        f"plugin {plugin.name}: {observer.name} observes {name}.{column}, and there is no such column"
                        f"{_near(column, table.by_name)}"
                    )


def _check_names(plugins: Iterable[Plugin]) -> None:
    """Raises ConfigError for two sources of one name, or two pages of one path."""
    for plugin in plugins:
        for hook, names in (
            ("sources", [source.name for source in plugin.declared.sources]),
            ("pages", [page.path.strip("/") for page in plugin.declared.pages]),
        ):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ConfigError(f"plugin {plugin.name}: {hook}: {twice[0]} is there twice; rename one")


def _near(wanted: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(wanted, list(names), 1)
    return f"; did you mean {found[0]}?" if found else ""


def _check_schedule(plugin: str, name: str, schedule: Schedule | None) -> None:
    try:
        if isinstance(schedule, timedelta):
            if schedule < timedelta(seconds=1):
                raise ValueError("must be a second or longer")
        elif schedule is not None:
            parse_schedule(schedule)
    except ValueError as error:
        raise ConfigError(f"plugin {plugin}: the schedule of {name} {error}") from None


def extended(
    own: Iterable[Table], added: Mapping[str, tuple[list[Table], Mapping[str, list[Column]]]], *, observed: bool
) -> Schema:
    """Our tables and what each plugin (by name) adds: tables, and columns by table. Raises ConfigError."""
    tables = {table.name: table for table in own}
    for plugin, (new, columns) in added.items():
        for table in new:
            _check_table(plugin, table, tables)
            tables[table.name] = table if table.vendor else replace(table, vendor=plugin)
        for name, more in columns.items():
            if (
                name not in tables
                or tables[name].role is not Role.MIRROR
                or tables[name].filled_by is FilledBy.CHANGE_SET
            ):
                raise ConfigError(f"plugin {plugin}: columns are added to {name}, and no such table can have them")
            tables[name] = _widened(plugin, tables[name], more)
    return Schema((*tables.values(), *((CHANGES,) if observed else ())))


def _check_table(plugin: str, table: Table, there: Mapping[str, Table]) -> None:
    names = [column.name for column in table.columns]
    bad = [name for name in names if not _NAME.fullmatch(name)]
    mirror, happened = table.role is Role.MIRROR, table.role is Role.HAPPENED
    changes = table.filled_by is FilledBy.CHANGE_SET
    value_columns = [column for column in table.values if not column.group]
    for wrong, why in (
        (table.name in there, "it exists already"),
        (not _NAME.fullmatch(table.name) or table.name.startswith(("sync_", "sqlite_")), "its name cannot be used"),
        (table.role is Role.OWN, "its role must be MIRROR or HAPPENED"),
        (bool(bad) or len(set(names)) < len(names), "its columns need different names in small letters"),
        (not table.key or not set(table.key) <= set(names), "its key must be columns of it"),
        (
            mirror and not changes and ("org_id" not in names or "org_id" in table.key),
            "it needs a column org_id outside its key",
        ),
        (mirror and bool(value_columns), "each column outside the key needs a group"),
        (
            table.filled_by in (FilledBy.SNAPSHOT, FilledBy.EXPORT) or any(c.exported for c in table.columns),
            "only the vendors' tables can be exported",
        ),
        (bool(table.full_list) or bool(table.views), "only the vendors' tables can have full lists or views"),
        (changes and not _takes_change_sets(table), _CHANGE_SETS),
        (bool(table.search) and len(table.key) != 1, "search needs a key of one column"),
        (happened and names[:3] != ["event_id", "item", "org_id"], "its columns must begin event_id, item, org_id"),
        (
            not _can_be_kept(table),
            "kept must name a time and texts outside its key, by a name of its own",
        ),
        (happened and table.key != ("event_id", "item"), "its key must be event_id, item"),
    ):
        if wrong:
            raise ConfigError(f"plugin {plugin}: table {table.name} cannot be made: {why}")


def _can_be_kept(table: Table) -> bool:
    kept = table.kept
    if kept is None:
        return True
    values = {column.name: column.kind for column in table.values}
    texts = bool(kept.texts) and all(name in values for name in kept.texts)
    return values.get(kept.at) is Kind.TIME and texts and kept.key.startswith(table.name)


def _takes_change_sets(table: Table) -> bool:
    accounts = table.by_name.get("workspace_id")
    keyed = accounts is not None and accounts.kind is Kind.INTEGER and table.key[0] == accounts.name
    ordered = table.order in ("", *(column.name for column in table.values))
    return table.role is Role.MIRROR and keyed and ordered and not table.org_scoped and len(table.groups) == 1


def _widened(plugin: str, table: Table, more: list[Column]) -> Table:
    for column in more:
        if not isinstance(column, Column) or not _NAME.fullmatch(column.name) or column.name in table.by_name:
            raise ConfigError(f"plugin {plugin}: a column of {table.name} exists already or has no usable name")
        if not column.group or column.group in table.groups or column.exported:
            raise ConfigError(
                f"plugin {plugin}: {table.name}.{column.name} must be in a group of the plugin's own, and not exported"
            )
    return replace(table, columns=(*table.columns, *more))
