"""Plugins in the command line: their commands, their checks in ``status`` and ``doctor``, their pages in ``browse``.

Owns when plugins are loaded for a command at all: only if the configuration enables any.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptsync.browse.settings import BrowseSettings, PluginPage
from promptsync.cli.config_file import find_config
from promptsync.config import Config, load_config
from promptsync.errors import ConfigError, ended
from promptsync.model import Schema
from promptsync.plugins.declared import Finding, ReadOnly, ok, problem
from promptsync.store.connect import open_reader
from promptsync.vendors import declared_schema

if TYPE_CHECKING:
    from promptsync.plugins.loading import Extensions


def plugin_commands(config: Config) -> dict[str, click.Command]:
    """The commands of the enabled plugins, by name. Raises ConfigError."""
    extensions = _extensions(config)
    extensions.close()
    commands = [command for plugin in extensions.plugins for command in plugin.declared.commands]
    return {str(command.name): command for command in commands}


def plugin_findings(config: Config, *, run_checks: bool = True) -> Iterator[Finding]:
    """Whether the enabled plugins can be loaded, without which no daemon starts, and what their checks find."""
    if not config.plugins.enabled:
        return
    try:
        extensions = _extensions(config)
    except ConfigError as error:
        yield problem("plugins", ended(str(error)))
        return
    try:
        yield ok("plugins", f"{', '.join(plugin.name for plugin in extensions.plugins)} can be loaded.")
        if run_checks and config.mirror.database.exists():
            yield from _checked(extensions, config.mirror.database)
    finally:
        extensions.close()


def schema_of(config_path: Path | None) -> Schema:
    """Every table, those of the enabled plugins too, if the configuration is there and they can be loaded."""
    try:
        config = load_config(find_config(config_path, os.environ, Path.cwd()))
        if not config.plugins.enabled:
            return declared_schema()
        extensions = _extensions(config)
    except ConfigError:
        return declared_schema()  # what is wrong is said by the commands that need them
    extensions.close()
    return extensions.schema


def with_plugins(settings: BrowseSettings, config: Config) -> tuple[BrowseSettings, Callable[[], None]]:
    """The settings of the pages with what the enabled plugins add, and what ends these plugins. Raises ConfigError."""
    if not config.plugins.enabled:
        return settings, lambda: None
    from promptsync.plugins.asking import page_text

    extensions = _extensions(config)
    mirror = ReadOnly(lambda: _reading(config.mirror.database))
    pages, metadata = [], {}
    for plugin in extensions.plugins:
        metadata.update(plugin.declared.metadata)
        for page in plugin.declared.pages:
            run = partial(page_text, plugin, page, mirror)
            pages.append(PluginPage(f"/plugins/{plugin.name}/{page.path.strip('/')}", page.title, run))
    return replace(settings, schema=extensions.schema, pages=tuple(pages), more_metadata=metadata), extensions.close


def _extensions(config: Config) -> "Extensions":
    """The enabled plugins, loaded. Raises ConfigError."""
    from promptsync.engine.built_in import load_extensions

    return load_extensions(config)


def _checked(extensions: "Extensions", database: Path) -> Iterator[Finding]:
    from promptsync.plugins.asking import findings

    mirror = ReadOnly(lambda: _reading(database))
    for plugin in extensions.plugins:
        yield from findings(plugin, mirror)


def _reading(database: Path) -> AbstractContextManager[sqlite3.Connection]:
    return closing(open_reader(database))
