"""``promptsync erase``: forget a person, for good."""

import mmap
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.cli.person import chosen, described, doubts_of, erasing, looking, naming, print_counts
from promptsync.daemon.client import daemon_runs
from promptsync.errors import ConfigError, Unavailable
from promptsync.model import Identity
from promptsync.model.person import Identifier
from promptsync.people.find import Archive, Doubt
from promptsync.people.held import Held, held_of
from promptsync.store.erasing import erasures, still_said
from promptsync.store.person_rows import gone_at_vendor


@click.group(invoke_without_command=True)
@naming
@erasing
@click.option("--compact", is_flag=True, help="Only write the mirror's file anew, while no daemon runs.")
@click.pass_context
def erase(ctx: click.Context, /, dry_run: bool, yes: bool, as_json: bool, **named: Any) -> None:
    """Forget a person: show what is held of them at every vendor, ask, then remove all of it for good.

    Any of the options is enough: the others are found. What is only probable, such as somebody else with the same
    number, is asked for, and left alone with --yes. Totals of broadcasts and messages by day stay as they are.
    """
    if ctx.invoked_subcommand is not None:
        return
    app: App = ctx.obj
    names = ("gone_at_vendor", "compact", "resume", "undo")
    gone_at_vendor, compact, resume, undo = (named.pop(name) for name in names)
    if gone_at_vendor + compact + resume + (undo is not None) + any(named.values()) > 1:
        raise ConfigError("Give one of --gone-at-vendor, --resume, --compact, --undo and whom to forget.")
    if undo is not None:
        _undo(app, undo, yes=yes, as_json=as_json)
    if compact:
        _compact(app, as_json=as_json)
    if resume:
        with app.progress() as progress:
            result = app.operate("erase", {"starts": [], "why": "asked"}, progress.show)
        _say_done(app, result | {"remains": False}, [], as_json=as_json)
    if as_json and not (yes or dry_run):
        raise ConfigError("With --json nobody is asked: give --yes or --dry-run too.")
    ask = not (yes or dry_run)
    with looking(app) as archive:
        starts = _gone(archive) if gone_at_vendor else [chosen(archive, named)]
        held = _settled(archive, starts, ask=ask and not gone_at_vendor)
        doubts = doubts_of(archive, held)
        if not as_json and held:
            print_counts(app, archive, held)
    if not as_json:
        for doubt in doubts:
            app.say(doubt)
    if not held or dry_run:
        _say_nothing_done(app, held, doubts, as_json=as_json)
    if ask:
        click.confirm("Remove all of this for good?", abort=True, err=True)
    params = {"starts": [[[i.kind.value, i.value] for i in start] for start in starts]}
    with app.progress() as progress:
        result = app.operate("erase", params | {"why": "gone" if gone_at_vendor else "asked"}, progress.show)
    result["remains"] = _remains(app, held)
    if result["remains"] and not daemon_runs(app.config.mirror.database):
        result["log_emptied"] = _rewritten(app)
        result["remains"] = _remains(app, held)
    _say_done(app, result, doubts, as_json=as_json)


@erase.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """What was forgotten: when, and how many rows of which tables; never who. Exit 1 if one has not ended."""
    with app.reading() as connection:
        rows = erasures(connection)
    open_ones = [row for row in rows if row["finished_at"] is None]
    if as_json:
        print_json(rows)
    elif rows:
        cells = [
            [
                str(row["id"]),
                row["begun_at"],
                row["undone_at"] or "",
                row["why"],
                row["rows"],
                row["files"],
                ", ".join(f"{name} {count:,}" for name, count in row["tables"].items()),
            ]
            for row in rows
        ]
        print_table(["id", "begun at", "undone at", "why", "rows", "files", "tables"], cells)
        for row in open_ones:
            app.say(f"Erasure {row['id']} did not end: 'promptsync erase --resume' finishes it.")
    else:
        app.say("Nobody was forgotten yet.")
    finish(bool(open_ones))


def _undo(app: App, number: int, *, yes: bool, as_json: bool) -> NoReturn:
    if not (yes or as_json):
        click.confirm("Let these people back in, with the next files and deliveries?", abort=True, err=True)
    result = app.operate("undo-erasure", {"id": number}, lambda _: None)
    if as_json:
        print_json(result)
    else:
        app.say(
            f"Erasure {number} is undone: {result['identifiers']:,} identifiers are kept out no more. What was removed "
            "stays removed; what comes in from now on is kept."
        )
    finish(False)


