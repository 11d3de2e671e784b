"""``promptsync lake erase``: forget a person in a lake, for good."""

from typing import TYPE_CHECKING, Any, NoReturn

import click

from promptsync.cli.context import App, finish, print_json, print_table, tidied
from promptsync.cli.lake_needs import require_packages, showing
from promptsync.cli.person import described, erasing, in_words, naming
from promptsync.errors import ConfigError

if TYPE_CHECKING:
    from promptsync.lake.erase import Erased
    from promptsync.lake.finding import Finder, Named
    from promptsync.lake.lake import Lake
    from promptsync.model.person import Identifier
    from promptsync.people.find import Person


@click.group(invoke_without_command=True)
@naming
@erasing
@click.option("--org", type=click.IntRange(1), metavar="N", help="Whose contact it is, where several share a number.")
@click.pass_context
def erase(ctx: click.Context, /, dry_run: bool, yes: bool, as_json: bool, **wanted: Any) -> None:
    """Forget a person: show what the lake holds of them, ask, then remove all of it for good.

    Any of the options is enough: the others are found. What is only probable, such as somebody else with the same
    number, is asked for, and left alone with --yes. Runs may go on meanwhile; readers of older versions begin again.
    """
    if ctx.invoked_subcommand is not None:
        return
    app: App = ctx.obj
    require_packages(app)
    from promptsync.lake.finding import Named
    from promptsync.lake.opening import open_lake

    app.set_up_logs()
    named = Named(wanted["contact"], wanted["phone"], wanted["customer"], wanted["org"] or 0)
    gone = wanted["gone_at_vendor"]
    if gone + wanted["resume"] + (wanted["undo"] is not None) + named.says_anybody > 1:
        raise ConfigError("Give one of --gone-at-vendor, --resume, --undo and whom to forget.")
    lake = open_lake(app.config)
    if wanted["undo"] is not None:
        _undo(app, lake, wanted["undo"], yes=yes, as_json=as_json)
    if wanted["resume"]:
        _resume(app, lake, as_json=as_json)
    if as_json and not (yes or dry_run):
        raise ConfigError("With --json nobody is asked: give --yes or --dry-run too.")
    with tidied():
        _erase(app, lake, None if gone else named, ask=not (yes or dry_run), dry_run=dry_run, as_json=as_json)


def _erase(app: App, lake: "Lake", named: "Named | None", *, ask: bool, dry_run: bool, as_json: bool) -> NoReturn:
    """``named``: whom; None: everyone who is gone at the vendor."""
    from promptsync.lake.erase import erase as erase_now
    from promptsync.lake.erase import held as held_now
    from promptsync.lake.erase import resume
    from promptsync.lake.finding import finder

    if not dry_run:
        with showing(app) as show:
            resume(lake, show)
    with showing(app) as show, finder(lake, show) as finding:
        person = _settled(finding, named, ask=ask) if named else _gone(finding)
        with finding.archive() as archive:
            doubts = [*(in_words(archive, doubt) for doubt in person.doubts), *finding.not_sure(person)]
    with showing(app) as show:
        held = held_now(lake, person.identifiers, person.records, show)
    if not as_json:
        _print(app, person, held, doubts)
    if dry_run or not held:
        _say(app, held, doubts, as_json=as_json, words="Nothing was removed." if held else "")
    if ask:
        click.confirm("Remove all of this for good?", abort=True, err=True)
    with showing(app) as show:
        done = erase_now(lake, person.identifiers, person.records, "asked" if named else "gone", show)
    _say(app, done, doubts, as_json=as_json, words=_words(done))


@erase.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Whom the lake has forgotten: when, and how many rows of which tables; never who. Exit 1 if one has not ended."""
    require_packages(app)
    from promptsync.lake.opening import open_lake

    found = list(reversed(open_lake(app.config).people.read().erasures))
    open_ones = [row for row in found if row["finished_at"] is None]
    if as_json:
        print_json(found)
    elif found:
        columns = ["id", "begun_at", "undone_at", "why", "rows", "files"]
        cells = [
            [*(row[name] or "" for name in columns), ", ".join(f"{t} {n:,}" for t, n in row["tables"].items())]
            for row in found
        ]
        print_table([*(name.replace("_", " ") for name in columns), "tables"], cells)
        for row in open_ones:
            app.say(f"Erasure {row['id']} did not end: 'promptsync lake erase --resume' finishes it.")
    else:
        app.say("Nobody was forgotten yet.")
    finish(bool(open_ones))


def _gone(finding: "Finder") -> "Person":
    people = finding.gone_at_vendor()
    return finding.person(lambda _: [frozenset({one}) for one in people], people)


def _settled(finding: "Finder", named: "Named", *, ask: bool) -> "Person":
    """Who is meant, once every doubt has been asked about that there is."""
    from promptsync.lake.finding import start_of

    same: set[Identifier] = set()
    refused: set[Identifier] = set()
    while True:
        person = finding.person(lambda archive: [start_of(archive, named) | same], named.candidates | same)
        before = len(same)
        with finding.archive() as archive:
            for doubt in person.doubts if ask else ():
                for other in [one for one in doubt.others if one not in same | refused]:
                    who = described(archive, other)
                    text = f"{doubt.because.value} is also that of {who}. Is this the same person?"
                    (same if click.confirm(text, err=True) else refused).add(other)
        if len(same) == before:
            return person


def _print(app: App, person: "Person", held: "Erased", doubts: list[str]) -> None:
    known = sorted(f"{one.kind.value} {one.value}" for one in person.identifiers)
    app.say(f"This person is {', '.join(known)}.")
    if held.tables:
        print_table(["held in", "rows"], [[name, count] for name, count in held.tables.items()])
    for name in held.files:
        app.say(f"{name} holds them, too.")
    for doubt in doubts:
        app.say(doubt)
    if not held:
        app.say("Nothing is held of this person.")


def _words(done: "Erased") -> str:
    rows, files = sum(done.tables.values()), len(done.files)
    return f"Erasure {done.id}: {rows:,} rows and deliveries removed, {files:,} files rewritten."


def _say(app: App, done: "Erased", doubts: list[str], *, as_json: bool, words: str) -> NoReturn:
    if as_json:
        said = {"id": done.id, "tables": done.tables, "files": done.files, "removed": done.removed}
        print_json(said | {"doubts": doubts})
    elif words:
        app.say(words)
        for one in done.removed if done.id is not None else ():
            app.say(f"{one['file']} was removed, since {one['why']}.")
    finish(bool(doubts))


def _resume(app: App, lake: "Lake", *, as_json: bool) -> NoReturn:
    from promptsync.lake.erase import resume

    with tidied(), showing(app) as show:
        done = resume(lake, show)
    _say(app, done, [], as_json=as_json, words=_words(done) if done.id else "There was nothing to do.")


def _undo(app: App, lake: "Lake", number: int, *, yes: bool, as_json: bool) -> NoReturn:
    from promptsync.lake.erase import undo

    if not (yes or as_json):
        click.confirm("Let these people back in, with the next files and deliveries?", abort=True, err=True)
    count = undo(lake, number)
    if as_json:
        print_json({"id": number, "identifiers": count})
    else:
        app.say(
            f"Erasure {number} is undone: {count:,} identifiers are kept out no more. What was removed stays removed; "
            "what comes in from now on is kept."
        )
    finish(False)
