"""``promptsync browse``: Datasette with our look, read-only."""

import asyncio
import os

import click

from promptsync.browse.settings import BrowseSettings
from promptsync.cli.context import App
from promptsync.cli.extended import with_plugins
from promptsync.cli.streams import announce
from promptsync.config import Config
from promptsync.daemon.logs import set_up_logs
from promptsync.daemon.notify import ServiceManager
from promptsync.vendors import declared_schema


@click.command()
@click.option("--host", help="Where to listen, instead of browse.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of browse.port; 0 takes any free one.")
@click.pass_obj
def browse(app: App, host: str | None, port: int | None) -> None:
    """Serve the mirror to people, read-only. Works while the daemon runs and while it is stopped."""
    set_up_logs(app.verbosity, waits=False)
    settings, close = with_plugins(browse_settings(app.config, host, port), app.config)
    try:
        asyncio.run(_serve(settings, app))
    finally:
        close()


async def _serve(settings: BrowseSettings, app: App) -> None:
    from promptsync.browse.serve import serve

    manager = ServiceManager.of(os.environ, os.getpid())

    def ready(address: str) -> None:
        manager.ready(f"Serving the pages at {address}")
        if app.verbosity >= 0:
            announce(f"Open {address}")

    beats = asyncio.create_task(manager.watch(lambda: True, ""))
    try:
        await serve(settings, ready)
    finally:
        beats.cancel()


def browse_settings(config: Config, host: str | None = None, port: int | None = None) -> BrowseSettings:
    """What the configuration says about browsing; opens only the secrets of that section."""
    browse = config.browse
    return BrowseSettings(
        database=config.mirror.database,
        schema=declared_schema(),
        zone=config.mirror.timezone,
        host=host or browse.host,
        port=browse.port if port is None else port,
        users={name: secret.reveal().decode() for name, secret in browse.users.items()},
        admins=frozenset(browse.admins),
        anonymous=browse.anonymous,
        trusted_proxies=browse.trusted_proxies,
    )
