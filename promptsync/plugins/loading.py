"""Finding the enabled plugins and taking what they declare.

Owns where plugins come from (the plugins folder, entry points of the group ``promptsync``), everything that makes one
be refused at the start, each with a sentence (not found, cannot be imported, misspelt or asynchronous hooks,
declarations of the wrong shape), and the shape of promptsync as they extend it, which engine/built_in.py puts together.
"""

import difflib
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pluggy

from promptsync import hookspecs
from promptsync.errors import ConfigError
from promptsync.model import Column, Schema, Table
from promptsync.plugins.calls import Calls, PluginFailed
from promptsync.plugins.checking import check_declaration, check_imports
from promptsync.plugins.declared import (
    Declared,
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

GROUP = "promptsync"
OWN = "promptsync"
_START_SECONDS = 20.0
_ITEMS: dict[str, Any] = {
    "tables": Table,
    "file_kinds": (FileKind, TableFiles),
    "sources": Source,
    "filters": Filter,
    "observers": Observer,
    "checks": Callable,
    "commands": click.Command,
    "pages": Page,
    "erase": Eraser,
}
_FUNCTIONS = ("decode", "recognise", "mark", "fetch", "claims", "rows", "on_change", "html", "keys")


@dataclass(slots=True)
class Plugin:
    """A loaded plugin. ``origin``: where it was found. ``hooks``: the names of those it implements. ``fingerprint``: of
    its code and its settings, when it was loaded."""

    name: str
    origin: str
    calls: Calls
    hooks: tuple[str, ...] = ()
    fingerprint: str = ""
    declared: Declared = field(default_factory=Declared)

    def as_dict(self) -> dict[str, Any]:
        """What ``plugins list`` says of it, as plain data."""
        tallies, troubles = self.calls.tallies.values(), self.calls.troubles()
        return {
            "name": self.name,
            "from": self.origin,
            "hooks": list(self.hooks),
            "calls": sum(tally.calls for tally in tallies),
            "failures": sum(tally.failures for tally in tallies),
            "seconds": round(sum(tally.seconds for tally in tallies), 3),
            "paused": any(trouble.paused for trouble in troubles),
            "error": self.calls.error or None,
            "fingerprint": self.fingerprint,
            "failing": [asdict(trouble) for trouble in troubles],
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which plugins to load. ``limit``: seconds for a call. ``settings``: of a plugin, by name. ``given``: objects to
    load under a name, beside those that are found."""

    folder: Path
    enabled: tuple[str, ...]
    limit: float
    settings: Callable[[str], Settings]
    given: Mapping[str, object] = field(default_factory=dict)


def load_plugins(wanted: Wanted, own: Iterable[object]) -> tuple[Declared, list[Plugin]]:
    """What the plugins that ship with promptsync declare (``own``), and the enabled ones. Raises ConfigError."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for vendor in own:
        manager.register(vendor, f"{OWN}.{type(vendor).__name__}")
    ours = Declared()
    nothing = Settings(OWN, {}, Path(), lambda _: b"")
    for hook in _hooks():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            _take(ours, hook, OWN, _called(implementation, nothing)())
    return ours, [_load(manager, wanted, name) for name in dict.fromkeys((*wanted.given, *wanted.enabled))]


def fingerprint(folder: Path, name: str, settings: Settings) -> str:
    """What changes with the code and the settings of a plugin; "" where its code cannot be read."""
    file = folder / f"{name}.py"
    try:
        code = file.read_bytes() if file.is_file() else _release(name).encode()
    except OSError:
        return ""
    return hashlib.sha256(code + b"\0" + settings.as_text().encode()).hexdigest()


def _release(name: str) -> str:
    found = [entry.dist for entry in entry_points(group=GROUP, name=name) if entry.dist is not None]
    return " ".join(f"{dist.name} {dist.version}" for dist in found)


def _load(manager: pluggy.PluginManager, wanted: Wanted, name: str) -> Plugin:
    plugin = Plugin(name, "given", Calls(name, wanted.limit))
    try:
        if name in wanted.given:
            found: object = wanted.given[name]
        else:
            plugin.origin, load = _find(wanted.folder, name)
            plugin.fingerprint = fingerprint(wanted.folder, name, wanted.settings(name))
            found = plugin.calls.one("start", load, limit=_START_SECONDS)
            check_imports(name, found)
        implementations = _register(manager, name, found)
        settings = wanted.settings(name)
        for hook, implementation in implementations.items():
            result = plugin.calls.one("start", _called(implementation, settings), limit=_START_SECONDS)
            _take(plugin.declared, hook, name, result)
    except PluginFailed as error:
        plugin.calls.close()
        raise ConfigError(f"{error}; put it right, or take it out of plugins.enabled") from error
    except ConfigError:
        plugin.calls.close()
        raise
    plugin.hooks = tuple(implementations)
    if unknown := settings.unknown():
        raise ConfigError(f"plugins.{name}.{unknown[0]} is not a key that this plugin knows")
    return plugin


def _find(folder: Path, name: str) -> tuple[str, Callable[[], object]]:
    """Where a plugin is, and what imports it."""
    file = folder / f"{name}.py"
    installed = [point for point in entry_points(group=GROUP) if point.name == name]
    if file.is_file() and installed:
        raise ConfigError(f"plugin {name} is installed and also in {folder}; take one of them away")
    if file.is_file():
        return str(file), lambda: _import_file(file, name)
    if installed:
        return installed[0].value, installed[0].load
    near = difflib.get_close_matches(name, [path.stem for path in file.parent.glob("*.py")], n=1)
    raise ConfigError(
        f"plugins.enabled names {name}, and there is neither {file} nor an installed plugin of this name"
        f"{f'; did you mean {near[0]}?' if near else ''}"
    )


def _import_file(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"promptsync_plugin_{name}", file)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up there
    spec.loader.exec_module(module)
    return module


def _register(manager: pluggy.PluginManager, name: str, found: object) -> dict[str, pluggy.HookImpl]:
    """The plugin's implementations by hook, once they are known to be ones."""
    if name == OWN or not name.isidentifier():
        raise ConfigError(f"plugins.enabled names {name!r}: a plugin's name is an identifier, and not promptsync")
    try:
        manager.register(found, name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise ConfigError(
            f"plugin {name}: {' '.join(str(error).split())}; the hooks are {', '.join(_hooks())}"
        ) from error
    implementations = {}
    for hook in _hooks():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is not found:
                continue
            if implementation.hookwrapper or implementation.wrapper or _is_async(implementation.function):
                raise ConfigError(f"plugin {name}: {hook} must be a plain function, not async and not a wrapper")
            implementations[hook] = implementation
    if not implementations:
        raise ConfigError(f"plugin {name} implements no hook; mark its functions with @promptsync.hookimpl")
    return implementations


def _called(implementation: pluggy.HookImpl, settings: Settings) -> Callable[[], Any]:
    """Calls one implementation, on its own, and exhausts what it returns."""

    def call() -> Any:
        result = implementation.function(*(settings for _ in implementation.argnames))
        return dict(result) if isinstance(result, Mapping) else list(result) if isinstance(result, Iterable) else result

    return call


def _take(declared: Declared, hook: str, plugin: str, result: Any) -> None:
    """Enter what a hook returned. Raises ConfigError unless it has the hook's shape."""
    place = getattr(declared, hook)
    if isinstance(place, dict):
        if not isinstance(result, dict) or not all(isinstance(key, str) for key in result):
            raise ConfigError(f"plugin {plugin}: {hook} must return a mapping with texts as keys")
        values = {key: _columns(plugin, key, value) if hook == "columns" else value for key, value in result.items()}
        if hook == "event_handlers":
            for key, value in values.items():
                _check_function(value, f"plugin {plugin}: the handler of {key}")
        place.update(values)
        return
    if not isinstance(result, list) or isinstance(result, str) or not all(isinstance(r, _ITEMS[hook]) for r in result):
        kind = "functions" if hook == "checks" else f"{_named(_ITEMS[hook])} objects"
        raise ConfigError(f"plugin {plugin}: {hook} must return a list of {kind}")
    for item in result:
        try:
            check_declaration(item)
        except ConfigError as error:
            raise ConfigError(f"plugin {plugin}: {hook}: {error}") from None
        functions = [item] if hook == "checks" else [getattr(item, name, None) for name in _FUNCTIONS]
        for function in functions if hook not in ("tables", "commands") else ():
            if function is not None:
                _check_function(function, f"plugin {plugin}: a function of {hook}")
    place.extend(result)


def _columns(plugin: str, table: str, given: Any) -> list[Any]:
    """The columns of a table, once they are ones. Raises ConfigError."""
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for column in found:
        if not isinstance(column, Column):
            raise ConfigError(f"plugin {plugin}: columns: {table} must be given a list of Column objects")
        try:
            check_declaration(column)
        except ConfigError as error:
            raise ConfigError(f"plugin {plugin}: columns: {table}: {error}") from None
    return found


def _named(shapes: Any) -> str:
    return " or ".join(shape.__name__ for shape in (shapes if isinstance(shapes, tuple) else (shapes,)))


def _check_function(function: Any, what: str) -> None:
    if not callable(function):
        raise ConfigError(f"{what} is not a function")
    if _is_async(function):
        raise ConfigError(f"{what} is asynchronous; promptsync calls plain functions, each on a thread")


def _is_async(function: Any) -> bool:
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def _hooks() -> list[str]:
    return list(Declared.__slots__)


@dataclass(frozen=True, slots=True)
class Extensions:
    """promptsync as the enabled plugins extend it. ``handlers``: promptsync's own, by event type; ``own``: all that
    ships with it."""

    schema: Schema
    handlers: Mapping[str, EventHandler]
    plugins: tuple[Plugin, ...] = ()
    own: Declared = field(default_factory=Declared)

    def observers(self) -> list[tuple[str, Plugin, Observer]]:
        """Every observer with the name of its queue."""
        return [(f"{p.name}.{o.name}", p, o) for p in self.plugins for o in p.declared.observers]

    def close(self) -> None:
        """Call no plugin any more."""
        for plugin in self.plugins:
            plugin.calls.close()
