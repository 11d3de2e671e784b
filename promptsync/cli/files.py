"""``promptsync files``: files that were held or ignored, and a person's word on them."""

from dataclasses import asdict

import click

from promptsync.cli.context import App, about_file, finish, print_json, print_table
from promptsync.errors import ConfigError
from promptsync.status.status import files_waiting
from promptsync.store.overview import held_file


@click.group()
def files() -> None:
    """Files that were held or ignored: list, show, merge as they are, have done with."""


@files.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """The files that wait for a person's word, and why. Exit 1 if there are any."""
    with app.reading() as connection:
        found = files_waiting(connection)
    if as_json:
        print_json([asdict(file) for file in found])
    elif found:
        columns = ["id", "name", "state", "seen", "why"]
        print_table(columns, [[str(f.id), f.name, f.state, f.seen_at[:16], f.error] for f in found])
    else:
        app.say("There are none.")
    finish(bool(found))


@files.command()
@click.argument("id_", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def show(app: App, id_: int, as_json: bool) -> None:
    """Everything about one: why, what it states, where it is."""
    with app.reading() as connection:
        found = held_file(connection, id_)
    if found is None:
        raise ConfigError(f"There is no file {id_} that waits for a word; 'promptsync files list' shows them.")
    if as_json:
        print_json(asdict(found))
        return
    for name, value in asdict(found).items():
        if value is not None:
            click.echo(f"{name}: {value}")


@files.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def accept(app: App, ids: tuple[int, ...], as_json: bool) -> None:
    """Merge these files as they are: you have looked at them."""
    with app.progress() as progress:
        result = app.operate("accept-files", {"ids": list(ids)}, progress.show)
    if as_json:
        print_json(result["files"])
    else:
        for file in result["files"]:
            app.say(f"{file['name']}: {file['state']}, {file['rows']:,} rows.")
            if file["error"]:
                click.echo(about_file(file), err=True)
    finish(any(file["state"] not in ("merged", "unchanged") for file in result["files"]))


@files.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs; does not ask either, so give --yes.")
@click.pass_obj
def discard(app: App, ids: tuple[int, ...], yes: bool, as_json: bool) -> None:
    """Have done with these files: those in the drop folder, and our copies of fetched ones, are deleted."""
    if not yes:
        if as_json:
            raise ConfigError("With --json nobody is asked: give --yes too.")
        with app.reading() as connection:
            found = [held_file(connection, id_) for id_ in ids]
        names = ", ".join(file.name for file in found if file is not None)
        if names:
            click.confirm(f"Have done with {names}?", abort=True, err=True)
    result = app.operate("discard-files", {"ids": list(ids)}, lambda _: None)
    if as_json:
        print_json(result)
    else:
        app.say(f"{result['discarded']:,} discarded, of which {result['deleted']:,} deleted.")
