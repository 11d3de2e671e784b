"""``promptsync doctor``: what is wrong on this machine and with this configuration, and what to do about it.

Owns the order of the checks and the exit code; the checks themselves are in promptsync/status. Reads only, but for a
small file that is written to the place of the backups and removed again.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import click

from promptsync.backup.check import check_backup
from promptsync.browse.settings import BrowseSettings
from promptsync.cli.context import WRONG, App, finish, print_json
from promptsync.cli.daemon_state import daemon_troubles
from promptsync.cli.extended import plugin_findings, schema_of
from promptsync.clock import system_clock
from promptsync.config import Config, InvalidConfig, Secret
from promptsync.daemon.client import daemon_runs
from promptsync.engine.keeping import check_retention
from promptsync.errors import ConfigError, PromptsyncError, ended, size_in_words
from promptsync.plugins.declared import Finding, Level, ReadOnly, note, ok, problem
from promptsync.status import check_contents, check_machine, check_settings
from promptsync.status.facts import Expectations
from promptsync.status.problems import NOTHING_YET, future_problem, set_up_problems
from promptsync.status.status import read_status
from promptsync.store.connect import open_reader
from promptsync.store.lock_holders import other_writer
from promptsync.store.overview import newest_mark
from promptsync.store.repair import dated_in_future
from promptsync.vendors import declared_schema, vendors


@click.command()
@click.option("--deep", is_flag=True, help="Check the whole database, however long it takes.")
@click.option("--repair", is_flag=True, help="First take back what was dated in the future, and count days anew.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def doctor(app: App, deep: bool, repair: bool, as_json: bool) -> None:
    """Check configuration, permissions, disk, clock, secrets and the mirror; say what to do.

    With --repair, claims that a wrong clock or a typing error dated in the future lose their time, so that true ones
    count again. Exports of the tables concerned can then be loaded once more. The numbers kept by day are checked.

    Exit 0 without a problem, 1 if something needs a person, 2 if the configuration is wrong.
    """
    findings: list[Finding] = []
    wrong = False
    try:
        config = app.config
    except ConfigError as error:
        wrong = True
        findings += [*_wrong(error), check_machine.check_sqlite(sqlite3.sqlite_version_info)]
    else:
        if repair:
            findings.append(_repaired(app))
        findings += _of(app.config_file, config, deep)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if as_json:
        print_json({"problems": problems, "findings": [finding.as_dict() for finding in findings]})
    else:
        _show(app, findings, problems)
    if wrong:
        raise SystemExit(WRONG)
    finish(bool(problems))


def _repaired(app: App) -> Finding:
    with app.progress() as progress:
        done = app.operate("repair", {}, progress.show)
    counted = f" The messages of {done['days']:,} days were counted anew." if done["days"] else ""
    if not (done["rows"] or done["snapshots"] or done["deliveries"] or done["records"]):
        return ok("repair", f"Nothing was dated in the future.{counted}")
    rows = sum(done["rows"].values())
    tables = ", ".join(dict.fromkeys(table for table, *_ in done["snapshots"]))
    again = f" Load the newest exports of {tables} again: promptsync load FOLDER." if tables else ""
    records = f" {done['records']:,} files and runs have a new date on record." if done["records"] else ""
    return note(
        "repair",
        f"{rows:,} rows, {len(done['snapshots']):,} exports and {done['deliveries']:,} deliveries were dated in the "
        f"future and do not win any more; {done['replayed']:,} deliveries were applied again.{again}{records}{counted}",
    )


def _wrong(error: ConfigError) -> Iterator[Finding]:
    if isinstance(error, InvalidConfig):
        for one in error.problems:
            yield problem("configuration", ended(f"{error.path}: {one}"))
    else:
        yield problem("configuration", ended(str(error)))


def _of(config_file: Path, config: Config, deep: bool) -> Iterator[Finding]:
    """Everything that a valid configuration lets us look at."""
    database, webhook, browse = config.mirror.database, config.webhook, config.browse
    daemon = daemon_runs(database)
    yield ok("configuration", f"{config_file} is valid.")
    yield check_machine.check_sqlite(sqlite3.sqlite_version_info)
    yield from findings_of_settings(config_file, config, daemon=daemon)
    if browse.port:
        yield check_machine.check_browse_port(
            browse.host, browse.port, check_machine.look_at_port(browse.host, browse.port)
        )
    yield from check_machine.check_files(config_file, database)
    yield check_machine.check_folder("data folder", database.parent, "the first 'run' or 'load'")
    yield check_machine.check_folder("drop folder", config.drop.folder, "'promptsync run'")
    yield _room(database)
    port = check_machine.look_at_port(webhook.host, webhook.port)
    yield check_machine.check_webhook_port(webhook.host, webhook.port, port, daemon=daemon)
    yield from _daemon(database, runs=daemon)
    yield from _mirror(config, deep, daemon=daemon)
    yield from check_backup(config, daemon=daemon)
    yield from plugin_findings(config)


def findings_of_settings(config_file: Path, config: Config, *, daemon: bool) -> Iterator[Finding]:
    """What the configuration means beyond its form: secrets, who may deliver, what is kept, the pages. ``daemon``: one
    runs."""
    yield from check_settings.check_secrets(config, daemon=daemon)
    yield check_settings.check_authentication(config)
    yield from _retention(config_file, config)
    yield from check_settings.check_browse(config, _browse_problems(config))


def _retention(config_file: Path, config: Config) -> Iterator[Finding]:
    try:
        check_retention(config, schema_of(config_file))
    except ConfigError as error:
        yield problem("retention", f"The daemon will not start: {error}")


def _daemon(database: Path, *, runs: bool) -> Iterator[Finding]:
    troubles = daemon_troubles(database)
    yield from (problem("daemon", trouble) for trouble in troubles)
    if not runs:
        yield note("daemon", "The daemon is not running: nothing is received until 'promptsync run'.")
        if (writing := other_writer(database)) is not None:
            yield note("lock", f"The mirror is locked just now by {writing}: as long as that stays, nothing is stored.")
    elif not troubles:
        yield ok("daemon", "The daemon is running.")


_UNSEEN = "pbkdf2_sha256$1$unseen$unseen="
"""Stands for a hash that does not open here: the check of the secrets says so, and no other has to."""


def _browse_problems(config: Config) -> tuple[str, ...]:
    browse = config.browse
    users = {name: _opened(secret) or _UNSEEN for name, secret in browse.users.items()}
    found = BrowseSettings(
        database=config.mirror.database,
        schema=declared_schema(),
        zone=config.mirror.timezone,
        host=browse.host,
        users=users,
        admins=frozenset(browse.admins),
        anonymous=browse.anonymous,
    )
    return found.problems()


def _opened(secret: Secret) -> str | None:
    """None if it does not open, which the check of the secrets says."""
    try:
        return secret.reveal().decode("utf-8", "replace")
    except ConfigError:
        return None


def _room(database: Path) -> Finding:
    there = next(folder for folder in database.absolute().parents if folder.is_dir())
    used = database.stat().st_size if database.exists() else 0
    return check_machine.check_room(there, shutil.disk_usage(there).free, used)


def _mirror(config: Config, deep: bool, *, daemon: bool) -> Iterator[Finding]:
    database = config.mirror.database
    if not database.exists() and daemon:
        yield problem("mirror", f"The daemon runs, but {database} is gone; restore a backup, then restart the daemon.")
        return
    if not database.exists():
        yield note("mirror", f"There is no mirror at {database} yet; 'promptsync run' or 'promptsync load' makes it.")
        return
    try:
        connection = open_reader(database)
    except PromptsyncError as error:
        yield problem("mirror", str(error))
        return
    try:
        whole = check_contents.check_integrity(connection, deep=deep)
        yield whole
        if whole.level is not Level.PROBLEM:
            now = system_clock()
            what = dated_in_future(connection, now).words()
            yield check_contents.check_clock(newest_mark(connection), now, what)
            yield from _state(connection, config, now)
            yield from check_contents.check_zone(connection, config.mirror.timezone.key)
            yield from check_contents.check_vendors(connection)
            mirror = ReadOnly(lambda: nullcontext(connection))
            yield from (found for vendor in vendors(config) for check in vendor.checks() for found in check(mirror))
    except sqlite3.Error as error:
        yield problem("mirror", f"{database} is no mirror of this version ({error}); 'promptsync run' updates it.")
    finally:
        connection.close()


def _state(connection: sqlite3.Connection, config: Config, now: int) -> Iterator[Finding]:
    """What 'status' says of the mirror needs a person: in full what is about how it is set up, the rest in a line. That
    there is nothing in it yet needs nobody."""
    status = read_status(connection, declared_schema(), Expectations.of(config), now)
    set_up = [says for says in set_up_problems(status, Expectations.of(config)) if says in status.problems]
    yield from (problem("status", says) for says in set_up)
    said = (NOTHING_YET, future_problem(status), *set_up)  # the second with the clock
    others = sum(says not in said for says in status.problems)
    if others:
        things = "1 thing needs" if others == 1 else f"{others} things need"
        yield problem("status", f"{things} a person in what has arrived: 'promptsync status' says which.")
    elif not set_up:
        yield ok("status", "What the mirror holds is up to date.")
    if not status.log.problem:
        yield ok("log", f"The mirror's write-ahead log has {size_in_words(status.log.bytes)}.")


def _show(app: App, findings: list[Finding], problems: int) -> None:
    for finding in findings:
        if app.verbosity >= 0 or finding.level is Level.PROBLEM:
            colour = {Level.OK: "green", Level.NOTE: "cyan", Level.PROBLEM: "red"}[finding.level]
            click.echo(f"{click.style(f'{finding.level.value:<7}', fg=colour)}  {finding.check}: {finding.says}")
    app.say("")
    if problems:
        app.say("One problem needs a person." if problems == 1 else f"{problems} problems need a person.")
    else:
        app.say("No problem found.")
