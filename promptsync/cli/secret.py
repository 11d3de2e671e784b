"""``promptsync secret``: putting secrets where this system keeps such things, and saying where each is.

Owns the asking, the files and systemd's encrypted credentials, and the rotation of the webhook's secret. No value is
ever shown but a new one that has to be entered at the vendor.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import tomlkit

from promptsync.cli.config_file import SYSTEM_FILE
from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.cli.daemon_state import signed_with
from promptsync.clock import MICROS, iso_millis
from promptsync.config import Secret
from promptsync.config.edit import edit_config, write_like
from promptsync.config.secret_names import find_secret, name_secret, plain_key
from promptsync.daemon.client import daemon_runs
from promptsync.errors import ConfigError, Unavailable
from promptsync.status.check_settings import secrets_of

_WEBHOOK = "webhook.secrets"
_BYTES = 32
_CREDS = "systemd-creds"
_OF_THE_SERVICE = ("env", "credential")
_where = click.option(
    "--systemd/--file",
    "systemd",
    default=None,
    help="Keep it as an encrypted credential of systemd, or as a file beside the configuration. Without either: as a "
    "credential if the configuration is the service's in /etc.",
)


@click.group()
def secret() -> None:
    """Secrets: put one where this system keeps them, say where each is, rotate the webhook's. Never their values."""


@secret.command("set")
@click.argument("name")
@_where
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def set_(app: App, name: str, systemd: bool | None, as_json: bool) -> None:
    """Keep the secret at the configuration's key NAME, such as qlara.api_key or nightly.1.secret_key.

    Asks for it, or reads it from standard input.
    """
    key = plain_key(name)
    file = app.pages_file if key.startswith("browse.") else app.config_file
    there = find_secret(app.pages_config if key.startswith("browse.") else app.config, key)
    if len(there) > 1:
        raise ConfigError(f"{key} names {len(there)}; 'promptsync secret rotate webhook --finish' leaves the newest.")
    kept = _Kept(file, _wants_systemd(file, systemd))
    way = kept.keep(there[0] if there else None, "webhook" if key == _WEBHOOK else key, _asked(key))
    if there != (kept.secret(way),):
        edit_config(file, lambda document: name_secret(document, key, way))
    _tell(app, key, kept, way, as_json)


@secret.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """Every secret that the configuration names, where it comes from, and whether it can be read. Exit 1 if not.

    While the webhook's is being rotated, also which of them deliveries still come with.
    """
    daemon = daemon_runs(app.config.mirror.database)
    rows = [_row(key, one, daemon) for key, one in _named(app)]
    used = _used(app) if daemon and len(app.config.webhook.secrets) > 1 else {}
    for row in rows:
        row |= {"used": used[row["key"]]} if row["key"] in used else {}
    if as_json:
        print_json(rows)
    elif rows:
        columns = ["key", "kept", "readable", "problem", *(["used"] if used else [])]
        print_table(columns, [[row.get(column, "") for column in columns] for row in rows])
    else:
        app.say("None is named; 'promptsync secret set NAME' keeps one.")
    finish(any(row["readable"] == "no" for row in rows))


@secret.command()
@click.argument("which", type=click.Choice(["webhook"]))
@click.option("--finish", "ends", is_flag=True, help="The vendor uses the new one: accept the old one no more.")
@_where
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def rotate(app: App, which: str, ends: bool, systemd: bool | None, as_json: bool) -> None:
    """A new secret for the webhook, beside the old one, which is accepted until --finish."""
    there = app.config.webhook.secrets
    if ends:
        _finish_rotation(app, there, as_json)
        return
    if not there:
        raise ConfigError(f"There is no {_WEBHOOK} to rotate; 'promptsync secret set {_WEBHOOK}' keeps a first one.")
    if len(there) > 1:
        raise ConfigError(
            f"{len(there)} secrets of the {which} are accepted already: 'promptsync secret rotate {which} --finish' "
            "ends that rotation first."
        )
    kept = _Kept(app.config_file, _wants_systemd(app.config_file, systemd))
    value, name = secrets.token_hex(_BYTES), _free_name(there)
    way = kept.keep(None, name, value)
    edit_config(app.config_file, lambda document: name_secret(document, _WEBHOOK, way, beside=True))
    if as_json:
        print_json({"kept": str(kept.secret(way)), "secret": value, "unit": kept.lines(way)})
        return
    _tell(app, _WEBHOOK, kept, way, as_json=False)
    app.say("From then on both secrets are accepted. Now enter at Prompt, as the secret of X-Hub-Signature:")
    click.echo(f"  {value}")
    app.say(
        "It is not shown again. 'promptsync secret list' says which of both deliveries come with; once that is the new "
        f"one alone: promptsync secret rotate {which} --finish"
    )


def _finish_rotation(app: App, there: tuple[Secret, ...], as_json: bool) -> None:
    if len(there) < 2:
        raise ConfigError("Nothing is being rotated: one secret of the webhook is accepted, or none.")
    old = there[:-1]

    def drop(document: tomlkit.TOMLDocument) -> None:
        accepted: Any = document["webhook"]["secrets"]
        while len(accepted) > 1:
            del accepted[0]

    edit_config(app.config_file, drop)
    for one in old:
        file = one.file() if one.kind == "file" else None
        if file and file.parent == app.config_file.absolute().parent:
            file.unlink(missing_ok=True)
    if as_json:
        print_json({"dropped": [str(one) for one in old], "kept": str(there[-1])})
        return
    app.say(f"{there[-1]} alone is named now. {_restart(app, _WEBHOOK)}")
    for one in old:
        if one.kind == "credential":
            app.say(f"Take the line of the credential {one.name} out of the unit too: systemctl edit promptsync")


