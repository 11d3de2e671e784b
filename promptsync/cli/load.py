"""``promptsync load``: merge files or folders now."""

from pathlib import Path
from typing import Any

import click

from promptsync.cli.completion import tables
from promptsync.cli.context import App, about_file, finish, print_json, print_table
from promptsync.clock import parse_iso
from promptsync.errors import ConfigError
from promptsync.model.file_name import OWN_MARK
from promptsync.places.entries import printable
from promptsync.status.problems import differs

_GOOD = ("merged", "unchanged", "would merge")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", shell_complete=tables, help="The table it states, if the name does not say.")
@click.option("--org", type=click.IntRange(min=0), help="The organization, if the name does not say.")
@click.option("--as-of", help="The instant it states (ISO 8601), if the name does not say.")
@click.option("--accept", is_flag=True, help="Merge a held file: a person has looked at it.")
@click.option("--corrects", is_flag=True, help="It replaces the export of the same night that was merged before.")
@click.option("--dry-run", is_flag=True, help="Count what would change, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def load(app: App, /, paths: tuple[Path, ...], as_json: bool, **stated: Any) -> None:
    """Merge files, or folders of them, now: nightly exports and Customer.io's change sets (parquet).

    Loading anything twice changes nothing, and the order of change sets does not matter.
    """
    missing = [printable(str(path)) for path in paths if _is_missing(path)]
    if missing:
        raise ConfigError(f"There is no file or folder {', '.join(missing)}; check the spelling.")
    _check(stated)
    params = {**stated, "paths": [str(path.absolute()) for path in paths]}
    with app.progress() as progress:
        result = app.operate("load", params, progress.show)
    files = result["files"]
    if as_json:
        print_json(files)
    else:
        _show(app, files)
    finish(not files or any(_needs_person(file) for file in files))


def _needs_person(file: dict[str, Any]) -> bool:
    good = file["state"] in _GOOD or file["reason"] == OWN_MARK
    return not good or file["rejected"] > 0 or file["differing"] > 0


def _is_missing(path: Path) -> bool:
    """Whether nothing is there. What cannot be looked at is: loading it says why not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _check(stated: dict[str, Any]) -> None:
    if stated["as_of"] is not None:
        try:
            parse_iso(stated["as_of"])
        except ValueError:
            raise ConfigError(f"--as-of {stated['as_of']} is not a time like 2026-02-04T08:00:00Z.") from None
    if not stated["table"] and (stated["as_of"] or stated["org"] is not None):
        raise ConfigError("Give --table too: what --as-of and --org say is said of files of one table.")


def _show(app: App, files: list[dict[str, Any]]) -> None:
    if not files:
        app.say("There was no file to load.")
        return
    columns = ["name", "state", "rows", "inserted", "updated", "unchanged", "absent", "rejected", "seconds"]
    if app.verbosity >= 0:
        print_table(columns, [[file[column] for column in columns] for file in files])
    for file in files:
        if file["reason"] == OWN_MARK:
            app.say(file["error"])
        elif file["error"]:
            click.echo(about_file(file), err=True)
    for file in files:
        if file["differing"]:
            click.echo(differs(file["name"], file["differing"], file["name"]), err=True)
    if left_out := sum(file["suppressed"] for file in files):
        rows = "1 row was" if left_out == 1 else f"{left_out:,} rows were"
        app.say(f"{rows} left out, being about people who were erased.")
    if any(file["rejected"] and file["state"] == "merged" for file in files):
        click.echo("'promptsync rejects list' shows the rows that could not be merged.", err=True)
