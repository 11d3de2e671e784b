"""``promptsync run``: the daemon."""

import asyncio
import sys
from typing import Final

import click
import uvloop

from promptsync.cli.context import App
from promptsync.daemon import Daemon, run_daemon
from promptsync.logs import take_over_process

_SWITCH_SECONDS: Final = 0.001
"""How long a thread that merges may keep Python from the loop that answers; by default five times as long."""


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
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # an eighth more deliveries a second
        runner.run(run_daemon(config, ready=ready, tracebacks=tracebacks))
