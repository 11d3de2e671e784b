"""``promptsync person``: everything that is held of one person, to look at or to hand over."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from promptsync.browse.spreadsheet import csv_head, csv_lines
from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.engine.built_in import load_extensions
from promptsync.errors import ConfigError, Unavailable
from promptsync.model import Identity, Key
from promptsync.model.person import Identifier
from promptsync.people.find import Archive, Doubt, archive_of, start_of
from promptsync.people.held import Held, as_text, held_of, plain
from promptsync.plugins.declared import ReadOnly
from promptsync.store.person_rows import stating, undeclared

F = TypeVar("F", bound=Callable[..., Any])

_OPTION_OF = {Identity.CONTACT: "contact", Identity.PHONE: "phone", Identity.CIO: "customer"}
_FOR_PROGRAMS = "For programs; does not ask either, so give --yes or --dry-run."
_UNDO = "Let back in whom this erasure forgot ('erase list' has its ID)."
_VENDORS = ("Prompt", "Customer.io", "Qlara")


def naming(function: F) -> F:
    """The options that say whom a command is about; several of them are of the same person."""
    for name, metavar, words in (
        ("customer", "ID", "Customer.io's cio_id or id of the person, or their e-mail address."),
        ("phone", "P", "Phone number, with its country: +14155550123."),
        ("contact", "ID", "Number of the contact at Prompt."),
    ):
        function = click.option(f"--{name}", name, multiple=True, metavar=metavar, help=words)(function)
    return function


def erasing(function: F) -> F:
    """The options with which somebody is forgotten, in a mirror or in a lake."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help=_FOR_PROGRAMS),
        click.option("--yes", is_flag=True, help="Do not ask; take only what is certain."),
        click.option("--dry-run", is_flag=True, help="Only show what is held."),
        click.option("--resume", is_flag=True, help="Only finish what was begun and did not end."),
        click.option("--undo", type=int, metavar="ID", help=_UNDO),
        click.option("--gone-at-vendor", is_flag=True, help="Everyone who was deleted or suppressed in Customer.io."),
    ):
        function = option(function)
    return function