def _gone(archive: Archive) -> list[frozenset[Identifier]]:
    return [frozenset({Identifier(Identity.CIO, one)}) for one in gone_at_vendor(archive.connection)]


def _settled(archive: Archive, starts: list[frozenset[Identifier]], *, ask: bool) -> Held:
    """What is held, once every doubt has been asked about that there is; ``starts`` gets who is the same person."""
    refused: set[Identifier] = set()
    while True:
        held = held_of(archive, starts)
        open_ones = [doubt for doubt in held.person.doubts if not refused.issuperset(doubt.others)] if ask else []
        same = _asked(archive, open_ones, refused)
        if not same:
            return held
        starts[0] |= same


def _asked(archive: Archive, doubts: Sequence[Doubt], refused: set[Identifier]) -> set[Identifier]:
    same: set[Identifier] = set()
    for doubt in doubts:
        for other in doubt.others:
            if other in refused | same:
                continue
            who = described(archive, other)
            if click.confirm(f"{doubt.because.value} is also that of {who}. Is this the same person?", err=True):
                same.add(other)
            else:
                refused.add(other)
    return same


def _say_nothing_done(app: App, held: Held, doubts: list[str], *, as_json: bool) -> NoReturn:
    if as_json:
        files = [{"file": str(kept.path), "rows": kept.rows} for kept, _ in held.files]
        print_json({"id": None, "tables": held.counts(), "files": files, "doubts": doubts})
    elif not held:
        app.say("Nothing is held of this person.")
    else:
        app.say("Nothing was removed.")
    finish(bool(doubts))


def _say_done(app: App, result: dict[str, Any], doubts: list[str], *, as_json: bool) -> NoReturn:
    if as_json:
        print_json(result | {"doubts": doubts})
    else:
        if result["id"] is None:
            app.say("There was nothing to do.")
            finish(False)
        rows = sum(result["tables"].values())
        app.say(f"Erasure {result['id']}: {rows:,} rows and deliveries removed, {result['files']:,} files rewritten.")
        for one in result["removed"]:
            app.say(f"{one['file']} was removed, since {one['why']}.")
        for one in result["backups"] or ():
            app.say(f"{one['name']} still holds them, until {one['gone_by']}; restoring it erases them again.")
        if result["backups"] is None:
            app.say("Backups cannot be listed now: older ones hold them until they are removed as [backup] keep says.")
        if not result["log_emptied"]:
            app.say("A reader keeps the write-ahead log from being emptied; that is done as soon as it has ended.")
        if result["remains"]:
            app.say(
                "Bytes of them are still in the mirror's file, where no query reads them. They go when it is written "
                "anew: stop the daemon, then run 'promptsync erase --compact'."
            )
    finish(bool(doubts) or result["remains"] or not result["log_emptied"])


def _compact(app: App, *, as_json: bool) -> NoReturn:
    if daemon_runs(app.config.mirror.database):
        raise Unavailable("A daemon holds the mirror; stop it, then run 'promptsync erase --compact' again.")
    emptied = _rewritten(app)
    if as_json:
        print_json({"log_emptied": emptied})
    else:
        app.say("The mirror's file was written anew.")
    finish(not emptied)


def _rewritten(app: App) -> bool:
    return bool(app.operate("compact", {}, lambda _: None)["log_emptied"])


def _remains(app: App, held: Held) -> bool:
    """Whether the mirror's file still has bytes of the person, though no row says them.

    SQLite moves rows from page to page and leaves copies behind. Reading the file is for this process alone, which has
    it open in no other way.
    """
    database = app.config.mirror.database
    with looking(app) as archive:
        traces = held.traces()
        others = still_said(archive.connection, archive.schema, traces)
        sought = [text for text in traces if text not in others]
    found = False
    for path in (database, database.with_name(f"{database.name}-wal")):
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                found = found or any(content.find(text.encode()) >= 0 for text in sought)
        except (OSError, ValueError):  # no log, an empty one, or one that is not ours to read
            continue
    return found
