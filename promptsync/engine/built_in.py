"""promptsync as its vendors and the enabled plugins make it.

Owns the putting together of what they declare, and the checks that need to see all of it.
"""

from collections.abc import Mapping
from datetime import timedelta

from promptsync.config import Config
from promptsync.config.schedules import parse_schedule
from promptsync.config.secret import named_secret
from promptsync.errors import ConfigError
from promptsync.model import FilledBy, Role, bookkeeping
from promptsync.plugins.declared import Schedule, TableFiles
from promptsync.plugins.loading import Extensions, Wanted, load_plugins
from promptsync.plugins.schema import extended
from promptsync.plugins.settings import Settings
from promptsync.vendors import vendors


def load_extensions(config: Config, given: Mapping[str, object] | None = None) -> Extensions:
    """The enabled plugins, and ``given`` ones by name. Raises ConfigError, with a sentence, for any that cannot run."""
    settings = config.plugins

    def settings_of(name: str) -> Settings:
        return Settings(
            name, settings.settings(name), settings.base, lambda value: named_secret(value, settings.base).reveal()
        )

    limit = settings.limit.total_seconds()
    wanted = Wanted(settings.folder, settings.enabled, limit, settings_of, given or {})
    ours, plugins = load_plugins(wanted, vendors(config))
    try:
        added = {plugin.name: (plugin.declared.tables, plugin.declared.columns) for plugin in plugins}
        observed = any(plugin.declared.observers for plugin in plugins)
        schema = extended((*ours.tables, *bookkeeping.TABLES), added, observed=observed)
        extensions = Extensions(schema, ours.event_handlers, tuple(plugins), ours)
        _check_files(extensions)
        _check_observers(extensions)
    except ConfigError:
        for plugin in plugins:
            plugin.calls.close()
        raise
    return extensions


def _check_files(extensions: Extensions) -> None:
    """Raises ConfigError for a kind whose name is taken, and for a table of change sets that no kind brings."""
    taken = {kind.name for kind in extensions.own.file_kinds}
    for plugin in extensions.plugins:
        kinds = [kind for kind in plugin.declared.file_kinds if isinstance(kind, TableFiles)]
        for kind in kinds:
            if kind.name in taken:
                raise ConfigError(f"plugin {plugin.name}: there is a kind of file {kind.name} already; rename it")
            taken.add(kind.name)
        if not kinds:
            for table in plugin.declared.tables:
                if table.filled_by is FilledBy.CHANGE_SET:
                    raise ConfigError(
                        f"plugin {plugin.name}: change sets fill {table.name}, and none of its file_kinds brings any"
                    )


def _check_observers(extensions: Extensions) -> None:
    """Raises ConfigError for an observer or a source that can never be told or run."""
    seen = set()
    for plugin in extensions.plugins:
        for observer in plugin.declared.observers:
            _check_schedule(plugin.name, observer.name, observer.schedule)
        for source in plugin.declared.sources:
            _check_schedule(plugin.name, source.name, source.schedule)
    for queue, plugin, observer in extensions.observers():
        if queue in seen or not observer.name.isidentifier():
            raise ConfigError(f"plugin {plugin.name}: observers need different names, each an identifier")
        seen.add(queue)
        for name, columns in observer.tables.items():
            if name not in extensions.schema:
                raise ConfigError(f"plugin {plugin.name}: {observer.name} observes {name}, and there is no such table")
            table = extensions.schema[name]
            if table.role is Role.OWN or not set(columns) <= set(table.by_name):
                raise ConfigError(f"plugin {plugin.name}: {observer.name} observes {name}, or columns of it, in vain")


def _check_schedule(plugin: str, name: str, schedule: Schedule | None) -> None:
    try:
        if isinstance(schedule, timedelta):
            if schedule < timedelta(seconds=1):
                raise ValueError("must be a second or longer")
        elif schedule is not None:
            parse_schedule(schedule)
    except ValueError as error:
        raise ConfigError(f"plugin {plugin}: the schedule of {name} {error}") from None
