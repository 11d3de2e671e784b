"""``promptsync fetch``: fetch nightly exports and change sets from the configured places now."""

from typing import Any

import click

from promptsync.cli.context import NEEDS_PERSON, NOT_NOW, WRONG, App, about_file, print_json, print_table
from promptsync.config import Config
from promptsync.engine.built_in import load_extensions
from promptsync.errors import ConfigError
from promptsync.fetch.plugins import choose_any, plugin_sources
from promptsync.fetch.sources import night_of, sources_of

_FOR_A_PERSON = ("held", "still_held", "failed", "passed_over")
_COLUMNS = ["source", "listed", "new", "loaded", "held", "failed", "gone", "seconds"]


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--since", metavar="DATE", help="Only nights from this date on, like 2026-02-04.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def fetch(app: App, /, sources: tuple[str, ...], since: str | None, as_json: bool) -> None:
    """Fetch nightly exports and Customer.io's change sets from the configured places now, and merge what is new.

    SOURCE is a location, or a part of one, or a plugin's source (PLUGIN.SOURCE); without any, every place is looked at.
    Fetching again fetches nothing twice.
    """
    config = app.config
    choose_any(sources_of(config), _of_plugins(config), sources)
    night_of(since, config.mirror.timezone)
    params = {"sources": list(sources), "since": since}
    with app.progress() as progress:
        try:
            result = app.operate("fetch", params, progress.show)
        except ConfigError as error:  # the same was found to be right above, in the file
            raise ConfigError(f"The daemon runs with an earlier configuration: restart it. It says: {error}") from None
    reports = result["sources"]
    if as_json:
        print_json(reports)
    else:
        _show(app, reports)
    raise SystemExit(_exit_code(reports))


def _of_plugins(config: Config) -> tuple[str, ...]:
    """The names of the plugins' sources. Raises ConfigError."""
    if not config.plugins.enabled:
        return ()
    extensions = load_extensions(config)
    extensions.close()
    return plugin_sources(extensions)


def _show(app: App, reports: list[dict[str, Any]]) -> None:
    files = [file for report in reports for file in report["files"]]
    if app.verbosity >= 0:
        if files:
            columns = ["name", "state", "rows", "inserted", "updated", "absent", "rejected"]
            print_table(columns, [[file[column] for column in columns] for file in files])
            click.echo("")
        print_table(_COLUMNS, [[report[column] for column in _COLUMNS] for report in reports])
    for file in files:
        if file["error"]:
            click.echo(about_file(file), err=True)
    for report in reports:
        for problem in report["problems"]:
            click.echo(problem, err=True)
        for note in report["notes"]:
            click.echo(f"{report['source']}: {note}", err=True)
        if report["over_budget"]:
            app.say(f"{report['source']}: {report['over_budget']:,} files wait, content_budget would be exceeded.")
        if report["error"]:
            click.echo(f"{report['source']}: {report['error']}", err=True)
        if report["own_marks"]:
            app.say(f"{report['source']}: {report['own_mark']}")
        if report["strangers"]:
            app.say(f"{report['source']}: {report['strangers']:,} left alone, named like no export.")


def _exit_code(reports: list[dict[str, Any]]) -> int:
    """Cannot be done now, before wrong configuration, before something that needs a person."""
    if any(report["error"] and report["retryable"] for report in reports):
        return NOT_NOW
    if any(report["error_type"] == "ConfigError" for report in reports):
        return WRONG
    bad = any(report["error"] or any(report[name] for name in _FOR_A_PERSON) for report in reports)
    rejected = any(report["rejected"] for report in reports)
    return NEEDS_PERSON if bad or rejected else 0