class _Kept:
    """Where secrets go. ``file``: the configuration that names them; ``systemd``: as encrypted credentials."""

    def __init__(self, file: Path, systemd: bool) -> None:
        self._file, self._systemd = file.absolute(), systemd

    def keep(self, there: Secret | None, name: str, value: str) -> dict[str, str]:
        """Keep a value, in the place of what is there if that is such a place; returns how the configuration names it.

        Raises Unavailable.
        """
        if self._systemd:
            credential = there.name if there and there.kind == "credential" else name.replace(".", "-")
            self._encrypt(credential, value)
            return {"credential": credential}
        file = there.name if there and there.kind == "file" else f"{name}.secret"
        path = self._file.parent / file
        try:
            write_like(path, value + "\n", self._file)
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be written ({error.strerror}); run this as the user that {self._file} belongs to."
            ) from error
        return {"file": file}

    def secret(self, way: dict[str, str]) -> Secret:
        """The secret that the configuration names so."""
        ((kind, name),) = way.items()
        return Secret(kind, name, self._file.parent)

    def lines(self, way: dict[str, str]) -> list[str]:
        """What the unit needs, if anything."""
        name = way.get("credential")
        return [f"LoadCredentialEncrypted={name}:{self._encrypted(name)}"] if name else []

    def _encrypted(self, name: str) -> Path:
        return self._file.parent / f"{name}.cred"

    def _encrypt(self, name: str, value: str) -> None:
        program, path = shutil.which(_CREDS), self._encrypted(name)
        if program is None:
            raise Unavailable(f"There is no {_CREDS} on this machine (systemd 250 or newer has it); give --file.")
        command = [program, "encrypt", f"--name={name}", "-", "-"]
        done = subprocess.run(command, input=value.encode(), capture_output=True, check=False)  # noqa: S603
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["without a word"]
            raise Unavailable(f"{_CREDS} cannot encrypt it ({said[0]}); run this as root, or give --file.")
        try:
            write_like(path, done.stdout.decode(), self._file)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written ({error.strerror}); run this as root.") from error


def _wants_systemd(file: Path, said: bool | None) -> bool:
    return said if said is not None else file.absolute().parent == SYSTEM_FILE.parent and bool(shutil.which(_CREDS))


def _asked(key: str) -> str:
    """What is typed, unseen; or all of standard input, if that is no terminal."""
    asked = sys.stdin.isatty()
    value = str(click.prompt(key, hide_input=True, err=True) if asked else sys.stdin.read()).rstrip("\r\n")
    if not value:
        raise ConfigError(f"An empty text is no secret; give the one of {key}, or pipe it in.")
    return value


def _named(app: App) -> Iterable[tuple[str, Secret]]:
    yield from secrets_of(app.config)
    if app.pages_file != app.config_file:
        yield from secrets_of(app.pages_config.browse, "browse")


def _row(key: str, one: Secret, daemon: bool) -> dict[str, str]:
    """``readable``: yes, no, or that only the running service can."""
    problem = " ".join(one.problems())
    hidden = bool(problem) and daemon and one.kind in _OF_THE_SERVICE
    readable = "by the service" if hidden else "no" if problem else "yes"
    return {"key": key, "kept": str(one), "readable": readable, "problem": "" if hidden else problem}


def _used(app: App) -> dict[str, str]:
    """By the key of each secret of the webhook, which deliveries have come with it since the daemon accepts them; empty
    if the daemon does not say."""
    signed = signed_with(app.config.mirror.database)
    secrets = enumerate(app.config.webhook.secrets if signed else (), start=1)
    return {f"{_WEBHOOK}[{number}]": _how_often(*signed.get(str(one), (None, 0.0))) for number, one in secrets}


def _how_often(count: int | None, at: float) -> str:
    """``count``: None of a secret that the daemon has not read."""
    if not count:
        return "not yet" if count == 0 else "not yet, it is accepted after a reload or restart"
    return f"by {'1 delivery' if count == 1 else f'{count:,} deliveries'}, the newest {iso_millis(int(at * MICROS))}"


def _free_name(there: tuple[Secret, ...]) -> str:
    taken = {os.path.basename(one.name).removesuffix(".secret") for one in there}  # noqa: PTH119  names, no paths
    return next(name for n in range(2, 9) if (name := f"webhook-{n}") not in taken)


def _tell(app: App, key: str, kept: _Kept, way: dict[str, str], as_json: bool) -> None:
    lines = kept.lines(way)
    if as_json:
        print_json({"key": key, "kept": str(kept.secret(way)), "unit": lines})
        return
    app.say(f"Kept as {kept.secret(way)}, which {key} names.")
    if lines:
        app.say(f"Add to the unit, with 'systemctl edit {_unit(key)}', below [Service]:")
        for line in lines:
            click.echo(f"  {line}")
    app.say(_restart(app, key, handed_over="credential" in way))


def _unit(key: str) -> str:
    return "promptsync-browse" if key.startswith("browse.") else "promptsync"


def _restart(app: App, key: str, *, handed_over: bool = False) -> str:
    """What makes a changed secret count. ``handed_over``: as a credential, which systemd does at the start alone."""
    if key.startswith("browse."):
        service = handed_over or app.pages_file.absolute().parent == SYSTEM_FILE.parent
        return f"The pages read it when they start{': systemctl restart promptsync-browse' if service else '.'}"
    if not daemon_runs(app.config.mirror.database):
        return "The next start reads it."
    if handed_over:
        return "The daemon gets it when it starts, not at a reload: systemctl restart promptsync"
    return "Restart the daemon, or reload it (SIGHUP): it goes on with what it has read."
