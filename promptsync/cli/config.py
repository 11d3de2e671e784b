"""``promptsync config``: the configuration as it is in force, where each value comes from, and whether it is right.

Owns how a value is written for people, as TOML that could be pasted, and for programs. No secret is opened to be shown,
only its place is. What could be one is hidden: every text of a plugin's settings, and of an address what could let
somebody in.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import click
import tomlkit
from pydantic.fields import FieldInfo

from promptsync.cli.context import App, finish, print_json
from promptsync.cli.doctor import findings_of_settings
from promptsync.cli.extended import plugin_findings
from promptsync.config import Secret
from promptsync.config.secret import WAYS
from promptsync.config.section import Section
from promptsync.config.values import parse_size
from promptsync.daemon.client import daemon_runs
from promptsync.plugins.declared import Level

_UNITS: Final = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
_SIZES: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key in force. ``section``: dotted, entries of a list counted from 1; ``value``: plain; ``file``: None: the
    default."""

    section: str
    key: str
    value: Any
    file: Path | None

    @property
    def came(self) -> str:
        """Where the value comes from."""
        return "default" if self.file is None else str(self.file)


@click.group()
def config() -> None:
    """The configuration: what is in force and where it comes from; whether it is right."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def show(app: App, as_json: bool) -> None:
    """Every key in force, as TOML, and where its value comes from. Secrets are never shown, only where they are."""
    entries = list(entries_of(app))
    if as_json:
        rows = [{"key": f"{one.section}.{one.key}", "value": one.value, "from": one.came} for one in entries]
        print_json({"file": str(app.config_file), "pages_file": str(app.pages_file), "values": rows})
        return
    click.echo(f"# {app.config_file}" + (f"; [browse]: {app.pages_file}" if app.pages_file != app.config_file else ""))
    section = ""
    for one in entries:
        if one.section != section:
            section = one.section
            click.echo(f"\n{_heading(section)}")
        origin = "default" if one.file is None else one.file.name
        line = f"#{one.key} =" if one.value is None else f"{tomlkit.key(one.key).as_string()} = {_toml(one.value)}"
        click.echo(f"{line:<60}  # {origin}")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def check(app: App, as_json: bool) -> None:
    """Is the configuration right? Everything that is wrong at once; 'doctor' looks at the machine and the mirror too.

    Exit 0 if it is, 1 if a secret cannot be opened or something would keep the daemon or the pages from starting (a
    plugin that cannot be loaded too), 2 if the file itself is wrong.
    """
    files = dict.fromkeys((app.config_file, app.pages_file))
    config, pages = app.config, app.pages_config
    whole = config if pages is config else config.model_copy(update={"browse": pages.browse})
    found = list(findings_of_settings(app.config_file, whole, daemon=daemon_runs(config.mirror.database)))
    found += plugin_findings(config, run_checks=False)
    problems = [finding for finding in found if finding.level is Level.PROBLEM]
    if as_json:
        print_json({"files": [str(file) for file in files], "findings": [finding.as_dict() for finding in found]})
    else:
        for finding in found:
            if finding.level is not Level.OK:
                click.echo(f"{finding.level.value}  {finding.check}: {finding.says}")
        if not problems:
            app.say(f"{' and '.join(map(str, files))}: right.")
    finish(bool(problems))


def entries_of(app: App) -> Iterator[Entry]:
    """Every key in force, in the order of the sections; those of the pages from their own file."""
    for name in type(app.config).model_fields:
        file, held = (app.pages_file, app.pages_config) if name == "browse" else (app.config_file, app.config)
        given = tomllib.loads(file.read_text("utf-8"))
        yield from _entries(name, getattr(held, name), given.get(name), file)


def _entries(name: str, value: Any, given: Any, file: Path) -> Iterator[Entry]:
    if isinstance(value, Section):
        yield from _of_section(name, value, given or {}, file)
    elif isinstance(value, tuple):
        for number, one in enumerate(value, 1):
            yield from _of_section(f"{name}[{number}]", one, given[number - 1], file)


def _of_section(name: str, section: Section, given: Mapping[str, Any], file: Path) -> Iterator[Entry]:
    inner: list[tuple[str, Section, Mapping[str, Any]]] = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, Section):
            inner.append((f"{name}.{key}", value, given.get(key, {})))
        else:
            yield Entry(name, key, _plain(value, field), file if key in given else None)
    for key, value in (section.__pydantic_extra__ or {}).items():
        if isinstance(value, Mapping):
            yield from (Entry(f"{name}.{key}", inner, _guarded(one), file) for inner, one in value.items())
        else:
            yield Entry(name, key, _plain(value), file)
    for inner_name, value, raw in inner:
        yield from _of_section(inner_name, value, raw, file)


def _guarded(value: object) -> object:
    """A plugin's own setting. Any text in it may be a secret, but for the name of the place where one is kept.

    >>> _guarded({"url": "https://host/T0", "retries": 3, "keys": [{"env": "KEY"}, "abc"]})
    {'url': '***', 'retries': 3, 'keys': [{'env': 'KEY'}, '***']}
    """
    if isinstance(value, Mapping):
        names_place = len(value) == 1 and isinstance(next(iter(value.values())), str) and not value.keys() - {*WAYS}
        return {str(key): one if names_place else _guarded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_guarded(one) for one in value]
    return value if isinstance(value, bool | int | float) else _HIDDEN


def _plain(value: object, field: FieldInfo | None = None) -> object:
    """As TOML and JSON can say it."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Secret):
        return {value.kind: value.name}
    if isinstance(value, int):
        is_size = field is not None and any(getattr(one, "func", None) is parse_size for one in field.metadata)
        return _size(value) if is_size else value
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _address(str(value))


def _address(text: str) -> str:
    """A text in which, if it is an address, nothing lets anybody in: no query, and a user only where that is a name.

    >>> _address("https://token@host/exports/?sig=abc"), _address("sftp://ana@host/out")
    ('https://***@host/exports/?***', 'sftp://ana@host/out')
    """
    if "://" not in text:
        return text
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    shown = user if parts.scheme == "sftp" and ":" not in user else _HIDDEN
    query, fragment = (_HIDDEN if part else "" for part in (parts.query, parts.fragment))
    return urlunsplit((parts.scheme, f"{shown}{at}{host}" if at else host, parts.path, query, fragment))


def _duration(value: timedelta) -> str:
    """
    >>> _duration(timedelta(hours=36)), _duration(timedelta(seconds=0.25))
    ('36 hours', '0.25 seconds')
    """
    seconds = value.total_seconds()
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size and not seconds % size), _UNITS[-1])
    if unit == "days" and seconds < 3 * size:
        unit, size = _UNITS[1]
    count = f"{seconds / size:g}"
    return f"{count} {unit.removesuffix('s') if count == '1' else unit}"


def _size(value: int) -> str:
    """
    >>> _size(16 << 20), _size(1000)
    ('16 MiB', '1000 B')
    """
    unit, size = next(((unit, size) for unit, size in _SIZES if value >= size and not value % size), ("B", 1))
    return f"{value // size} {unit}"


def _heading(section: str) -> str:
    return f"[[{section.partition('[')[0]}]]" if section.endswith("]") else f"[{section}]"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{tomlkit.key(name).as_string()} = {_toml(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomlkit.item(value).as_string()
