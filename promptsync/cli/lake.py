"""``promptsync lake``: the same rule over Delta tables, beyond one machine."""

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptsync.cli.context import App, about_file, finish, print_json, print_table, tidied
from promptsync.cli.lake_erase import erase
from promptsync.cli.lake_needs import engine_for, require_packages, say_collisions, showing
from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.lake.readers import READERS, statements

if TYPE_CHECKING:
    from promptsync.lake.run import RunReport


@click.group()
def lake() -> None:
    """Delta tables in a folder or an object store, for more than one machine and for any warehouse to read."""


lake.add_command(erase)


@lake.command()
@click.pass_obj
def init(app: App) -> None:
    """Make the lake that [lake] names, and say what to put where. Done again, it changes nothing."""
    require_packages(app)
    from promptsync.lake.opening import make_lake
    from promptsync.lake.settings import section_of

    new, location = make_lake(app.config), section_of(app.config).location.rstrip("/")
    app.say(f"{'The lake is made' if new else 'There is a lake already'} at {location}.")
    app.say(f"{location}/deliveries/  takes deliveries: promptsync events export FILE.jsonl writes such files.")
    app.say(f"{location}/incoming/    takes nightly exports, change sets, and exports of the Qlara account.")
    app.say(f"{location}/tables/      has the tables; whoever reads needs to read it, and nobody else to write.")
    app.say("Next: promptsync lake run, which also takes what is at the places of [[nightly]] and [[customerio]].")


