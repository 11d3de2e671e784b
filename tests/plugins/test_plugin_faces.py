"""Plugins as people meet them: on the command line, in status and doctor, in the browser."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from promptsync.cli import main
from promptsync.config import load_config
from promptsync.engine.engine import Engine

PLUGIN = '''
import html
import click
from promptsync import Column, Kind, Page, PluginError, Table, hookimpl, ok, problem

@hookimpl
def tables(settings):
    columns = (
        Column("id", Kind.INTEGER, "ID"), Column("org_id", Kind.INTEGER, "Org"), Column("a", Kind.TEXT, "A", "facts"),
    )
    return [Table("gift", "What people gave.", ("id",), columns)]

@hookimpl
def checks(settings):
    def check(mirror):
        n = mirror.rows("SELECT count(*) AS n FROM gift")[0]["n"]
        return [ok("gifts", "There is a table."), problem("gifts", f"{n} gifts are too few.")]
    return [check]

@hookimpl
def commands(settings):
    @click.command()
    def gifts():
        """Count the gifts."""
        click.echo("none yet")
    return [gifts, click.Command("status")]

@hookimpl
def pages(settings):
    def show(query, mirror):
        if "fail" in query:
            raise PluginError("no")
        return f"<p>{html.escape(query.get('who', 'nobody'))} {len(mirror.rows('SELECT 1 AS x'))}</p>"
    return [Page("list", "Gifts of all", show)]

@hookimpl
def metadata(settings):
    return {"contact": {"description": "Givers", "columns": {"id": "Number of the giver"}}}
'''


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "promptsync.toml"
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "gifts.py").write_text(PLUGIN)
    browse = "[browse]\nport = 0\nanonymous = true\n"
    webhook = "[webhook]\nport = 0\nallow_unauthenticated = true\n"
    file.write_text(f'{webhook}{browse}[plugins]\nenabled = ["gifts"]\n')
    Engine(load_config(file)).close()
    return file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), *arguments], catch_exceptions=False)


def test_a_plugins_commands_are_there_but_cannot_hide_ours(config: Path) -> None:
    assert run(config, "gifts").stdout == "none yet\n"
    assert "Count the gifts." in run(config, "--help").stdout
    assert "Is the mirror up to date?" in run(config, "status", "--help").stdout
    assert "No such command 'nonsense'" in run(config, "nonsense").stderr


def test_a_plugins_problems_show_in_status_and_doctor(config: Path) -> None:
    status = run(config, "status", "--json")
    assert status.exit_code == 1 and "0 gifts are too few." in json.loads(status.stdout)["problems"]
    findings = json.loads(run(config, "doctor", "--json").stdout)["findings"]
    assert {"level": "ok", "check": "gifts", "says": "There is a table."} in findings
    assert {"level": "problem", "check": "gifts", "says": "0 gifts are too few."} in findings


def test_a_plugin_that_cannot_be_loaded_shows_in_status_and_stops_the_daemon(config: Path) -> None:
    (config.parent / "plugins" / "gifts.py").write_text("1 / 0")
    status = run(config, "status", "--json")
    assert status.exit_code == 1
    assert "plugin gifts: start: ZeroDivisionError in line 1" in "".join(json.loads(status.stdout)["problems"])
    for command in ("run", "gifts", "plugins"):
        result = run(config, command, *(["list"] if command == "plugins" else []))
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1) and "plugin gifts" in result.stderr
    assert run(config, "--help").exit_code == 0


def test_the_list_says_where_from_and_which_hooks(config: Path) -> None:
    (found,) = json.loads(run(config, "plugins", "list", "--json").stdout)
    assert len(found.pop("fingerprint")) == 64
    assert found == {
        "name": "gifts",
        "from": str(config.parent / "plugins" / "gifts.py"),
        "hooks": ["tables", "checks", "commands", "pages", "metadata"],
        **{"calls": 0, "failures": 0, "seconds": 0.0, "paused": False, "error": None, "failing": [], "restart": None},
    }
    assert "gifts" in run(config, "plugins", "list").stdout


def test_pages_and_metadata_of_a_plugin(config: Path) -> None:
    from promptsync.browse.serve import build_datasette, close
    from promptsync.cli.browse import browse_settings
    from promptsync.cli.extended import with_plugins

    async def ask() -> list[Any]:
        loaded = load_config(config)
        settings, end = with_plugins(browse_settings(loaded), loaded)
        datasette = build_datasette(settings)
        try:
            paths = (
                "/",
                "/plugins/gifts/list?who=<b>",
                "/plugins/gifts/list?fail=1",
                "/mirror/gift",
                "/mirror/contact",
            )
            return [await datasette.client.get(path, headers={"host": "localhost"}) for path in paths]
        finally:
            close(datasette)
            end()

    start, page, failed, table, contact = asyncio.run(ask())
    assert 'href="/plugins/gifts/list">Gifts of all' in start.text
    assert page.status_code == 200 and "&lt;b&gt; 1</p>" in page.text and "<h1>Gifts of all</h1>" in page.text
    assert failed.status_code == 500 and "Traceback" not in failed.text
    assert "This page could not be made: plugin gifts: pages: no." in failed.text
    assert "What people gave." in table.text and "Givers" in contact.text


def test_a_page_that_only_the_daemon_has_says_where_to_name_its_plugin(config: Path) -> None:
    from promptsync.browse.serve import build_datasette, close
    from promptsync.cli.browse import browse_settings

    async def ask() -> list[Any]:
        datasette = build_datasette(browse_settings(load_config(config)))
        try:
            paths = ("/plugins/gifts/list", "/plugins/nonsense/list")
            return [await datasette.client.get(path, headers={"host": "localhost"}) for path in paths]
        finally:
            close(datasette)

    known, unknown = asyncio.run(ask())
    assert (known.status_code, unknown.status_code) == (404, 404)
    assert "The daemon runs the plugin gifts, these pages do not" in known.text and "browse.toml" in known.text
    assert "There is no such page of a plugin" in unknown.text


def test_the_skeletons_own_test_passes(config: Path) -> None:
    new = run(config, "plugins", "new", "greeter")
    assert new.exit_code == 0 and f"{sys.executable} -m pytest {config.parent}/plugins/test_greeter.py" in new.stdout
    folder = config.parent / "plugins"
    others = [option for name in ("aiohttp", "xdist", "timeout") for option in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *others, "test_greeter.py"]
    alone = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=alone)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
    assert run(config, "plugins", "new", "greeter").exit_code == 2
    assert run(config, "plugins", "new", "no good").exit_code == 2
    text = config.read_text().replace('["gifts"]', '["greeter"]')
    config.write_text(text)
    assert "greeter" in run(config, "plugins", "list").stdout


def test_without_plugins_nothing_is_loaded(config: Path) -> None:
    config.write_text(config.read_text().replace('["gifts"]', "[]"))
    (config.parent / "plugins" / "gifts.py").write_text("raise SystemExit('loaded')")
    assert run(config, "plugins", "list").stdout.startswith("No plugin is enabled")
    assert run(config, "gifts").exit_code == 2
    assert run(config, "doctor").exit_code in (0, 1)
