"""``promptsync service``: units, users, folders and a first configuration for systemd, from this installation.

Owns what is written where, so that installing twice changes nothing, and a configuration, a secret or the mirror is
never touched; and what is run of systemd's own programs. What the files say stands in ``systemd/``.
"""

import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import click

from promptsync.cli.context import App, finish, print_json, print_table
from promptsync.cli.init import machine_zone
from promptsync.cli.outside import YOUR_HOST, endpoint, proxy_blocks
from promptsync.config import load_config
from promptsync.errors import ConfigError, Unavailable
from promptsync.whole_file import write_whole

UNITS: Final = ("promptsync.service", "promptsync-browse.service")
_INSTALLED: Final = "/opt/promptsync/bin/promptsync"
_ZONE: Final = 'timezone = "America/Los_Angeles"'
_ETC, _SECRET = Path("/etc/promptsync"), Path("/etc/promptsync/webhook.secret")
_LINK: Final = Path("/usr/local/bin/promptsync")
_HIDDEN: Final = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108  what the units cannot see
_root = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Of a system that does not run."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@dataclass(frozen=True, slots=True)
class File:
    """``path``: where it is installed. ``kept``: one that is there stays as it is, for it is the administrator's."""

    path: Path
    text: str
    mode: int = 0o644
    kept: bool = False

    def state(self, root: Path) -> str:
        """``new``, ``there`` or ``changed``: what installing it would find. What is kept is not read.

        Raises PermissionError.
        """
        place = below(root, self.path)
        try:
            same = bool(place.stat()) if self.kept else place.read_bytes() == self.text.encode()
        except FileNotFoundError:
            return "new"
        return "there" if same else "changed"


@click.group()
def service() -> None:
    """The daemon and the pages as services of systemd: install, uninstall, status."""


