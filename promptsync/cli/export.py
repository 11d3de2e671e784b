"""``promptsync export``: asynchronous exports of the Qlara account."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.clock import MICROS, iso_millis, micros_of, parse_iso, system_clock
from promptsync.errors import ConfigError
from promptsync.store import jobs
from promptsync.store.reading import newest_rows

_COLUMNS = ("id", "type", "state", "requested_at", "changed_at", "vendor_id", "range")
_NEWEST = ("id", "sent_at", "channel", "direction", "sender", "destination", "status", "body")
_NEWEST_SPAN = timedelta(days=1)


@click.group()
def export() -> None:
    """Exports of the Qlara account: request, list, carry on, look at the newest messages."""


@export.command()
@click.argument("kind", type=click.Choice(["contacts", "delivery-reports", "messages"]))
@click.option("--from", "from_", metavar="TIME", help="Begin of the range (ISO 8601, or a date).")
@click.option("--to", metavar="TIME", help="End of the range; now, if it is not given.")
@click.option("--campaign", "campaign_id", metavar="ID", help="delivery-reports: of this campaign, instead of a range.")
@click.option("--channel", type=click.Choice(["SMS", "RCS", "WHATSAPP"]), help="messages: only of this channel.")
@click.option("--status", help="messages: only with this status.")
@click.option("--list", "list_ids", metavar="ID", multiple=True, help="contacts: only of this list; may be repeated.")
@click.option("--contact", "contact_ids", metavar="ID", multiple=True, help="contacts: only this one; may be repeated.")
@click.option("--no-wait", is_flag=True, help="Only put it on record; the daemon or 'export resume' does the rest.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def request(app: App, /, kind: str, no_wait: bool, as_json: bool, **asked: Any) -> None:
    """Request an export and wait until its rows are merged. A long range is cut into several exports."""
    times = {"from": _time(app, "--from", asked.pop("from_")), "to": _time(app, "--to", asked.pop("to"))}
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in asked.items()} | times
    params = {"kind": kind, "asked": {name: value for name, value in given.items() if value}, "wait": not no_wait}
    with app.progress() as progress:
        rows = app.operate("request-exports", params, progress.show)["jobs"]
    _show(app, rows, as_json=as_json)
    finish(not no_wait and _needs_person(rows))


@export.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1, (1 << 63) - 1))
@click.option("--accept", is_flag=True, help="Merge what is held: a person has looked at it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def resume(app: App, ids: tuple[int, ...], accept: bool, as_json: bool) -> None:
    """Carry on exports that are not finished (all, or these IDS), and wait until their rows are merged.

    Those whose file is held are tried once more.
    """
    with app.progress() as progress:
        rows = app.operate("resume-exports", {"ids": list(ids), "accept": accept}, progress.show)["jobs"]
    if not rows and not as_json:
        app.say("There is no unfinished export.")
    else:
        _show(app, rows, as_json=as_json)
    finish(_needs_person(rows))


@export.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, limit: int, as_json: bool) -> None:
    """The newest exports and what became of them."""
    with app.reading() as connection:
        rows = jobs.newest(connection, limit)
    _show(app, rows, as_json=as_json)


@export.command()
@click.option("--channel", type=click.Choice(["SMS", "RCS", "WHATSAPP"]), help="Only of this channel.")
@click.option("--from", "from_", metavar="TIME", help="Since when; a day ago, if it is not given.")
@click.option("--to", metavar="TIME", help="Until when; now, if it is not given.")
@click.option("--status", help="Only with this status.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def newest(app: App, /, limit: int, as_json: bool, **asked: Any) -> None:
    """Read the newest messages without an export, merge and show them."""
    now = system_clock()
    end = _time(app, "--to", asked["to"]) or iso_millis(now)
    start = _time(app, "--from", asked["from_"]) or iso_millis(
        parse_iso(end) - int(_NEWEST_SPAN.total_seconds()) * MICROS
    )
    query = {"from": start, "to": end, "channel": asked["channel"], "status": asked["status"]}
    with app.progress() as progress:
        counts = app.operate("newest-exports", {"query": query}, progress.show)
    span, equal = ("sent_at", start, end), {"channel": query["channel"], "status": query["status"]}
    with app.reading() as connection:
        found = newest_rows(connection, "qlara_message", _NEWEST, span, equal, limit)
    if as_json:
        print_json(found)
    elif app.verbosity >= 0:
        print_table(list(_NEWEST), [list(row.values()) for row in found])
        app.say(f"{counts['rows']:,} messages read: {counts['inserted']:,} new, {counts['updated']:,} changed.")
    finish(counts["rejected"] > 0)


def _show(app: App, rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json([row | {"range": json.loads(row["range"])} for row in rows])
        return
    if not rows:
        app.say("There are none.")
    elif app.verbosity >= 0:
        print_table(list(_COLUMNS), [[str(row["id"]), *(row[column] for column in _COLUMNS[1:])] for row in rows])
    for row in rows:
        if row["error"]:
            click.echo(f"Export {row['id']} of {row['type']} is {row['state']}: {row['error']}", err=True)


def _needs_person(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether some are not merged, or not whole."""
    rejected = sum(row["rejected"] or 0 for row in rows)
    if rejected:
        click.echo(f"{rejected:,} rows could not be merged: 'promptsync rejects list' shows them.", err=True)
    return bool(rejected) or any(row["state"] != "loaded" for row in rows)


def _time(app: App, option: str, text: str | None) -> str | None:
    """An ISO time of an option; one without an offset is of the configured zone."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text} is not a time like 2026-02-04 or 2026-02-04T08:00:00Z.") from None
    return iso_millis(micros_of(when if when.tzinfo else when.replace(tzinfo=app.config.mirror.timezone)))
