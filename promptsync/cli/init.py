"""``promptsync init``: a configuration, a fresh webhook secret, the folders, and what to do next.

Owns the text of a first configuration. Never overwrites anything: an existing configuration ends it before anything is
written, an existing secret is kept and used.
"""

import os
import secrets
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import tzlocal

from promptsync.cli.config_file import FILE_NAME, VARIABLE
from promptsync.cli.context import App, print_json
from promptsync.cli.outside import YOUR_HOST, endpoint, endpoint_address, proxy_blocks
from promptsync.config import Config, MirrorConfig, Secret
from promptsync.errors import ConfigError, Unavailable

_SECRET_NAME = "webhook.secret"  # noqa: S105  the file's name
_SECRET_BYTES = 32
_PRIVATE, _FOLDER = 0o600, 0o750

CONFIGURATION = """\
# promptsync: what to receive, where to keep it, who may look at it. 'promptsync doctor' checks it.
#
# Relative paths start at the folder of this file. A secret never stands here, only where it is kept:
# { file = "path" }, { env = "NAME" } or { credential = "name" } (systemd).

[mirror]
database = "data/mirror.db"
timezone = "{zone}"  # of schedules, and of exported times that name no zone

[webhook]                         # a proxy with TLS in front of it is what the vendor reaches
host = "127.0.0.1"
port = 8642
path = "/hooks/prompt"            # the address entered at the vendor ends with this
secrets = [{ file = "webhook.secret" }]
#basic_auth = { user = "prompt", password = { file = "webhook.password" } }

[drop]                            # nightly exports and Customer.io's files put here are merged, then moved to drop/done
folder = "drop"

[browse]                          # the pages of 'promptsync browse'
host = "127.0.0.1"
port = 8643
# 'promptsync user add NAME' asks for a password and writes the next lines. admins may run SQL; tokens are for monitors.
users = {}
admins = []
tokens = {}
anonymous = true                  # true: without a password, which is fine on a machine of your own
# Behind a proxy, how people open the pages and who is believed who they are; 'promptsync help proxy' says more.
#address = "https://prompt.example.org/"
#trusted_proxies = ["127.0.0.1"]

#[alerts]
#stale_after = "36 hours"          # 'promptsync status' complains when the newest export is older
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What init has left behind. ``kept``: the secret was there before."""

    path: Path
    config: Config
    secret: str
    kept: bool

    @property
    def secret_file(self) -> Path:
        """Where the secret is kept."""
        return self.path.with_name(_SECRET_NAME)


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def init(app: App, folder: Path, as_json: bool) -> None:
    """Write a first configuration with a fresh webhook secret into DIR, and say what to do next.

    Overwrites nothing.
    """
    if app.config_path is not None:
        raise ConfigError(f"init writes DIR/{FILE_NAME}: name the folder, and leave --config out.")
    made = make(folder.absolute())
    steps = _commands(made.path)
    if as_json:
        print_json(_plain(made, steps))
    else:
        app.say(_words(made, steps))


def first(folder: Path, zone: str = "") -> tuple[str, Config]:
    """The text of a folder's first configuration, and what it says. ``zone``: its time zone, if not the machine's.

    Raises ConfigError if there is one.
    """
    path = folder / FILE_NAME
    if os.path.lexists(path):
        raise ConfigError(f"{path} is there already and stays as it is; edit it, or name another folder.")
    text = CONFIGURATION.replace("{zone}", zone or machine_zone())
    return text, Config.read(tomllib.loads(text), folder)


def make(folder: Path, zone: str = "") -> Made:
    """Write everything into a folder, which is made if need be. ``zone``: as for ``first``.

    Raises ConfigError if there is a configuration or an unusable secret, Unavailable if the folder cannot be written.
    """
    path, (text, config) = folder / FILE_NAME, first(folder, zone)
    try:
        _make_folder(folder)
        secret, kept = _make_secret(folder)
        for inner in (config.mirror.database.parent, config.drop.folder):
            _make_folder(inner)
        _write_new(path, text)
    except FileExistsError as error:
        raise ConfigError(f"{error.filename} is in the way; move it, or name another folder.") from error
    except OSError as error:
        raise Unavailable(f"{error.filename} cannot be written ({error.strerror}); name another folder.") from error
    return Made(path, config, secret, kept)


def machine_zone() -> str:
    """The name of this machine's time zone; that of most accounts where it has none, or one without a name."""
    try:
        return ZoneInfo(tzlocal.get_localzone_name()).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return MirrorConfig().timezone.key


def _make_folder(folder: Path) -> None:
    """Parents as usual, the folder itself closed to others; one that is there stays as it is."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=_FOLDER)


def _make_secret(folder: Path) -> tuple[str, bool]:
    path = folder / _SECRET_NAME
    if os.path.lexists(path):
        return _kept_secret(path), True
    secret = secrets.token_hex(_SECRET_BYTES)
    _write_new(path, secret)
    return secret, False


def _kept_secret(path: Path) -> str:
    kept = Secret("file", path.name, path.parent)
    for says in kept.problems():
        raise ConfigError(f"A secret is there already, but {says}.")
    text = kept.reveal().decode("utf-8", "replace")
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ConfigError(f"{path} is there already and is no line of plain characters; move it away and try again.")
    return text


def _write_new(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        os.fchmod(file, _PRIVATE)
        stream.write(text)


def _commands(path: Path) -> dict[str, str]:
    """The next commands, as they have to be typed where we are."""
    here = path.parent == Path.cwd() and not os.environ.get(VARIABLE)
    start = "promptsync" if here else f"promptsync --config {shlex.quote(str(path))}"
    return {name: f"{start} {name}" for name in ("run", "browse", "doctor")}


def _plain(made: Made, steps: dict[str, str]) -> dict[str, object]:
    return {
        "config": str(made.path),
        "webhook": {"url": endpoint_address(made.config), "header": "X-Hub-Signature", "secret": made.secret},
        "secret_file": str(made.secret_file),
        "secret_kept": made.kept,
        "listens": f"{made.config.webhook.host}:{made.config.webhook.port}",
        "data": str(made.config.mirror.database.parent),
        "drop": str(made.config.drop.folder),
        "timezone": made.config.mirror.timezone.key,
        "proxy": _proxy(made),
        "next": steps,
    }


def _proxy(made: Made) -> dict[str, str]:
    blocks = proxy_blocks(made.config, YOUR_HOST)
    return {kind: blocks[kind] for kind in ("caddy", "nginx")}


def _words(made: Made, steps: dict[str, str]) -> str:
    browse, mirror = made.config.browse, made.config.mirror
    kept = "as it was before" if made.kept else "not shown again"
    secret = f"this secret:\n          {made.secret}\n          (kept in {made.secret_file}, {kept})"
    proxy = {kind: indent(block, "      ").rstrip() for kind, block in _proxy(made).items()}
    return f"""\
Written: {made.path}
  Schedules, and exported times without a zone, are in {mirror.timezone.key}: the machine's zone, or change timezone.

{endpoint(made.config, secret)}

Next:
  {steps["run"]}
      receives deliveries, and merges nightly exports and Customer.io's files put into {made.config.drop.folder}
  {steps["browse"]}
      shows the mirror at http://{browse.host}:{browse.port}/, without a password, on this machine only
  {steps["doctor"]}
      checks everything

For other people: 'promptsync user add NAME' asks for a password. A proxy with TLS in front of webhooks and pages
('promptsync help proxy' says more; the pages want [browse] address and trusted_proxies):
  Caddy
{proxy["caddy"]}
  nginx, in the server of that name
{proxy["nginx"]}"""
