"""``promptsync run``: the daemon."""

import asyncio

import click

from promptsync.cli.context import App
from promptsync.daemon import Daemon, run_daemon
from promptsync.logs import take_over_process


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Receive, merge and watch until stopped (SIGTERM or Ctrl-C; a second one ends it at once)."""
    config = app.config

    def ready(daemon: Daemon) -> None:
        app.say(f"Listening for webhooks at {daemon.address}")
        app.say(f"Watching {config.drop.folder} for files; the mirror is {config.mirror.database}")

    tracebacks = app.verbosity >= 2
    take_over_process(tracebacks)
    asyncio.run(run_daemon(config, ready=ready, tracebacks=tracebacks))