@click.command()
@naming
@click.option(
    "--csv", "folder", type=click.Path(path_type=Path), metavar="DIR", help="A file for each table, in a new folder."
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def person(app: App, /, folder: Path | None, as_json: bool, **named: tuple[str, ...]) -> None:
    """Everything held of one person, of all vendors: to answer somebody who asks what is stored of them.

    Any of the options is enough: the others are found. Exit 1 if somebody else may be the same person, too.
    """
    with looking(app) as archive:
        held = held_of(archive, [chosen(archive, named)])
        doubts = doubts_of(archive, held)
        if as_json:
            print_json(_as_document(held, doubts))
        elif folder is not None:
            _write(app, folder, archive, held)
        else:
            _show(app, archive, held)
    if not as_json:
        for doubt in doubts:
            app.say(doubt)
    finish(bool(doubts))


@contextmanager
def looking(app: App) -> Iterator[Archive]:
    """Where people are looked for: the mirror, read-only, beside a daemon or without one."""
    extensions = load_extensions(app.config)
    try:
        with app.reading() as connection:
            yield archive_of(connection, app.config, extensions, ReadOnly(app.reading))
    finally:
        extensions.close()


def chosen(archive: Archive, named: Mapping[str, tuple[str, ...]]) -> frozenset[Identifier]:
    """The person whom the options name. Raises ConfigError if they name nobody."""
    found = {one for option, texts in named.items() for text in texts for one in start_of(archive, **{option: text})}
    if not found:
        raise ConfigError("Say whom: --contact ID, --phone P, or --customer ID.")
    return frozenset(found)


def doubts_of(archive: Archive, held: Held) -> list[str]:
    """What is left open, each a sentence: who else it may be, and what could not be looked at."""
    found = [in_words(archive, doubt) for doubt in held.person.doubts]
    if unknown := undeclared(archive.connection, archive.schema):
        found.append(f"{', '.join(unknown)} were not looked at: enable the plugin whose they are, then ask again.")
    return found


def in_words(archive: Archive, doubt: Doubt) -> str:
    """Who else may be the same person, and how to say that they are."""
    what = doubt.because.value
    if not doubt.others:
        return f"{what} is shared by {doubt.count:,} people, too many to be one: nothing was taken because of it."
    others = ", ".join(described(archive, one) for one in doubt.others)
    options = " ".join(f"--{_OPTION_OF[one.kind]} {one.value}" for one in doubt.others if one.kind in _OPTION_OF)
    return f"{what} is also that of {others}. If this is the same person, add {options or 'their other numbers'}."


def described(archive: Archive, one: Identifier) -> str:
    """A person by an id: ``contact 301 (Bo Lind)``."""
    for table in archive.schema:
        if any(column.identity is one.kind and column.name in table.key for column in table.columns) and table.label:
            for row in stating(archive.connection, table, [one]):
                name = row[table.label]
                return f"{one.kind.value} {one.value}" + (f" ({name})" if name and name != one.value else "")
    return f"{one.kind.value} {one.value}"


def print_counts(app: App, archive: Archive, held: Held) -> None:
    """How much is held, vendor by vendor and table by table."""
    app.say(
        "This person is "
        + ", ".join(f"{i.kind.value} {i.value}" for i in sorted(held.person.identifiers, key=_by_kind))
        + "."
    )
    rows: list[list[Any]] = []
    for name, count in held.counts().items():
        table = archive.schema[name]
        rows.append([table.vendor or "promptsync", name, table.title, count])
    rows.sort(key=lambda row: (_VENDORS.index(row[0]) if row[0] in _VENDORS else len(_VENDORS), row[1]))
    if rows:
        print_table(["held by way of", "table", "what", "rows"], rows)
    for kept, _ in held.files:
        app.say(f"{kept.path}: {f'{kept.rows:,} rows' if kept.rows else kept.removed}")


def _show(app: App, archive: Archive, held: Held) -> None:
    if not held:
        app.say("Nothing is held of this person.")
        return
    print_counts(app, archive, held)
    for name, lines in _tables(held):
        click.echo(f"\n{archive.schema[name].title or name} ({name})")
        for line in lines:
            shown = (f"{column}: {value}" for column, value in line.items() if value is not None)
            click.echo("  " + ", ".join(shown))


def _tables(held: Held) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every table with its rows as they are handed over; deliveries and rejects last."""
    for name, rows in held.person.rows.items():
        yield name, [plain(dict(row)) for _, row in sorted(rows.items(), key=lambda one: _sortable(one[0]))]
    if held.deliveries:
        deliveries = (
            {"id": one.id, "type": one.type, "received_at": one.received_at, "body": as_text(one.theirs())}
            for one in held.deliveries
        )
        yield "sync_event", list(deliveries)
    if held.rejects:
        yield "sync_reject", [plain(row) for row in held.rejects]


def _by_kind(one: Identifier) -> tuple[str, str]:
    return one.kind.value, one.value


def _sortable(key: Key) -> tuple[tuple[bool, str], ...]:
    return tuple((isinstance(part, str), f"{part:020}" if isinstance(part, int) else str(part)) for part in key)


def _as_document(held: Held, doubts: list[str]) -> dict[str, Any]:
    kinds: dict[str, list[str]] = {}
    for one in sorted(held.person.identifiers, key=_by_kind):
        kinds.setdefault(one.kind.value, []).append(one.value)
    files = [{"file": str(kept.path), "rows": kept.rows} for kept, _ in held.files]
    return {"identifiers": kinds, "doubts": doubts, "tables": dict(_tables(held)), "files": files}


def _write(app: App, folder: Path, archive: Archive, held: Held) -> None:
    """A CSV file for each table, safe to open as a spreadsheet."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty; name a new folder.")
        count = 0
        for name, lines in _tables(held):
            columns = list(dict.fromkeys(column for line in lines for column in line))
            path = folder / f"{name}.csv"
            path.touch(mode=0o600)
            texts = csv_lines([line.get(column) for column in columns] for line in lines)
            path.write_text(csv_head(columns) + texts, encoding="utf-8", newline="")
            count += 1
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    print_counts(app, archive, held) if held else app.say("Nothing is held of this person.")
    if count:
        app.say(f"{count:,} files are in {folder}. They hold personal data: delete them once they are handed over.")
