"""The webhook listener alone, into a lake: it keeps nothing, so any number run behind a load balancer.

Owns its life: it begins to listen once the storage answers, and ends on SIGTERM or SIGINT with what is under way.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from promptsync.clock import Clock
from promptsync.config import Config, open_access
from promptsync.errors import ConfigError
from promptsync.lake.intake import LakeIntake
from promptsync.lake.storage import Storage
from promptsync.webhook.listener import (
    ListenerSettings,
    build_listener,
    listen_on,
    listener_runner,
    stop_accepting,
)
from promptsync.webhook.signature import Authenticator

_DRAIN_SECONDS: Final = 10.0


async def listen(config: Config, storage: Storage, clock: Clock, ready: Callable[[str], None]) -> None:
    """Listen until asked to end; ``ready`` gets the address. Raises ConfigError, Unavailable."""
    webhook, access = config.webhook, open_access(config.webhook)
    if await asyncio.to_thread(storage.read_settings) is None:
        raise ConfigError(f"There is no lake at {storage.name} yet; make it with: promptsync lake init")
    intake, ended, loop = LakeIntake(storage, clock), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    authenticator = Authenticator(access.secrets, access.basic, access.headers, access.open_to_all)
    app = build_listener(ListenerSettings(webhook.path, authenticator, webhook.max_body), intake.store)
    runner = listener_runner(app, _DRAIN_SECONDS)
    await runner.setup()
    try:
        ready(await listen_on(runner, webhook.host, webhook.port, webhook.path))
        await ended.wait()
    finally:
        stop_accepting(app)
        await intake.drain()
        await runner.cleanup()
