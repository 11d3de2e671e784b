"""``promptsync listen``: the webhook listener alone, into a lake."""

import asyncio

import click
import uvloop

from promptsync.cli.context import App
from promptsync.clock import system_clock
from promptsync.daemon.logs import set_up_service_logs
from promptsync.lake.listening import listen as listen_into
from promptsync.lake.settings import storage_of


@click.command()
@click.pass_obj
def listen(app: App) -> None:
    """Receive webhooks into the lake of [lake], without a mirror, until stopped (SIGTERM or Ctrl-C).

    It listens as [webhook] says and keeps nothing: any number may run behind a load balancer. A delivery is answered
    200 once the storage has it; 'promptsync lake run' makes rows of it.
    """
    config = app.config
    storage = storage_of(config)
    set_up_service_logs(app.verbosity, config.log.format, config.log.level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen_into(config, storage, system_clock, lambda at: app.say(f"Listening for webhooks at {at}")))
