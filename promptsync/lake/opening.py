"""Making a lake, and opening one, from the configuration.

Owns what is decided once, when a lake is made (``lake.json``), and that a configuration fits it.
Must not fold anything.
"""

from pathlib import Path
from typing import Final

from promptsync.clock import Clock, iso_millis, system_clock
from promptsync.config import Config
from promptsync.engine.built_in import load_extensions
from promptsync.engine.engine import load_settings
from promptsync.engine.keeping import check_retention
from promptsync.errors import ConfigError, names_in_words
from promptsync.fetch.sources import sources_of
from promptsync.lake.engine import Engine
from promptsync.lake.lake import Lake
from promptsync.lake.settings import master_of, section_of, storage_of
from promptsync.loading.kinds import FileKinds
from promptsync.plugins.declared import FileKind
from promptsync.plugins.loading import Plugin

_FORMAT: Final = 1


def make_lake(config: Config, clock: Clock = system_clock) -> bool:
    """Make the lake that is configured; returns whether it is new. Raises ConfigError, Unavailable."""
    section, storage = section_of(config), storage_of(config)
    found = storage.read_settings()
    if found is None:
        storage.write_settings({"format": _FORMAT, "buckets": section.buckets, "made_at": iso_millis(clock())})
    storage.make_folders()
    return found is None


def open_lake(config: Config, clock: Clock = system_clock) -> Lake:
    """The lake that is configured. Raises ConfigError, Unavailable."""
    section, storage = section_of(config), storage_of(config)
    found = storage.read_settings()
    if found is None:
        raise ConfigError(f"There is no lake at {storage.name} yet; make it with: promptsync lake init")
    if found["format"] != _FORMAT:
        raise ConfigError(f"The lake at {storage.name} was made by a newer promptsync; update this one.")
    if found["buckets"] != section.buckets:
        raise ConfigError(f"The lake at {storage.name} has {found['buckets']} buckets: write so in [lake] buckets.")
    extensions = load_extensions(config)
    plugins = extensions if any(map(_takes_part, extensions.plugins)) else None
    if plugins is not None and section.engine == "spark":
        names = names_in_words([plugin.name for plugin in plugins.plugins if _takes_part(plugin)], 5)
        raise ConfigError(
            f"Plugins that handle or filter what is merged ({names}) are called by [lake] engine duckdb alone, as the "
            "machines of a cluster do not have them."
        )
    check_retention(config, extensions.schema)
    kinds = FileKinds.of(extensions)
    return Lake(
        storage,
        section.buckets,
        extensions.schema,
        dict(extensions.handlers),
        kinds,
        load_settings(config, extensions, kinds),
        sources_of(config),
        section.keep_deliveries,
        clock,
        config.retention.periods,
        plugins,
    )


def _takes_part(plugin: Plugin) -> bool:
    """Whether a plugin changes what is merged."""
    declared = plugin.declared
    kinds = any(isinstance(kind, FileKind) for kind in declared.file_kinds)
    return bool(declared.event_handlers or declared.filters or kinds)


def engine_of(config: Config, scratch: Path) -> Engine:
    """What folds, as configured. Raises ConfigError, Unavailable."""
    if section_of(config).engine == "spark":
        from promptsync.lake.engine_spark import SparkEngine

        return SparkEngine(storage_of(config), master_of(config))
    from promptsync.lake.engine_duckdb import DuckDBEngine

    return DuckDBEngine(scratch)
