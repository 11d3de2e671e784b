"""``promptsync status``: is it up to date, and what needs a person."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.cli.daemon_state import daemon_state
from promptsync.cli.extended import plugin_findings, schema_of
from promptsync.clock import system_clock
from promptsync.errors import names_in_words, size_in_words
from promptsync.plugins.declared import Level
from promptsync.status.backups import BackupState
from promptsync.status.facts import Expectations, Status
from promptsync.status.plugins import PluginPart
from promptsync.status.problems import daemon_problems
from promptsync.status.status import read_status
from promptsync.store.erased import Suppressed
from promptsync.store.overview import Drift

_MOST_NAMES = 5


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Is the mirror up to date? Exit 0 fresh, 1 something needs a person."""
    config = app.config
    expected = Expectations.of(config)
    with app.reading() as connection:
        found = read_status(connection, schema_of(app.config_path), expected, system_clock())
    asked = (finding.says for finding in plugin_findings(config) if finding.level is Level.PROBLEM)
    daemon = daemon_state(config.mirror.database)
    more = (*daemon_problems(daemon, watched=found.watched), *asked)
    found, runs = replace(found, problems=(*found.problems, *more)), daemon.runs
    if as_json:
        print_json(found.as_dict() | {"daemon": runs})
    elif app.verbosity >= 0:
        _show(found, runs)
    finish(bool(found.problems))


def _show(found: Status, runs: bool) -> None:
    click.echo("The mirror is up to date." if not found.problems else "Something needs a person:")
    for problem in found.problems:
        click.echo(f"  - {problem}")
    click.echo("")
    if found.tables:
        columns = ["table", "org", "newest", "rows", "snapshots", "nights missing"]
        rows = [
            [t.table, str(t.org_id or ""), t.newest, t.rows, t.snapshots, names_in_words(t.missing, 5)]
            for t in found.tables
        ]
        print_table(columns, rows)
        click.echo("")
    if found.change_sets:
        columns = ["table", "workspace", "newest sequence", "hours old", "waiting", "held", "over budget", "skipped"]
        columns.append("later than now")
        counts = [
            [t.table, str(t.workspace_id), t.newest, t.age_hours, t.waiting, t.held, t.over_budget, t.skipped, t.later]
            for t in found.change_sets
        ]
        print_table(columns, counts)
        click.echo("")
    if found.sources:
        columns = ["fetched from", "last success", "outcome", "waiting", "held", "failed", "nights missing"]
        print_table(
            columns,
            [
                [s.source, s.last_success, s.outcome, s.waiting, s.held, s.failed, names_in_words(s.missing, 5)]
                for s in found.sources
            ],
        )
        click.echo("")
        for note in (note for source in found.sources for note in source.notes):
            click.echo(note)
    _show_plugins(found.plugin_parts)
    events = found.events
    newest = f", the newest at {events.newest}" if events.newest else ""
    click.echo(f"Deliveries: {events.received:,} received{newest}.")
    states = ((events.pending, "not applied yet"), (events.unknown_type, "of unknown type"), (events.failed, "failed"))
    waiting = [f"{count:,} {words}" for count, words in states if count]
    if waiting:
        click.echo(f"  {', '.join(waiting)}.")
    if found.suppressed.last_at:
        click.echo(_left_out(found.suppressed))
    for line in _backups(found.backup):
        click.echo(line)
    lagging = {table: lag for table, lag in found.search_lag.items() if lag}
    if lagging:
        click.echo(f"Search lags behind by {', '.join(f'{lag:,} rows of {table}' for table, lag in lagging.items())}.")
    for line in _new_to_us(found.drift):
        click.echo(line)
    click.echo(found.log.sentence)
    click.echo("The daemon is running." if runs else "The daemon is not running.")


def _show_plugins(parts: Iterable[PluginPart]) -> None:
    """What plugins fetch, load and follow; nothing without any that do."""
    columns = ["plugin", "part", "last success", "outcome", "newest file", "rows", "waiting", "failures", "last error"]
    rows = [
        [
            *(p.plugin, f"{p.kind} {p.name}", p.last_success, p.outcome, p.newest_file, p.rows),
            *(p.waiting, p.failures or None, p.error),
        ]
        for p in parts
    ]
    if rows:
        print_table(columns, rows)
        click.echo("")


def _backups(state: BackupState | None) -> Iterator[str]:
    """Of the newest backup, the newest segment and the last drill; nothing while backups are off."""
    if state is None:
        return
    if state.made_at is not None:
        yield f"Backup: the newest is of {state.made_at} ({size_in_words(state.bytes or 0)})."
    if state.shipped_to is not None:
        yield f"  Deliveries are shipped up to {state.shipped_to} ({size_in_words(state.segment_bytes or 0)})."
    if state.drilled_at is not None:
        yield f"  Drill of {state.drilled_at}: {state.drill_outcome}. {state.drill_says}"


def _left_out(found: Suppressed) -> str:
    rows = "1 row" if found.rows == 1 else f"{found.rows:,} rows"
    told = "1 delivery" if found.deliveries == 1 else f"{found.deliveries:,} deliveries"
    what = f"{rows} of files and {told}, in whole or in part"
    return f"Left out, being about erased people: {what}; the last at {found.last_at}."


def _new_to_us(drift: Iterable[Drift]) -> Iterator[str]:
    """A line for every kind and table, with the first few names."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in drift:
        grouped.setdefault((one.kind, one.table or ""), []).append(one.name)
    for (kind, table), names in grouped.items():
        where = f" in {table}" if table else ""
        if len(names) <= _MOST_NAMES:
            yield f"New to us: {kind if len(names) == 1 else kind + 's'} {', '.join(names)}{where}."
        else:
            yield (
                f"New to us: {len(names):,} {kind}s{where}: {', '.join(names[:_MOST_NAMES])} ... "
                f"({'promptsync schema ' + table if table else 'the table sync_drift'} has all)."
            )
