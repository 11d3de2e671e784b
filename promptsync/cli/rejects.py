"""``promptsync rejects``: rows and deliveries that could not be merged."""

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.errors import ConfigError
from promptsync.store.reading import row_of
from promptsync.store.rejects import newest


@click.group()
def rejects() -> None:
    """Rows and deliveries that could not be merged: list, show, try again, throw away."""


@rejects.command("list")
@click.option("--class", "class_", help="Only this kind.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_(app: App, class_: str | None, limit: int, as_json: bool) -> None:
    """The newest rejects. Exit 1 if there are any."""
    with app.reading() as connection:
        rows = newest(connection, class_, limit)
    if as_json:
        print_json(rows)
    elif rows:
        columns = list(rows[0])[:-1]
        print_table(columns, [[_text(row[column]) for column in columns] for row in rows])
    else:
        app.say("There are none.")
    finish(bool(rows))


@rejects.command()
@click.argument("id_", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show(app: App, id_: int, as_json: bool) -> None:
    """One reject with its original bytes."""
    with app.reading() as connection:
        found = row_of(connection, "sync_reject", id_)
    if found is None:
        raise ConfigError(f"There is no reject {id_}; 'promptsync rejects list' shows them.")
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if value is not None:
            click.echo(f"{name}: {value.decode('utf-8', 'backslashreplace') if isinstance(value, bytes) else value}")
    if found["original"] is None and found["event_id"] is not None:
        click.echo(f"original: 'promptsync events show {found['event_id']}' has it")


@rejects.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def retry(app: App, ids: tuple[int, ...], as_json: bool) -> None:
    """Try them again (all, or these IDS): deliveries are applied, files loaded once more."""
    with app.progress() as progress:
        result = app.operate("retry-rejects", {"ids": list(ids) or None}, progress.show)
    if as_json:
        print_json(result)
    else:
        app.say(f"{result['deliveries']:,} deliveries and {len(result['files']):,} files tried again.")
        for path in result["gone"]:
            if path in result["superseded"]:
                app.say(f"{path} is no longer there, and a newer export was merged: its rejects can be discarded.")
            else:
                app.say(f"{path} is no longer there: put it back, or have it exported again; then discard its rejects.")
        app.say(f"{result['left']:,} rejects are left.")
    finish(bool(result["left"]))


@rejects.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "all_", is_flag=True, help="Every one of them.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def discard(app: App, ids: tuple[int, ...], all_: bool, as_json: bool) -> None:
    """Throw rejects away for good: these IDS, or --all."""
    if bool(ids) == all_:
        raise ConfigError("Say which: IDS, or --all for every one of them.")
    result = app.operate("discard-rejects", {"ids": None if all_ else list(ids)}, lambda _: None)
    if as_json:
        print_json(result)
    else:
        app.say(f"{result['discarded']:,} rejects thrown away.")


def _text(cell: object) -> object:
    return str(cell) if isinstance(cell, int) else cell
