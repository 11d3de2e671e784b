"""``promptsync user``: who may open the pages, as staff or as administrators, and the tokens of monitors.

Owns where their hashes and tokens are kept, in files beside the configuration, and the lines of ``[browse]`` that name
them. The pages notice a change by themselves.
"""

import os
import re
import secrets
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import click
import tomlkit
from datasette_auth_passwords.utils import hash_password  # type: ignore[import-untyped]
from tomlkit.items import Table

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.config import Secret
from promptsync.config.edit import edit_config, write_like
from promptsync.config.values import suggest
from promptsync.errors import ConfigError, Unavailable

_FOLDER = "users"
_SHORTEST = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@click.group()
def user() -> None:
    """Who may open the pages: add, list, remove, new passwords. The running pages notice it by themselves."""


@user.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May also run SQL.")
@click.option("--token", is_flag=True, help="A program that may ask how fresh the mirror is, in place of a person.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def add(app: App, name: str, admin: bool, token: bool, as_json: bool) -> None:
    """Let NAME log in. Asks for a password, or reads it as a line from standard input."""
    if token and admin:
        raise ConfigError("A token reads only how fresh the mirror is: leave --admin or --token out.")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' cannot be a name here: use letters, digits, dots, dashes and @, 64 at most.")
    browse = app.pages_config.browse
    if name in (browse.tokens if token else browse.users):
        also = "" if token else f"; 'promptsync user password {name}' gives a new password"
        raise ConfigError(f"{name} is there already{also}.")
    made = secrets.token_urlsafe(32) if token else ""
    kept = _keep(app, f"{name}.{'token' if token else 'hash'}", made or _hash(name))
    edit_config(app.pages_file, lambda document: _enter(document, name, kept, admin=admin, token=token))
    if as_json:
        print_json({"name": name, "role": _role(admin, token), "file": str(kept), **({"token": made} if token else {})})
        return
    app.say(f"{name} may {_MAY[_role(admin, token)]}. Kept in {kept}, named in {app.pages_file}.")
    if token:
        click.echo(f"Authorization: Bearer {made}")
        app.say("Have it sent to /-/freshness.json. It is not shown again.")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Everyone who may open the pages, and where the hash is kept. Exit 1 if one cannot be read."""
    browse = app.pages_config.browse
    entries = [(name, _role(name in browse.admins, False), kept) for name, kept in browse.users.items()]
    entries += [(name, "token", kept) for name, kept in browse.tokens.items()]
    rows = [
        {"name": name, "role": role, "kept": str(kept), "problem": " ".join(kept.problems())}
        for name, role, kept in entries
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    elif browse.anonymous:
        app.say("There are none, and the pages ask for no login; 'promptsync user add NAME' changes both.")
    else:
        app.say("There are none, so nobody can open the pages; 'promptsync user add NAME' adds one.")
    finish(any(row["problem"] for row in rows))


@user.command()
@click.argument("name")
@click.pass_obj
def remove(app: App, name: str) -> None:
    """Let NAME, a user or a token, in no longer; sessions that are open end."""
    browse = app.pages_config.browse
    kept = _known(name, {**browse.tokens, **browse.users})
    edit_config(app.pages_file, lambda document: _strike(document, name))
    file = kept.file()
    if kept.kind == "file" and file and file.parent == app.pages_file.parent / _FOLDER:
        file.unlink(missing_ok=True)
    app.say(f"{name} may no longer open the pages.")
    if not browse.anonymous and not browse.users.keys() - {name}:
        app.say("Nobody can log in now; 'promptsync user add NAME' adds one.")


@user.command()
@click.argument("name")
@click.pass_obj
def password(app: App, name: str) -> None:
    """A new password for NAME; sessions that are open end."""
    _known(name, app.pages_config.browse.users)
    kept = _keep(app, f"{name}.hash", _hash(name))
    edit_config(app.pages_file, lambda document: _name_file(document["browse"], "users", name, kept))
    app.say(f"{name} has a new password.")


_MAY = {
    "staff": "open the pages",
    "admin": "open the pages and run SQL",
    "token": "ask how fresh the mirror is, and nothing else",
}


def _role(admin: bool, token: bool) -> str:
    return "token" if token else "admin" if admin else "staff"


def _known(name: str, there: dict[str, Secret]) -> Secret:
    if name not in there:
        raise ConfigError(f"There is no {name}{suggest(name, there)}; 'promptsync user list' shows everyone.")
    return there[name]


def _hash(name: str) -> str:
    """The hash of a password that is asked for, twice; of a line of standard input, if that is no terminal."""
    if sys.stdin.isatty():
        given = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt="Once more", err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if len(given) < _SHORTEST:
        raise ConfigError(f"A password must have at least {_SHORTEST} characters.")
    return str(hash_password(given))


def _keep(app: App, name: str, text: str) -> Path:
    """Write a file that whoever may read the configuration may read; its path."""
    path = app.pages_file.parent / _FOLDER / name
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o750)
            like = app.pages_file.stat()
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(path.parent, like.st_uid, like.st_gid)
        write_like(path, text + "\n", app.pages_file)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written ({error.strerror}); run this as the user that {app.pages_file} belongs to."
        ) from error
    return path


def _enter(document: tomlkit.TOMLDocument, name: str, kept: Path, *, admin: bool, token: bool) -> None:
    browse: MutableMapping[str, Any] = document.setdefault("browse", tomlkit.table())
    _name_file(browse, "tokens" if token else "users", name, kept)
    if not token and browse.get("anonymous") is True:
        browse["anonymous"] = False
    if admin:
        browse.setdefault("admins", tomlkit.array()).append(name)


def _name_file(browse: MutableMapping[str, Any], key: str, name: str, kept: Path) -> None:
    """Let ``[browse]`` name the file of a user or token."""
    _write_entries(browse, key, {**browse.get(key, {}), name: tomlkit.value(f'{{ file = "{_FOLDER}/{kept.name}" }}')})


def _strike(document: tomlkit.TOMLDocument, name: str) -> None:
    browse: MutableMapping[str, Any] = document["browse"]
    key = "users" if name in browse.get("users", {}) else "tokens"
    _write_entries(browse, key, {one: way for one, way in browse[key].items() if one != name})
    if name in browse.get("admins", []):
        browse["admins"].remove(name)


def _write_entries(browse: MutableMapping[str, Any], key: str, entries: Mapping[str, Any]) -> None:
    """A table within braces is laid out anew, as people write it; lines of a table of its own stay as they are."""
    there = browse.get(key)
    if isinstance(there, Table):
        for gone in there.keys() - entries.keys():
            there.pop(gone)
        there.update(entries)
        return
    lines = [f"{tomlkit.key(one).as_string()} = {tomlkit.item(way).as_string()}" for one, way in entries.items()]
    browse[key] = tomlkit.value(f"{{ {', '.join(lines)} }}" if lines else "{}")
