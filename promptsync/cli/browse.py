"""``promptsync browse``: Datasette with our look, read-only.

Owns what the configuration says about the pages, at the start and when accounts change meanwhile.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import click
import structlog

from promptsync.browse.settings import Accounts, BrowseSettings
from promptsync.cli.context import App
from promptsync.cli.extended import with_plugins
from promptsync.cli.output import announce
from promptsync.config import Config, Secret, load_config
from promptsync.daemon.client import daemon_runs
from promptsync.daemon.logs import set_up_service_logs
from promptsync.daemon.notify import ServiceManager
from promptsync.errors import ConfigError
from promptsync.vendors import declared_schema

_PATIENCE_SECONDS = 30.0


@click.command()
@click.option("--host", help="Where to listen, instead of browse.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of browse.port; 0 takes any free one.")
@click.option("--open", "open_", is_flag=True, help="Open them in a browser.")
@click.option("--fd", type=click.IntRange(0), hidden=True, help="Listen on this descriptor once a daemon runs.")
@click.pass_obj
def browse(app: App, host: str | None, port: int | None, open_: bool, fd: int | None) -> None:
    """Serve the mirror to people, read-only. Works while the daemon runs and while it is stopped."""
    log = app.config.log
    set_up_service_logs(app.verbosity, log.format, log.level)
    settings = replace(browse_settings(app.config, host, port), changed=_Changes(app.config_file, app.config))
    settings, close = with_plugins(settings, app.config)
    try:
        asyncio.run(_serve(settings, app, fd, open_=open_))
    finally:
        close()


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Have nothing import it meanwhile that does without it, unless somebody has imported it already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # what Python takes for "there is none"
    try:
        yield
    finally:
        del sys.modules[module]


async def _serve(settings: BrowseSettings, app: App, fd: int | None, *, open_: bool) -> None:
    with _hidden("numpy"):  # for Datasette's units: a sixth of its memory and a fifth of its start, and we have none
        from promptsync.browse.serve import serve

    listener = None if fd is None else socket.socket(fileno=fd)
    if listener is not None:
        await _daemon_runs(settings.database)
    manager = ServiceManager.of(os.environ, os.getpid())

    def ready(address: str) -> None:
        manager.ready(f"Serving the pages at {address}")
        if app.verbosity >= 0:
            announce(f"Open {settings.public}, behind it {address}" if settings.public else f"Open {address}")
        if open_:
            click.launch(address)

    if not sys.stdin.isatty():  # a terminal that closes ends them
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload)
    beats = asyncio.create_task(manager.watch(lambda: True, ""))
    try:
        await serve(settings, ready, listener=listener)
    finally:
        beats.cancel()


async def _daemon_runs(database: Path) -> None:
    """Wait until a daemon runs, for half a minute at most: until then a mirror may lack tables, or not be there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await asyncio.to_thread(daemon_runs, database):  # noqa: ASYNC110  another process does it
                await asyncio.sleep(0.05)


def _reload() -> None:
    note = "users, passwords and tokens are noticed at once; all else changes at a restart of the pages"
    structlog.get_logger().info("reloaded", note=note)


def browse_settings(config: Config, host: str | None = None, port: int | None = None) -> BrowseSettings:
    """What the configuration says about browsing; opens only the secrets of that section."""
    browse = config.browse
    accounts = _accounts(config)
    return BrowseSettings(
        database=config.mirror.database,
        schema=declared_schema(),
        zone=config.mirror.timezone,
        host=host or browse.host,
        port=browse.port if port is None else port,
        users=accounts.users,
        admins=accounts.admins,
        tokens=accounts.tokens,
        anonymous=accounts.anonymous,
        secret=_text(browse.secret) if browse.secret else "",
        sessions=_sessions_file(config),
        public=browse.address or "",
        trusted_proxies=browse.trusted_proxies,
        stale_after=config.alerts.stale_after,
    )


class _Changes:
    """The accounts of a configuration file, when they are not as they were: it or a file that it names was changed."""

    def __init__(self, file: Path, config: Config) -> None:
        self._file = file
        self._named = _files(config)
        self._seen = self._marks()

    def __call__(self) -> Accounts | None:
        """Raises ConfigError, once for each change, if there is a mistake in it."""
        marks = self._marks()
        if marks == self._seen:
            return None
        self._seen = marks
        config = load_config(self._file)
        self._named = _files(config)
        self._seen = self._marks()
        return _accounts(config)

    def _marks(self) -> list[tuple[int, int, int] | None]:
        return [_mark(file) for file in (self._file, *self._named)]


def _files(config: Config) -> list[Path]:
    kept = [*config.browse.users.values(), *config.browse.tokens.values()]
    return [file for secret in kept if (file := secret.file())]


def _mark(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _accounts(config: Config) -> Accounts:
    browse = config.browse
    return Accounts(
        users={name: _text(secret) for name, secret in browse.users.items()},
        admins=frozenset(browse.admins),
        tokens={name: _text(secret) for name, secret in browse.tokens.items()},
        anonymous=browse.anonymous,
    )


def _text(secret: Secret) -> str:
    try:
        return secret.reveal().decode()
    except UnicodeDecodeError:
        raise ConfigError(f"the secret {secret} is not UTF-8 text") from None


def _sessions_file(config: Config) -> Path:
    """In the folder that systemd gives the pages to write in, or else beside the mirror."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given or config.mirror.database.parent) / "browse-sessions.json"