@service.command()
@_root
@_dry_run
@_as_json
@click.pass_obj
def install(app: App, root: Path | None, dry_run: bool, as_json: bool) -> None:
    """Install units, users, folders and, if there is none, a configuration with a fresh webhook secret.

    Run it again after an upgrade: what is as it should be stays, and so do configuration, secrets and mirror.
    """
    _need_root("install", dry_run)
    base, program = root or Path("/"), _program()
    todo = _todo(program, root)
    link = _link_state(base, program)
    changes = any(state != "there" for _, state in [*todo, (None, link)])
    users, folders, reload = _commands(root)
    commands = [users, folders, *([reload] if reload and changes else [])]
    if not dry_run:
        for file, state in todo:
            if state != "there":
                place = below(base, file.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                write_whole(place, file.text.encode(), file.mode)
        if link != "there":
            _make_link(base, program)
        for command in commands:
            _run(command)
    done = [{"file": str(file.path), "was": state} for file, state in todo]
    done.append({"file": str(_LINK), "was": link})
    if as_json:
        print_json({"files": done, "commands": [shlex.join(one) for one in commands]})
        return
    _say_installed(app, base, done, commands, dry_run=dry_run)


@service.command()
@_root
@_dry_run
@click.pass_obj
def uninstall(app: App, root: Path | None, dry_run: bool) -> None:
    """Stop and remove the services; configuration, secrets, mirror and users stay. Needs root."""
    _need_root("uninstall", dry_run)
    base, program = root or Path("/"), _program()
    there = [file.path for file in files_of(program) if not file.kept and below(base, file.path).exists()]
    there += [_LINK] if _link_state(base, program) == "there" else []
    names = [unit for unit in UNITS if Path("/etc/systemd/system") / unit in there]
    stop = [*_systemctl(root), "disable", *(["--now"] if root is None else []), *names]
    commands = [stop] if names else []
    for command in commands:
        app.say(f"{'would run' if dry_run else 'run'}: {shlex.join(command)}")
        if not dry_run:
            _run(command)
    for path in there:
        app.say(f"{'would remove' if dry_run else 'removed'}: {path}")
        if not dry_run:
            below(base, path).unlink()
    if not dry_run and there and root is None:
        _run(["systemctl", "daemon-reload"])
    if not there:
        app.say("Nothing is installed.")
    app.say(
        "Configuration, secrets and mirror stay. To remove them for good: "
        "rm -r /etc/promptsync /var/lib/promptsync /var/lib/promptsync-browse; "
        "userdel promptsync-browse; userdel promptsync"
    )


@service.command()
@_as_json
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Whether the services are installed, of this version, enabled and active. Exit 1 if one is not."""
    rows = []
    for file in files_of(_program()):
        if file.path.name not in UNITS:
            continue
        state = {"new": "no", "there": "yes", "changed": "of another version"}[file.state(Path("/"))]
        shown = _shown(file.path.name)
        rows.append({"unit": file.path.name, "installed": state, **shown})
    wrong = any((row["installed"], row["enabled"], row["active"]) != ("yes", "enabled", "active") for row in rows)
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
        if any(row["installed"] != "yes" for row in rows):
            app.say(f"Install them: sudo {_program()} service install")
        elif wrong:
            app.say("Start them: sudo systemctl enable --now promptsync promptsync-browse")
    finish(wrong)


def files_of(program: Path) -> Iterator[File]:
    """Everything that is installed. ``program``: the command that the units run."""
    for unit in UNITS:
        yield File(Path("/etc/systemd/system") / unit, shipped(unit).replace(_INSTALLED, str(program)))
    for kind in ("sysusers", "tmpfiles"):
        yield File(Path(f"/etc/{kind}.d/promptsync.conf"), shipped(f"promptsync.{kind}.conf"))
    zone = f'timezone = "{machine_zone()}"'
    for name in ("promptsync", "browse"):
        yield File(_ETC / f"{name}.toml", shipped(f"{name}.example.toml").replace(_ZONE, zone), 0o640, kept=True)
    yield File(_SECRET, f"{secrets.token_hex(32)}\n", 0o600, kept=True)


def shipped(name: str) -> str:
    """A file of ``systemd/``: of the wheel, or where promptsync runs from its repository, of that."""
    inside = files("promptsync").joinpath("examples", "systemd", name)
    found = inside if inside.is_file() else Path(__file__).parents[2] / "systemd" / name
    return found.read_text("utf-8")


def below(root: Path, path: Path) -> Path:
    """A path of a system whose root is elsewhere."""
    return root / path.relative_to("/")


def _todo(program: Path, root: Path | None) -> list[tuple[File, str]]:
    """Everything that is installed, with what installing it would find. Raises ConfigError for what cannot be seen."""
    try:
        return [(file, file.state(root or Path("/"))) for file in files_of(program)]
    except PermissionError as error:
        command = [str(program), "service", "install", "--dry-run", *(["--root", str(root)] if root else [])]
        raise ConfigError(
            f"Only root can see whether {error.filename} is there; run it with sudo: sudo {shlex.join(command)}"
        ) from None


def _program() -> Path:
    """The command of this installation."""
    return Path(sys.executable).with_name("promptsync")


def _need_root(what: str, dry_run: bool) -> None:
    program = _program()
    if not dry_run and os.geteuid() != 0:
        raise ConfigError(f"Services are installed by root: sudo {program} service {what}")
    if what == "install" and not program.is_file():
        raise ConfigError(f"The units would run {program}, and there is none; install promptsync into /opt/promptsync.")
    if what == "install" and not dry_run and str(program).startswith(_HIDDEN):
        raise ConfigError(
            f"The services see nothing below /home, /root and /tmp, so not {program} either: install promptsync into "
            "/opt/promptsync ('promptsync help service' says how), and run this from there."
        )


def _systemctl(root: Path | None) -> list[str]:
    return ["systemctl", *([f"--root={root}"] if root else [])]


def _commands(root: Path | None) -> tuple[list[str], list[str], list[str]]:
    """Users, folders, and units read anew, which a system that does not run has no need of."""
    at = [f"--root={root}"] if root else []
    users = ["systemd-sysusers", *at, "promptsync.conf"]
    folders = ["systemd-tmpfiles", *at, "--create", "promptsync.conf"]
    return users, folders, [] if root else ["systemctl", "daemon-reload"]


def _run(command: list[str]) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise Unavailable(f"There is no {command[0]} on this machine; the services need systemd 250 or newer.")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["without a word"]
        raise Unavailable(f"'{shlex.join(command)}' failed ({said[0]}); put that right, then run this again.")


def _link_state(root: Path, program: Path) -> str:
    """Of the link by which ``promptsync`` is found; a file that somebody else has put there stays."""
    link = below(root, _LINK)
    if not link.is_symlink():
        return "kept" if link.exists() else "new"
    return "there" if link.readlink() == program else "changed"


def _make_link(root: Path, program: Path) -> None:
    link = below(root, _LINK)
    if link.exists() and not link.is_symlink():
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(program)


def _shown(unit: str) -> dict[str, str]:
    """``enabled`` and ``active``, as systemd calls it."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return {"enabled": "", "active": ""}
    command = [systemctl, "show", "-p", "UnitFileState", "-p", "ActiveState", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    return {"enabled": found.get("UnitFileState", ""), "active": found.get("ActiveState", "")}


def _say_installed(
    app: App, root: Path, done: list[dict[str, Any]], commands: list[list[str]], *, dry_run: bool
) -> None:
    words = {"new": "write", "changed": "replace", "there": "leave", "kept": "leave"}
    for row in done:
        app.say(f"{'would ' if dry_run else ''}{words[row['was']]}: {row['file']}")
    for command in commands:
        app.say(f"{'would ' if dry_run else ''}run: {shlex.join(command)}")
    if dry_run:
        return
    if not any(row["was"] == "new" for row in done):
        app.say("\nAfter an upgrade: systemctl restart promptsync promptsync-browse")
        return
    config = load_config(below(root, _ETC / "promptsync.toml"))
    app.say(
        f"""
{endpoint(config, f"the secret in {_SECRET}")}

Next:
  promptsync --config {_ETC / "browse.toml"} user add NAME --admin
      lets somebody open the pages; asks for a password
  systemctl enable --now promptsync promptsync-browse
      starts both, now and with the machine
  cd / && sudo -u promptsync promptsync status
      says whether the mirror is up to date

In front of both a proxy with TLS ('promptsync help proxy'); with Caddy:"""
    )
    app.say(proxy_blocks(config, YOUR_HOST)["caddy"].rstrip())