@lake.command()
@click.option("--dry-run", is_flag=True, help="Only read and judge what is new.")
@click.option("--table", metavar="TABLE", help="Fold this table only; its files stay new for the next run.")
@click.option("--accept", multiple=True, metavar="NAME", help="Take a held file as it is; any number of these.")
@click.option("--discard", multiple=True, metavar="NAME", help="Leave a held file out for good.")
@click.option("--corrects", multiple=True, metavar="NAME", help="It replaces the export of the same night; any number.")
@click.option("--forever", is_flag=True, help="Again and again, as [lake] every says, until stopped.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def run(app: App, /, forever: bool, as_json: bool, **wanted: Any) -> None:
    """Fold what is new into the tables: deliveries, files put into the lake, and what is at the configured places."""
    require_packages(app)
    app.set_up_logs()
    with tidied():
        while forever:
            try:
                _run(app, wanted, as_json)
            except PromptsyncError as error:
                if not error.retryable:
                    raise
                click.echo(f"{error} The next run tries it again.", err=True)
            wanted |= {"accept": (), "discard": (), "corrects": ()}
            time.sleep(_every(app))
        finish(_run(app, wanted, as_json).needs_person)


@lake.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """What each table has, what waits for the next run, and what needs a person (then exit 1)."""
    require_packages(app)
    from promptsync.lake.opening import open_lake
    from promptsync.lake.status import status_of

    found = status_of(open_lake(app.config))
    if as_json:
        print_json(found)
        finish(bool(found["held"] or found["erasing"]))
    rows = [[one["table"], one["rows"], min(one["newest"].values(), default="")] for one in found["tables"]]
    print_table(["table", "rows", "complete up to"], rows)
    app.say(f"{len(found['waiting']):,} files wait for the next run; {found['rejects']:,} rows could not be merged.")
    for table, count in found["claimed_twice"].items():
        ids = "1 id is" if count == 1 else f"{count:,} ids are"
        click.echo(
            f"{table}: {ids} claimed by more than one organization; a mirror pulled of both has the row of the lower "
            "number, the other is a reject.",
            err=True,
        )
    for row in found["held"]:
        click.echo(about_file(row), err=True)
    if found["erasing"]:
        click.echo("An erasure did not end: 'promptsync lake erase --resume' finishes it.", err=True)
    finish(bool(found["held"] or found["erasing"]))


@lake.command()
@click.option(
    "--for", "reader", type=click.Choice(sorted(READERS)), default="duckdb", show_default=True, help="Who reads."
)
@click.pass_obj
def tables(app: App, reader: str) -> None:
    """The statements that make the lake's tables visible to another program."""
    require_packages(app)
    from promptsync.lake.opening import open_lake

    found = list(statements(open_lake(app.config), reader))
    if not found:
        raise Unavailable("The lake has no tables yet; promptsync lake run makes them.")
    for statement in found:
        click.echo(statement)


@lake.command()
@click.argument("orgs", nargs=-1, required=True, type=click.IntRange(1), metavar="ORG...")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def pull(app: App, orgs: tuple[int, ...], folder: Path) -> None:
    """Make an ordinary mirror of some organizations in DIR, with a configuration of its own.

    Rows without an organization, Customer.io's and Qlara's, come too. 'browse', 'backup' and 'run' take it as it is.
    """
    require_packages(app)
    from promptsync.cli.init import first, make
    from promptsync.lake.opening import open_lake
    from promptsync.lake.pull import check_known
    from promptsync.lake.pull import pull as pull_lake
    from promptsync.store.mirror import Mirror

    app.set_up_logs()
    opened, zone = open_lake(app.config), app.config.mirror.timezone
    database = first(folder.absolute(), zone.key)[1].mirror.database
    check_known(opened, frozenset(orgs))
    with tidied(), _filling(database.parent) as unfinished, showing(app) as show:
        mirror = Mirror(unfinished / database.name, opened.schema, zone=zone)
        try:
            done = pull_lake(opened, frozenset(orgs), mirror, show)
        finally:
            mirror.close()
    made = make(folder.absolute(), zone.key)
    app.say(f"{sum(done.tables.values()):,} rows in {len(done.tables):,} tables, {done.deliveries:,} deliveries.")
    say_collisions(done.collisions)
    app.say(f"To look: promptsync --config {shlex.quote(str(made.path))} browse")
    finish(bool(done.collisions))


@lake.command()
@click.option("--dry-run", is_flag=True, help="Count what would be pushed, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def push(app: App, dry_run: bool, as_json: bool) -> None:
    """Bring the mirror that is here into the lake: rows with their versions, nights, and deliveries.

    The mirror is only read. Done again, it adds what has come since, and if nothing has, nothing.
    """
    require_packages(app)
    from promptsync.lake.opening import open_lake
    from promptsync.lake.push import push as push_mirror

    app.set_up_logs()
    opened = open_lake(app.config)
    with (
        tidied(),
        app.reading() as mirror,
        showing(app) as show,
        engine_for(app) as engine,
    ):
        done = push_mirror(opened, engine, mirror, app.config.mirror.database, dry_run=dry_run, progress=show)
    if as_json:
        print_json({name: getattr(done, name) for name in done.__slots__})
        finish(bool(done.collisions or done.erasures_stay))
    rows = sum(done.tables.values())
    app.say(
        f"{rows:,} rows of {len(done.tables):,} tables, {done.deliveries:,} deliveries, {done.files:,} files known."
    )
    if done.waiting:
        app.say(f"{done.waiting:,} deliveries wait to be applied: promptsync lake run")
    say_collisions(done.collisions)
    if done.erasures:
        app.say(f"Erased in the lake, too: {done.erasures:,} (promptsync lake erase list).")
    if done.erasures_stay:
        click.echo(
            f"Erasures that stay with the mirror, as the lake's list has another key: {done.erasures_stay:,}. Forget "
            "these people in the lake as well, with promptsync lake erase.",
            err=True,
        )
    finish(bool(done.collisions or done.erasures_stay))


def job() -> None:
    """``promptsync lake run`` for what starts jobs by an entry point: the same arguments and exit codes, but that it
    returns where the code is 0, as some call every exit a failure."""
    from promptsync.cli.app import main

    try:
        main(["lake", "run", *sys.argv[1:]], prog_name="promptsync")
    except SystemExit as ended:
        if ended.code:
            raise


@contextmanager
def _filling(folder: Path) -> Iterator[Path]:
    """A folder beside, which becomes this one once it is filled; what an earlier try has left of it is removed."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already and stays as it is; name another folder.")
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(parents=True, mode=0o750)
        yield unfinished
        unfinished.rename(folder)
    except OSError as error:
        raise Unavailable(f"{error.filename} cannot be written ({error.strerror}); name another folder.") from error


def _run(app: App, wanted: dict[str, Any], as_json: bool) -> "RunReport":
    from promptsync.lake.lake import Wanted
    from promptsync.lake.opening import open_lake
    from promptsync.lake.run import run as run_lake

    opened = open_lake(app.config)
    if wanted["table"] is not None and wanted["table"] not in opened.schema:
        raise ConfigError(f"There is no table {wanted['table']}; promptsync schema lists them.")
    names = {name: frozenset(wanted.get(name, ())) for name in ("accept", "discard", "corrects")}
    with showing(app) as show, engine_for(app) as engine:
        report = run_lake(opened, engine, Wanted(wanted["dry_run"], wanted["table"], **names), show)
    _show(app, report, as_json)
    return report


def _show(app: App, report: "RunReport", as_json: bool) -> None:
    if as_json:
        print_json({"inputs": report.inputs, "tables": report.tables, "swept": report.swept, "seconds": report.seconds})
        return
    if report.inputs:
        columns = ["name", "state", "table", "rows", "rejected"]
        print_table(columns, [[row[column] for column in columns] for row in report.inputs])
    for key, count in report.swept.items():
        app.say(f"{key}: {count:,} were too old and went, as [retention] says.")
    for row in report.inputs:
        if row["error"]:
            click.echo(about_file(row), err=True)
    app.say(f"{len(report.inputs):,} files, {len(report.tables):,} tables folded in {report.seconds:,.1f} s.")


def _every(app: App) -> float:
    from promptsync.lake.settings import section_of

    return section_of(app.config).every.total_seconds()
