"""``promptsync run``: the daemon.

Owns that it ends with 0 only if it was asked to end: a service manager starts it again after everything else.
"""

import asyncio
import gc
import sys
from functools import partial
from typing import Final

import click
import uvloop

from promptsync.cli.context import App
from promptsync.cli.output import discard_output, forgive
from promptsync.config import load_config
from promptsync.daemon.daemon import Daemon, run_daemon
from promptsync.daemon.logs import set_up_service_logs, take_over_process
from promptsync.errors import MirrorBroken, Unavailable
from promptsync.store.memory import free_large_at_once
from promptsync.store.owner import become_owner

YOUNG: Final = 10_000
"""Objects that are made before Python looks for cycles among them; by default 700, fewer than one batch of deliveries
that is applied takes, and hardly any of them is in one."""
_SWITCH_SECONDS: Final = 0.001
"""How long a thread that merges may keep Python from the loop that answers; by default five times as long."""


@click.command()
@click.pass_obj
def run(app: App) -> None:
    """Receive, merge and watch until stopped (SIGTERM or Ctrl-C; a second one ends it at once).

    SIGHUP has it read its configuration anew, unless it was started at a terminal.
    """
    config = app.config
    become_owner(config.mirror.database)

    def ready(daemon: Daemon) -> None:
        gc.collect()
        gc.freeze()  # it stays: a full collection that went through it all would stop every answer for 0.1 s
        try:
            app.say(f"Listening for webhooks at {daemon.address}")
            app.say(f"Watching {config.drop.folder} for files; the mirror is {config.mirror.database}")
        except (OSError, ValueError):
            discard_output(sys.stdout)  # nobody reads it: it listens all the same
            forgive(sys.stdout)

    tracebacks = app.verbosity >= 2
    set_up_service_logs(app.verbosity, config.log.format, config.log.level)
    take_over_process(tracebacks)
    gc.set_threshold(YOUNG)
    sys.setswitchinterval(_SWITCH_SECONDS)
    free_large_at_once()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # an eighth more deliveries a second
            read = None if sys.stdin.isatty() else partial(load_config, app.config_file)  # a closed terminal ends it
            runner.run(run_daemon(config, ready=ready, tracebacks=tracebacks, read=read))
    except MirrorBroken as error:
        raise Unavailable(str(error)) from error  # for the service manager: try again later
    finally:
        discard_output(sys.stdout)
        discard_output(sys.stderr)
