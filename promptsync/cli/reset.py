"""``promptsync reset``: empty tables of Customer.io, so that their history can come again."""

import click

from promptsync.cli.completion import change_set_tables
from promptsync.cli.context import App, print_json
from promptsync.cli.extended import schema_of
from promptsync.errors import ConfigError


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...", shell_complete=change_set_tables)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs; does not ask either, so give --yes.")
@click.pass_obj
def reset(app: App, tables: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete every row of a Customer.io TABLE, such as cio_subjects, because its whole history will be sent again.

    The vendor asks for it when a sync is upgraded from v1 to a later version: "Delete existing rows in your Subjects
    and Outputs tables. When you update, we send all of your Subjects and Outputs data from the beginning of your
    history using the new file schema." That is: promptsync reset cio_subjects cio_outputs. A later upgrade, and a sync
    that was disabled and enabled again, need no reset: what comes again changes nothing.

    Files of these tables can then be loaded again by hand ('promptsync load'). What a place has already given is not
    fetched again.
    """
    schema_of(app.config_path).check_reset(tables)
    if not yes:
        if as_json:
            raise ConfigError("With --json nobody is asked: give --yes too.")
        click.confirm(f"Delete every row of {', '.join(tables)}?", abort=True, err=True)
    with app.progress() as progress:
        result = app.operate("reset", {"tables": list(tables)}, progress.show)
    if as_json:
        print_json(result["tables"])
        return
    for one in result["tables"]:
        app.say(f"{one['table']}: {one['rows']:,} rows deleted, {one['files']:,} files can be loaded again.")
