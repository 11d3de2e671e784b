"""``promptsync plugins``: what is loaded and how it fares; a skeleton for a new one.

Owns the two listings and the texts of the skeleton.
"""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.config import Config
from promptsync.daemon.client import ask_daemon, daemon_runs
from promptsync.engine.built_in import load_extensions, settings_of
from promptsync.errors import ConfigError, Unavailable, ended
from promptsync.plugins.loading import fingerprint

_PLUGIN = '''\
"""What this plugin does, in a sentence.

    [plugins]
    enabled = ["{name}"]
    [plugins.{name}]
    smallest = 1
"""

from promptsync import Change, Observer, ReadOnly, Settings, hookimpl


@hookimpl
def observers(settings: Settings) -> list[Observer]:
    """Called, after the commit, with contacts that are new or whose name has changed."""
    smallest = settings.number("smallest", 1)

    def on_change(changes: list[Change], mirror: ReadOnly) -> None:
        for change in changes:
            for contact in mirror.rows("SELECT id, display_name FROM contact WHERE id = ?", change.key):
                if contact["id"] >= smallest:
                    greet(contact)

    return [Observer("names", {{"contact": ("display_name",)}}, on_change)]


def greet(contact: dict[str, object]) -> None:
    """Do something with a contact. Raising means being called again later."""
'''
_TEST = '''\
"""Run with pytest, which finds the fixture ``kit`` by itself: a fresh mirror. 'promptsync help plugins' says more."""

from pathlib import Path

from promptsync.testing import Kit

PLUGIN = Path(__file__).parent / "{name}.py"


def test_it_is_called_with_new_contacts(kit: Kit) -> None:
    kit.enable(PLUGIN, smallest=2)
    kit.post("customer/added", {{"orgId": 1, "customer": {{"id": 7, "displayName": "Ana", "createdTimestamp": 1}}}})
    assert kit.rows("SELECT id, display_name FROM contact") == [{{"id": 7, "display_name": "Ana"}}]
    assert kit.notify() == 1
    assert kit.notify() == 0
'''


@click.group()
def plugins() -> None:
    """Plugins: what is loaded, a skeleton for a new one."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """The enabled plugins: where from, which hooks, calls, failures, time spent, what a restart of the daemon would
    change. Exit 1 if one is paused or a restart would fail."""
    found, runs = _found(app)
    fails = _failing_restart(app) if any(plugin["restart"] for plugin in found) else None
    if as_json:
        print_json(found)
    elif not found:
        app.say(f"No plugin is enabled; name those that are to run in plugins.enabled of {app.config_file}.")
    elif app.verbosity >= 0:
        columns = ["plugin", "from", "hooks", "calls", "failures", "seconds", "state"]
        print_table(columns, [_row(plugin, "runs" if runs else "enabled") for plugin in found])
    if fails and not as_json:
        click.echo(f"A restart of the daemon would fail: {ended(fails)}")
    finish(any(plugin["paused"] for plugin in found) or fails is not None)


def _row(plugin: dict[str, Any], state: str) -> list[Any]:
    hooks = " ".join(plugin["hooks"])
    state = _RESTART.get(plugin["restart"], state)
    failing = plugin.get("failing") or []
    state = "; ".join([state, *(f"{_part(one)}: {one['error']}" for one in failing)])
    return [plugin["name"], plugin["from"], hooks, plugin["calls"], plugin["failures"], plugin["seconds"], state]


_RESTART = {
    "added": "not loaded yet, a restart loads it",
    "changed": "runs as it was; changed since, a restart loads it anew",
    "removed": "runs still, a restart ends it",
}


def _part(failing: dict[str, Any]) -> str:
    return f"{failing['name'] or failing['hook']} {'is paused' if failing['paused'] else 'fails, is called again'}"


def _failing_restart(app: App) -> str | None:
    """Why the daemon would not start with the configuration as it is now."""
    try:
        load_extensions(app.config).close()
    except ConfigError as error:
        return str(error)
    return None


def _against(loaded: list[dict[str, Any]], config: Config) -> list[dict[str, Any]]:
    """What the daemon has loaded, each with what a ``restart`` would change ("added", "changed", "removed" or None)."""
    for plugin in loaded:
        name, now = plugin["name"], ""
        if name in config.plugins.enabled:
            now = fingerprint(config.plugins.folder, name, settings_of(config, name))
        changed = "changed" if now != plugin.get("fingerprint", now) else None
        plugin["restart"] = changed if name in config.plugins.enabled else "removed"
    there = {plugin["name"] for plugin in loaded}
    nothing: dict[str, Any] = {
        "from": None,
        "hooks": [],
        "calls": 0,
        "failures": 0,
        "seconds": 0.0,
        "paused": False,
        "error": None,
    }
    return loaded + [
        {"name": name, **nothing, "restart": "added"} for name in config.plugins.enabled if name not in there
    ]


def _found(app: App) -> tuple[list[dict[str, Any]], bool]:
    """As the daemon has them if it runs, else as it would load them."""
    database = app.config.mirror.database
    if daemon_runs(database):
        return _against(list(ask_daemon(database, "plugins", {}, lambda _: None)["plugins"]), app.config), True
    extensions = load_extensions(app.config)
    extensions.close()
    fresh = {"calls": 0, "seconds": 0.0, "restart": None}
    return [plugin.as_dict() | fresh for plugin in extensions.plugins], False


@plugins.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where, instead of plugins.folder.")
@click.pass_obj
def new(app: App, name: str, folder: Path | None) -> None:
    """Write NAME.py and a test that passes into the plugins folder."""
    if not name.isidentifier() or name != name.lower() or name == "promptsync":
        raise ConfigError(f"{name!r} cannot be a plugin's name: take small letters, digits and _, not a digit first.")
    folder = folder or app.config.plugins.folder
    texts = {folder / f"{name}.py": _PLUGIN, folder / f"test_{name}.py": _TEST}
    there = [path for path in texts if path.exists()]
    if there:
        raise ConfigError(f"{there[0]} exists already; take another name.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text.format(name=name), encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror}).") from error
    for path in texts:
        app.say(f"Wrote {path}")
    app.say(f"Test it: {_test_command(folder / f'test_{name}.py')}")
    app.say(f'Then add "{name}" to plugins.enabled in {app.config_file}, and restart the daemon.')


def _test_command(test: Path) -> str:
    """A command that works here; before it, what installs pytest where it is missing."""
    python = shlex.quote(sys.executable)
    run = f"{python} -m pytest {shlex.quote(str(test))}"
    if find_spec("pytest"):
        return run
    install = f"{python} -m pip install pytest" if find_spec("pip") else f"uv pip install --python {python} pytest"
    return f"{install} && {run}"
