"""Keeps the volunteers' shifts beside their messages: fetched as a CSV file, merged, shown, checked, forgotten.

    [plugins]
    enabled = ["shifts"]
    [plugins.shifts]
    list = "/srv/desk/shifts.csv"      # columns id, phone, starts_at, place; copied from here every ten minutes
    org = 1

Its page is /plugins/shifts/open, its command 'promptsync shifts'.
"""

import csv
import html
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import click

from promptsync import (
    Check,
    Claims,
    Column,
    ConfigError,
    Eraser,
    FileKind,
    Finding,
    Kind,
    Page,
    ReadOnly,
    Settings,
    Source,
    Table,
    hookimpl,
    iso_millis,
    note,
    ok,
    parse_iso,
    problem,
)

OPEN = "SELECT id, starts_at, place FROM shift WHERE digits IS NULL ORDER BY starts_at"


@hookimpl
def tables(settings: Settings) -> list[Table]:
    """What is so: the row of a shift is as the newest file has it."""
    columns = (
        Column("id", Kind.INTEGER, "Number of the shift"),
        Column("org_id", Kind.INTEGER, "Organization it belongs to", references="org"),
        Column("digits", Kind.TEXT, "Phone number of whoever has it, digits only", "shift"),
        Column("starts_at", Kind.TIME, "When it begins", "shift"),
        Column("place", Kind.TEXT, "Where", "shift"),
    )
    return [Table("shift", "Shifts of volunteers.", ("id",), columns, label="place", sort="starts_at")]


@hookimpl
def file_kinds(settings: Settings) -> list[FileKind]:
    """Files that are dropped, loaded by hand or fetched: ``shifts*.csv``."""
    org = int(settings.number("org", 1))

    def decode(path: Path) -> Iterator[Claims]:
        with path.open(newline="", encoding="utf-8") as file:
            at = int(path.stat().st_mtime * 1_000_000)  # of equal rows the newer file's win
            for row in csv.DictReader(file):
                claims = Claims.of_file(org, at)
                starts = when(row.get("starts_at", ""))
                if starts is None:
                    claims.problems.append("starts_at is no time")
                digits = "".join(filter(str.isdigit, row.get("phone", ""))) or None
                claims.row("shift", int(row["id"])).claim("shift", at, digits, starts, row.get("place") or None)
                yield claims

    return [FileKind("shifts", "shifts*.csv", decode)]


def when(text: str) -> str | None:
    """A time as the mirror writes it, None for no time."""
    try:
        return iso_millis(parse_iso(text))
    except ValueError:
        return None


@hookimpl
def sources(settings: Settings) -> list[Source]:
    """Where such files come from, and how often; 'promptsync fetch shifts' calls it now."""
    there = settings.path("list")
    if there.suffix != ".csv":
        raise ConfigError("plugins.shifts.list must name a .csv file")

    def fetch(folder: Path) -> None:
        shutil.copy2(there, folder / "shifts.csv")

    return [Source("desk", timedelta(minutes=10), fetch)]


@hookimpl
def checks(settings: Settings) -> list[Check]:
    """Asked by ``status`` and ``doctor``."""

    def enough(mirror: ReadOnly) -> Iterable[Finding]:
        total = len(mirror.rows("SELECT 1 FROM shift"))
        if not total:
            return [note("shifts", "No shifts are known yet.")]
        free = len(mirror.rows(OPEN))
        if free * 2 > total:
            return [problem("shifts", f"{free} of {total} shifts have nobody: ask for help.")]
        return [ok("shifts", f"{free} of {total} shifts have nobody.")]

    return [enough]


@hookimpl
def commands(settings: Settings) -> list[click.Command]:
    """``promptsync shifts``; ``settings.mirror`` reads the mirror."""

    @click.command()
    @click.option("--place", help="Only these.")
    def shifts(place: str | None) -> None:
        """Print the shifts that nobody has."""
        for row in settings.mirror.rows(OPEN):
            if place in (None, row["place"]):
                click.echo(f"{row['starts_at']} {row['place']}")

    return [shifts]


@hookimpl
def pages(settings: Settings) -> list[Page]:
    """``/plugins/shifts/open``: what it gives stands below the title, and is escaped by the plugin."""

    def show(query: Mapping[str, str], mirror: ReadOnly) -> str:
        texts = (f"{row['starts_at']} {row['place']}" for row in mirror.rows(OPEN))
        items = [f"<li>{html.escape(text)}</li>" for text in texts]
        return f"<ul>{''.join(items)}</ul>" if items else "<p>Every shift has somebody.</p>"

    return [Page("open", "Open shifts", show)]


@hookimpl
def metadata(settings: Settings) -> dict[str, dict[str, object]]:
    """What Datasette says of a table, on top of its declaration."""
    return {"shift": {"source": "The desk's list", "sort": "starts_at"}}


@hookimpl
def erase(settings: Settings) -> list[Eraser]:
    """Which rows are about a person: no column refers to ``contact``, the number is written in a way of its own."""

    def keys(identifiers: Mapping[str, Sequence[str]], mirror: ReadOnly) -> Iterator[Sequence[object]]:
        for phone in identifiers.get("phone", ()):
            digits = "".join(filter(str.isdigit, phone))
            yield from ((row["id"],) for row in mirror.rows("SELECT id FROM shift WHERE digits = ?", [digits]))

    return [Eraser("shift", keys)]
