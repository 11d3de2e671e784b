"""``promptsync run``: the daemon."""

import asyncio

import click

from promptsync.cli.context import App
from promptsync.daemon import Daemon, run_daemon


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Receive, merge and watch until stopped (SIGTERM or Ctrl-C; a second one ends it at once)."""
    config = app.config

    def ready(daemon: Daemon) -> None:
        app.say(f"Listening for webhooks at {daemon.address}")
        app.say(f"Watching {config.drop.folder} for files; the mirror is {config.mirror.database}")

    try:
        asyncio.run(run_daemon(config, ready=ready))
    except ExceptionGroup as group:
        raise _cause(group) from group


def _cause(group: ExceptionGroup[Exception]) -> Exception:
    """The first error of ours among those that ended the daemon's tasks, else the group itself."""
    ours = group.subgroup(PromptsyncError)
    if ours is None:
        return group
    first = ours.exceptions[0]
    return _cause(first) if isinstance(first, ExceptionGroup) else first
