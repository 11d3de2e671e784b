"""``promptsync backup``: make an encrypted backup, list them, look whether they can be restored.

A backup at the place that ``[backup]`` names is made by the daemon, if one runs: it has the secrets. One at another
place is made here, since a service may write to few places, and is not on record.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from promptsync.backup.destination import Destination, location_of
from promptsync.backup.make import KEEP_ELSEWHERE, make_backup
from promptsync.backup.names import Stored
from promptsync.backup.verify import FAILED, LATEST, verify
from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.clock import iso_micros, iso_millis, system_clock
from promptsync.errors import ConfigError, size_in_words
from promptsync.places.patience import AT_A_TERMINAL, Patience

_DEST = "_dest"


class _Group(click.Group):
    """A group whose first argument, if it is no command, is the place to make a backup at."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        place = next((n for n, arg in enumerate(args) if not arg.startswith("-")), None)
        if place is not None and args[place] not in self.commands:
            if "/" not in args[place] and not Path(args[place]).is_dir():
                raise click.UsageError(
                    f"'{args[place]}' is no command and no folder; for a new folder write './{args[place]}'."
                )
            ctx.meta[_DEST] = args[place]
            args = [*args[:place], *args[place + 1 :]]
        return super().parse_args(ctx, args)


@click.group(cls=_Group, invoke_without_command=True, subcommand_metavar="[DEST] | COMMAND [ARGS]...")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def backup(ctx: click.Context, as_json: bool) -> None:
    """Make an encrypted backup of the mirror now, at the place that [backup] names or at DEST.

    DEST is a folder, or s3://, gs://, az:// or sftp:// with the keys of [backup]; nothing is removed there. At the
    place of [backup], backups older than 'keep' says go. The file is in the age format: the age tool opens it with the
    private key.
    """
    if ctx.invoked_subcommand is not None:
        if _DEST in ctx.meta:
            raise click.UsageError(
                f"'{ctx.meta[_DEST]}' is no command; give the place behind 'promptsync backup' alone."
            )
        return
    app = ctx.find_object(App)
    assert app is not None  # noqa: S101  made by the group above
    made = _make(app, ctx.meta.get(_DEST))
    if as_json:
        print_json(made | {"keep_elsewhere": KEEP_ELSEWHERE})
    else:
        app.say(f"{made['name']} is at {made['place']}: {size_in_words(made['bytes'])}, {made['seconds']} seconds.")
        app.say(f"{made['rows']:,} rows, {size_in_words(made['plain_bytes'])} before it was compressed.")
        if made["removed"]:
            app.say(f"{made['removed']:,} files that were too old have been removed.")
        app.say(f"Not in it, keep them elsewhere: {KEEP_ELSEWHERE}.")
    if made["why_not"]:
        click.echo(f"Old backups could not be removed: {made['why_not']}", err=True)
    finish(bool(made["why_not"]))


def _make(app: App, dest: str | None) -> dict[str, Any]:
    with app.progress() as progress:
        if dest is None:
            if not app.config.backup.on:
                raise ConfigError(_OFF)
            return app.operate("backup", {}, progress.show)
        place = Destination(app.config.backup, location_of(dest), Patience(AT_A_TERMINAL))
        return asdict(make_backup(app.config, place, system_clock, progress.show))


_OFF = (
    'Backups are off: set recipient = "age1..." in [backup] of the configuration, or a passphrase; '
    "'age-keygen -o backup.key' makes a key and prints its recipient."
)


@backup.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """The backups and segments at the place that [backup] names."""
    place = _place(app)
    stored, _ = place.look()
    if as_json:
        print_json({"place": place.name} | _as_dict(stored))
        return
    if stored.backups:
        rows = [[one.name, iso_millis(one.at), size_in_words(one.item.size or 0)] for one in stored.backups]
        print_table(["backup", "taken", "size"], rows)
    else:
        app.say(f"There is no backup at {place.name} yet; 'promptsync backup' makes one.")
    if stored.segments:
        first, last = stored.segments[0], stored.segments[-1]
        size = size_in_words(sum(one.item.size or 0 for one in stored.segments))
        app.say(
            f"{len(stored.segments):,} segments of deliveries ({size}) from {iso_millis(first.after)} to "
            f"{iso_millis(last.to)}."
        )


def _as_dict(stored: Stored) -> dict[str, Any]:
    backups = [{"name": one.name, "at": iso_millis(one.at), "bytes": one.item.size} for one in stored.backups]
    segments = [
        {"name": one.item.key, "after": iso_micros(one.after), "to": iso_micros(one.to), "bytes": one.item.size}
        for one in stored.segments
    ]
    return {"backups": backups, "segments": segments}


@backup.command("verify")
@click.argument("file", default=LATEST)
@click.option("--identity", type=click.Path(path_type=Path), help="A file with the private key.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def verify_(app: App, file: str, identity: Path | None, as_json: bool) -> None:
    """Decrypt a backup, check the whole database in it, and count its rows. FILE: a name, a path, or latest.

    Without the private key only the digest beside it is checked. Exit 1 if it cannot be restored.
    """
    place, name = place_and_name(app, file)
    with app.progress() as progress:
        found = asdict(verify(app.config, place, name, identity, progress.show))
    _show(app, found, as_json)


@backup.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def drill(app: App, as_json: bool) -> None:
    """Verify the newest backup and put the outcome on record, as happens by itself once a week."""
    if not app.config.backup.on:
        raise ConfigError(_OFF)
    with app.progress() as progress:
        found = app.operate("drill", {}, progress.show)
    _show(app, found, as_json)


def _show(app: App, found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        app.say(f"{found['name']}, taken {found['at']}: {found['outcome']}. {found['says']}")
    finish(found["outcome"] == FAILED)


def _place(app: App) -> Destination:
    return Destination(app.config.backup, patience=Patience(AT_A_TERMINAL))


def place_and_name(app: App, file: str) -> tuple[Destination, str]:
    """Where a backup is and its name there: a path of this machine, or a name at the place that [backup] names."""
    path = Path(file)
    if file != LATEST and ("/" in file or path.is_file()):
        if not path.is_file():
            raise ConfigError(f"There is no file {file}; 'promptsync backup list' shows what is at the place.")
        return Destination(app.config.backup, str(path.absolute().parent), Patience(AT_A_TERMINAL)), path.name
    return _place(app), file
