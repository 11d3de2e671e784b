"""``promptsync events``: the inbox of webhook deliveries."""

import difflib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from promptsync.cli.completion import event_types
from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.clock import iso_micros, parse_iso
from promptsync.errors import ConfigError, Unavailable
from promptsync.model.delivery import delivery_of
from promptsync.store import deliveries
from promptsync.store.reading import row_of
from promptsync.vendors import EVENT_TYPES

_BATCH, _BATCH_BYTES = 500, 4 << 20


@click.group()
def events() -> None:
    """Deliveries received by webhook: list, show, apply again, export, import."""


@events.command("list")
@click.option("--state", type=click.Choice(["pending", "applied", "unknown_type", "failed"]))
@click.option("--failed", is_flag=True, help="The same as --state failed.")
@click.option("--type", "type_", shell_complete=event_types, help="Only this event type.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_(app: App, state: str | None, failed: bool, type_: str | None, limit: int, as_json: bool) -> None:
    """The newest deliveries."""
    _check_type(app, type_)
    with app.reading() as connection:
        found = deliveries.newest(connection, "failed" if failed else state, type_, limit)
    if as_json:
        print_json(found)
    elif found:
        rows = [one | {"id": str(one["id"]), "org_id": str(one["org_id"] or "")} for one in found]
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        app.say("There are none.")


@events.command()
@click.argument("id_", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show(app: App, id_: int, as_json: bool) -> None:
    """One delivery, whole."""
    with app.reading() as connection:
        found = row_of(connection, "sync_event", id_)
    if found is None:
        raise ConfigError(f"There is no delivery {id_}; 'promptsync events list' shows the newest.")
    if as_json:
        print_json(found)
        return
    observed = found["observed_at"]
    shown = found | {"observed_at": None if observed is None else iso_micros(observed)}
    for name, value in shown.items():
        if name != "body" and value is not None:
            click.echo(f"{name}: {value}")
    click.echo(_pretty(found["body"]))


@events.command()
@click.option("--id", "id_", type=int, help="Only this one.")
@click.option("--failed", is_flag=True, help="Only those that failed or were of an unknown type.")
@click.option("--type", "type_", shell_complete=event_types, help="Only this event type.")
@click.option("--since", help="Only those received since (ISO 8601).")
@click.option("--all", "all_", is_flag=True, help="Every one of them.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def replay(app: App, /, since: str | None, all_: bool, as_json: bool, **chosen: Any) -> None:
    """Apply stored deliveries again. The rows end up the same."""
    if bool(since or any(chosen.values())) == all_:
        raise ConfigError("Say which: --id, --failed, --type, --since, or --all for every one of them.")
    _check_type(app, chosen["type_"])
    since = _time(since)
    params = {"id": chosen["id_"], "failed": chosen["failed"], "type": chosen["type_"], "since": since}
    result = app.operate("replay", params, lambda _: None)
    if as_json:
        print_json(result)
    else:
        app.say(f"{result['replayed']:,} deliveries applied again, {result['failed']:,} failed.")
    finish(bool(result["failed"]))


@events.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.pass_obj
def export(app: App, file: Path) -> None:
    """Write the whole inbox as JSON Lines (FILE or - for standard output)."""
    with app.reading() as connection:
        try:
            stream = click.open_file(str(file), "w", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{file} cannot be written ({error.strerror}); name another file.") from error
        try:
            with stream:
                count = _write(connection, stream)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unavailable(f"{file} is not complete ({error.strerror}); make room or name another file.") from error
    if app.verbosity >= 0:
        click.echo(f"{count:,} deliveries written.", err=True)


def _check_type(app: App, type_: str | None) -> None:
    """Raises ConfigError for a type that no event has, if no delivery was of it either."""
    if type_ is None or type_ in EVENT_TYPES:
        return
    with app.reading() as connection:
        if type_ in deliveries.count_by_type(connection):
            return
    near = difflib.get_close_matches(type_, EVENT_TYPES, n=1)
    raise ConfigError(f"{type_} is no event type{f', did you mean {near[0]}?' if near else '.'}")


def _write(connection: sqlite3.Connection, stream: IO[str]) -> int:
    count = 0
    for one in deliveries.everything(connection):
        line = {name: one[name] for name in ("received_at", "type", "path", "body")}
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


@events.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def import_(app: App, file: Path, as_json: bool) -> None:
    """Read deliveries from JSON Lines, as export writes them, and apply them. The same line twice is one delivery.

    A line that claims to have been received before the year 2000, or more than five minutes from now, is left out.
    """
    total = {"imported": 0, "known": 0, "refused": 0}
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            for lines in _batches(stream):
                result = app.operate("import-events", {"lines": lines}, lambda _: None)
                for number, received_at in result["refused"]:
                    click.echo(f"Line {number} is left out: nothing was received at {received_at}.", err=True)
                total["refused"] += len(result.pop("refused"))
                total |= {name: total[name] + count for name, count in result.items()}
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}); check the name.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start}); import what export wrote.") from error
    if as_json:
        print_json(total)
    else:
        left_out = f", {total['refused']:,} left out" if total["refused"] else ""
        app.say(f"{total['imported']:,} deliveries imported, {total['known']:,} were there already{left_out}.")
    finish(bool(total["refused"]))


def _batches(stream: Any) -> Iterator[list[dict[str, Any]]]:
    """Lines in requests that are small in number and in bytes; one that is larger comes alone."""
    batch: list[dict[str, Any]] = []
    size = 0
    for number, text in enumerate(stream, 1):
        if not text.strip():
            continue
        if batch and (len(batch) >= _BATCH or size + len(text) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(_line(number, text))
        size += len(text)
    if batch:
        yield batch


def _line(number: int, text: str) -> dict[str, Any]:
    try:
        found = delivery_of(text)
    except ValueError as error:
        raise ConfigError(f"Line {number} {error}.") from None
    return {
        "number": number,
        "received_at": iso_micros(found.received_at),
        "path": found.path,
        "body": found.body,
    }


def _time(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return iso_micros(parse_iso(text))
    except ValueError:
        raise ConfigError(f"--since {text} is not a time like 2026-02-04T08:00:00Z or 2026-02-04.") from None


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
