"""``promptsync browse``: Datasette with our look, read-only."""

import asyncio

import click

from promptsync.browse.settings import BrowseSettings
from promptsync.cli.context import App
from promptsync.cli.extended import with_plugins
from promptsync.config import Config
from promptsync.model import declared_schema


@click.command()
@click.option("--host", help="Where to listen, instead of browse.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of browse.port; 0 takes any free one.")
@click.pass_obj
def browse(app: App, host: str | None, port: int | None) -> None:
    """Serve the mirror to people, read-only. Works while the daemon runs and while it is stopped."""
    from promptsync.browse.serve import serve  # here: it takes longer to import than every other command

    settings, close = with_plugins(browse_settings(app.config, host, port), app.config)
    try:
        asyncio.run(serve(settings, lambda address: app.say(f"Open {address}")))
    finally:
        close()


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
    )
