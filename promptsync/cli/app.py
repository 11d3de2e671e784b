"""The command ``promptsync`` and its error boundary.

Owns the group of commands, each of which is imported when it is used, and the one place where an error becomes a
sentence and an exit code. A traceback is shown only with ``-v -v``.
"""

import os
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from promptsync import __version__
from promptsync.cli.config_file import enables_plugins, find_config
from promptsync.cli.context import NOT_NOW, App, exit_code, program
from promptsync.cli.output import complain, discard_output, is_about_output, reader_gone, written
from promptsync.errors import ConfigError, NotOwner, PromptsyncError, in_words, where_raised
from promptsync.places.entries import printable

_SERVICES = ("run", "browse", "listen")
"""Commands whose lines a journal keeps; the others speak to a person."""
_UMASK = 0o027  # files 0640, folders 0750
_LIVING = frozenset({"run", "browse", "demo", "listen"})

COMMANDS = {
    "backup": "Encrypted backups: make one, list, verify, drill.",
    "browse": "Serve the mirror to people, read-only.",
    "completion": "The script that has a shell complete what is typed.",
    "config": "The configuration: show what is in force, check it.",
    "demo": "A whole simulated account on this machine, to try and look at.",
    "doctor": "Check configuration, permissions, disk, clock, secrets, mirror.",
    "erase": "Forget a person for good, at every vendor.",
    "events": "Deliveries by webhook: list, show, replay, export, import.",
    "export": "Exports of the Qlara account: request, list, resume.",
    "fetch": "Fetch files from the configured places now, and merge them.",
    "files": "Files that were held or ignored: list, show, accept, discard.",
    "help": "The long texts, by topic, such as backup or troubleshooting.",
    "init": "Write a first configuration, and say what to do next.",
    "lake": "Delta tables beyond one machine: init, run, status, pull.",
    "listen": "Receive webhooks into a lake, without a mirror.",
    "load": "Merge files, or folders of them, now.",
    "man": "The manual pages of this version, to be installed.",
    "person": "Everything held of one person, to look at or to hand over.",
    "plugins": "Plugins: what is loaded, a skeleton for a new one.",
    "rejects": "What could not be merged: list, show, retry, discard.",
    "reset": "Empty a Customer.io table whose history will be sent again.",
    "restore": "Bring the mirror back from a backup.",
    "retention": "How long things are kept; sweep what is too old now.",
    "run": "The daemon: receive, merge and watch until stopped.",
    "schema": "Describe the tables and views.",
    "secret": "Secrets: keep one, list where they are, rotate the webhook's.",
    "service": "Services of systemd: install, uninstall, status.",
    "status": "Is the mirror up to date? Exit 1 if something needs a person.",
    "user": "Who may open the pages: add, list, remove, new passwords.",
}
"""Every command, which is the function of its name in the module of its name, and its line in the help."""


class _Group(click.Group):
    """promptsync's commands, and those of the enabled plugins. A plugin cannot take the name of one of ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--config`` may stand behind the command too."""
        return super().parse_args(ctx, _config_first(args))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = getattr(import_module(f"promptsync.cli.{cmd_name}"), cmd_name)
            return command
        return _of_plugins(ctx).get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS | _of_plugins_if_possible(ctx))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options, and commands with their lines; none of our commands is imported for it."""
        found = click.Command.shell_complete(self, ctx, incomplete)
        more = {name: command.get_short_help_str() for name, command in _of_plugins_if_possible(ctx).items()}
        lines = sorted((more | COMMANDS).items())
        return [*(CompletionItem(name, help=line) for name, line in lines if name.startswith(incomplete)), *found]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list, for which none of our commands has to be imported."""
        more = {name: command.get_short_help_str(90) for name, command in _of_plugins_if_possible(ctx).items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted((more | COMMANDS).items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """The whole command, from its arguments to its exit code."""
        with written():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PromptsyncError as error:
            if _verbosity(ctx) >= 2:
                raise
            complain(f"promptsync: {_in_words(error)}")
            raise SystemExit(exit_code(error)) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _seen_enough(ctx):
                raise SystemExit(0) from None
            if _verbosity(ctx) >= 2 or is_about_output(error):
                raise
            if isinstance(error, OSError) and error.filename is not None:
                complain(f"promptsync: {printable(os.fsdecode(error.filename))}: {in_words(error)}.")
                raise SystemExit(NOT_NOW) from None
            complain(
                f"promptsync: this should not have happened ({type(error).__name__} at {where_raised(error)}); "
                "run it again with -v -v and report what it prints."
            )
            raise SystemExit(NOT_NOW) from None
        finally:
            discard_output(sys.stdout)
            discard_output(sys.stderr)


def _in_words(error: PromptsyncError) -> str:
    """The sentence; where another user may do it, with the same command for that user."""
    if not isinstance(error, NotOwner):
        return str(error)
    return f"{str(error).removesuffix('.')}: sudo -u {error.owner} {shlex.join([program(), *sys.argv[1:]])}"


def _config_first(args: list[str]) -> list[str]:
    """The arguments with ``--config FILE`` before the command; what follows ``--`` is no option."""
    options, rest = list[str](), list(args)
    end = rest.index("--") if "--" in rest else len(rest)
    for n in range(end - 1, -1, -1):
        if rest[n].startswith("--config="):
            options, end = [rest.pop(n), *options], end - 1
        elif rest[n] == "--config" and n + 1 < end:
            options, end = [rest.pop(n), rest.pop(n), *options], end - 2
    return [*options, *rest]


def _of_plugins(ctx: click.Context) -> dict[str, click.Command]:
    try:
        file = find_config(ctx.params.get("config_path"), os.environ, Path.cwd())
        if not enables_plugins(file):
            return {}
        from promptsync.config import load_config

        config = load_config(file)
    except ConfigError:
        return {}  # the command that needs it says so
    from promptsync.cli.extended import plugin_commands

    return plugin_commands(config)


def _of_plugins_if_possible(ctx: click.Context) -> dict[str, click.Command]:
    """Asked for help, it must be given; 'doctor' says what is wrong."""
    try:
        return _of_plugins(ctx)
    except PromptsyncError:
        return {}


def _seen_enough(ctx: click.Context) -> bool:
    """Whether the reader of what a command prints has ended, as with ``| head``; one that lives on is not asked to end
    by that, and a broken pipe may be another."""
    return ctx.invoked_subcommand not in _LIVING and (reader_gone(sys.stdout) or reader_gone(sys.stderr))


def _verbosity(ctx: click.Context) -> int:
    app = ctx.find_object(App)
    return app.verbosity if app else 0


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="promptsync")
@click.option("--config", "config_path", type=click.Path(path_type=Path), is_eager=True, help="The configuration file.")
@click.option("-v", "--verbose", count=True, help="Say more; twice: with tracebacks.")
@click.option("--quiet", is_flag=True, help="Say only what went wrong.")
@click.pass_context
def main(ctx: click.Context, config_path: Path | None, verbose: int, quiet: bool) -> None:
    """Keep a local, always current mirror of your texting account in one SQLite database."""
    verbosity = -1 if quiet else verbose
    if os.environ.get("NO_COLOR"):  # no-color.org: any value counts
        ctx.color = False
    os.umask(_UMASK)
    ctx.obj = App(config_path, verbosity, None if ctx.invoked_subcommand in _SERVICES else False)
    if "structlog" in sys.modules:  # a command that logs has imported it by now, or does so in ``App.operate``
        ctx.obj.set_up_logs()
