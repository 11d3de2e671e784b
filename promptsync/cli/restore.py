"""``promptsync restore``: bring the mirror back from a backup and what was received since."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from promptsync.backup.make import KEEP_ELSEWHERE
from promptsync.backup.restore import Request
from promptsync.backup.restore import restore as restore_mirror
from promptsync.cli.backup import place_and_name
from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.clock import parse_iso, system_clock
from promptsync.errors import ConfigError


@click.command()
@click.argument("file")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="Another folder than the mirror's.")
@click.option("--until", metavar="TIME", help="Leave out what was received later (ISO 8601).")
@click.option("--replace", is_flag=True, help="Move the mirror that is there aside; it is not deleted.")
@click.option("--identity", type=click.Path(path_type=Path), help="A file with the private key.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def restore(app: App, /, file: str, to: Path | None, as_json: bool, **given: Any) -> None:
    """Restore the mirror from FILE: the name of a backup at the place that [backup] names, a path, or latest.

    The backup is decrypted and checked, then the deliveries received since are merged, and the mirror is put into its
    place. Stop the daemon first. After a kill the same command goes on where it was. Files that came since are fetched
    again by themselves once the daemon runs; those that were dropped by hand have to be dropped again.

    Exit 1 if a segment is missing or damaged, or a delivery cannot have been received when it says.
    """
    config = app.config
    if to is not None:
        database = to.absolute() / config.mirror.database.name
        config = config.model_copy(update={"mirror": config.mirror.model_copy(update={"database": database})})
    place, name = place_and_name(app, file)
    request = Request(name, _time(given["until"]), given["replace"], given["identity"])
    with app.progress() as progress:
        found = asdict(restore_mirror(config, place, request, system_clock, progress.show))
    if as_json:
        print_json(found)
    else:
        _show(app, found)
    for why in found["unreadable"]:
        click.echo(f"Left out: {why}", err=True)
    for after, before in found["gaps"]:
        click.echo(f"What was received between {after} and {before} is in no segment: one is missing.", err=True)
    if found["refused"]:
        click.echo(f"{found['refused']:,} deliveries are left out: nothing was received when they say.", err=True)
    if found["not_erased"]:
        click.echo(f"People who were erased may be there again: {found['not_erased']}", err=True)
    finish(bool(found["unreadable"] or found["gaps"] or found["refused"] or found["not_erased"]))


def _show(app: App, found: dict[str, Any]) -> None:
    if app.verbosity >= 0:
        rows = [[table, before, now, now - before] for table, (before, now) in found["tables"].items() if before or now]
        print_table(["table", "in the backup", "restored", "more"], rows)
        click.echo("")
    app.say(f"{found['database']} is restored from {found['backup']}, taken {found['at']}.")
    late = f", {found['left_out']:,} later ones were left out" if found["left_out"] else ""
    app.say(f"{found['deliveries']:,} deliveries from {found['segments']:,} segments were merged{late}.")
    if found["erased"]:
        app.say(f"The backup still held erased people ({found['erased']:,} identifiers); they were erased again.")
    if found["aside"]:
        app.say(f"The mirror that was there is {found['aside']} now.")
    if found["left_out"]:
        app.say("Make a backup now, so that what was left out does not come back with the next restore.")
    app.say(f"Not in a backup: {KEEP_ELSEWHERE}.")
    app.say("Files that came since are fetched again by 'promptsync run'; drop again what was dropped by hand.")


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        raise ConfigError(f"--until {text} is not a time like 2026-02-04T08:00:00Z.") from None
