"""promptsync's own tables and event handlers, given through the same hooks that plugins use.

Owns nothing but the registration, and the putting together of what promptsync and the enabled plugins declare.
"""

from collections.abc import Mapping
from datetime import timedelta

from promptsync.config import Config
from promptsync.config.schedules import parse_schedule
from promptsync.config.secret import named_secret
from promptsync.errors import ConfigError
from promptsync.hookspecs import hookimpl
from promptsync.model import Role, Table
from promptsync.plugins.declared import EventHandler, Schedule
from promptsync.plugins.extensions import Extensions
from promptsync.plugins.loading import Wanted, load_plugins
from promptsync.plugins.schema import extended
from promptsync.plugins.settings import Settings
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS


class BuiltIn:
    """promptsync as a plugin of itself."""

    @hookimpl
    def tables(self) -> list[Table]:
        """Every declared table."""
        return list(declared_schema())

    @hookimpl
    def event_handlers(self) -> Mapping[str, EventHandler]:
        """What each of the vendor's event types claims."""
        return HANDLERS


def load_extensions(config: Config, given: Mapping[str, object] | None = None) -> Extensions:
    """The enabled plugins, and ``given`` ones by name. Raises ConfigError, with a sentence, for any that cannot run."""
    settings = config.plugins

    def settings_of(name: str) -> Settings:
        return Settings(
            name, settings.settings(name), settings.base, lambda value: named_secret(value, settings.base).reveal()
        )

    limit = settings.limit.total_seconds()
    wanted = Wanted(settings.folder, settings.enabled, limit, settings_of, given or {})
    ours, plugins = load_plugins(wanted, BuiltIn())
    try:
        added = {plugin.name: (plugin.declared.tables, plugin.declared.columns) for plugin in plugins}
        observed = any(plugin.declared.observers for plugin in plugins)
        extensions = Extensions(extended(ours.tables, added, observed=observed), ours.event_handlers, tuple(plugins))
        _check_observers(extensions)
    except ConfigError:
        for plugin in plugins:
            plugin.calls.close()
        raise
    return extensions


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
