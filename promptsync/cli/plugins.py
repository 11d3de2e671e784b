"""``promptsync plugins``: what is loaded and how it fares; a skeleton for a new one.

Owns the two listings and the texts of the skeleton.
"""

from pathlib import Path
from typing import Any

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.daemon.client import ask_daemon, daemon_runs
from promptsync.engine.built_in import load_extensions
from promptsync.errors import ConfigError, Unavailable

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

    def told(changes: list[Change], mirror: ReadOnly) -> None:
        for change in changes:
            for contact in mirror.rows("SELECT id, display_name FROM contact WHERE id = ?", change.key):
                if contact["id"] >= smallest:
                    greet(contact)

    return [Observer("names", {{"contact": ("display_name",)}}, told)]


def greet(contact: dict[str, object]) -> None:
    """Do something with a contact. Raising means being called again later."""
'''
_TEST = '''\
"""Run with pytest. The fixture gives a fresh mirror; see 'promptsync help plugins'."""

from pathlib import Path

from promptsync.testing import Kit, kit

__all__ = ["kit"]
PLUGIN = Path(__file__).parent / "{name}.py"


def test_it_is_told_of_new_contacts(kit: Kit) -> None:
    kit.enable(PLUGIN, smallest=2)
    kit.post("customer/added", {{"orgId": 1, "customer": {{"id": 7, "displayName": "Ana", "createdTimestamp": 1}}}})
    assert kit.rows("SELECT id, display_name FROM contact") == [{{"id": 7, "display_name": "Ana"}}]
    assert kit.tell() == 1
    assert kit.tell() == 0
'''


@click.group()
def plugins() -> None:
    """Plugins: what is loaded, a skeleton for a new one."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """The enabled plugins: where from, which hooks, calls, failures, time spent. Exit 1 if one is paused."""
    found, runs = _found(app)
    if as_json:
        print_json(found)
    elif not found:
        app.say(f"No plugin is enabled; name those that are to run in plugins.enabled of {app.config_file}.")
    elif app.verbosity >= 0:
        columns = ["plugin", "from", "hooks", "calls", "failures", "seconds", "state"]
        print_table(columns, [_row(plugin, "runs" if runs else "enabled") for plugin in found])
    finish(any(plugin["paused"] for plugin in found))


def _row(plugin: dict[str, Any], state: str) -> list[Any]:
    hooks = " ".join(plugin["hooks"])
    state = f"paused: {plugin['error']}" if plugin["paused"] else state
    return [plugin["name"], plugin["from"], hooks, plugin["calls"], plugin["failures"], plugin["seconds"], state]


def _found(app: App) -> tuple[list[dict[str, Any]], bool]:
    """As the daemon has them if it runs, else as it would load them."""
    database = app.config.mirror.database
    if daemon_runs(database):
        return list(ask_daemon(database, "plugins", {}, lambda _: None)["plugins"]), True
    extensions = load_extensions(app.config)
    extensions.close()
    return [plugin.as_dict() | {"calls": 0, "seconds": 0.0} for plugin in extensions.plugins], False


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
    app.say(f'Test it with pytest, then add "{name}" to plugins.enabled and restart.')
