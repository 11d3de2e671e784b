"""Datasette over the mirror, put together and run in a process of its own.

Owns the assembly: settings, templates, accounts, the plugin's registration, the listening socket. Needs nothing but
the mirror's file and ``BrowseSettings``: no daemon, no other section of the configuration.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from datasette.app import Datasette  # type: ignore[import-untyped]
from datasette.plugins import pm  # type: ignore[import-untyped]
from datasette.url_builder import Urls  # type: ignore[import-untyped]
from datasette.utils import PrefixedUrlString  # type: ignore[import-untyped]
from itsdangerous import BadSignature

from promptsync.browse import plugin
from promptsync.browse.access import ADMINISTER, Actor, may
from promptsync.browse.extended import with_more
from promptsync.browse.frame import Frame
from promptsync.browse.gate import ASKED
from promptsync.browse.guests import GuestRoutes, remarks
from promptsync.browse.metadata import PAGE_SIZE, metadata
from promptsync.browse.mirror import PAGING, MirrorDatabase, tables_of
from promptsync.browse.pages import PAGES
from promptsync.browse.passwords import Passwords
from promptsync.browse.queries.reader import Held
from promptsync.browse.sessions import Sessions
from promptsync.browse.settings import DATABASE, BrowseSettings
from promptsync.browse.words import load
from promptsync.errors import ConfigError, Unavailable
from promptsync.model import Schema

Present = Callable[[], datetime]

_HERE = Path(__file__).parent
_SETTINGS = {
    "allow_download": False,
    "default_allow_sql": False,
    "default_cache_ttl": 0,
    "default_page_size": PAGE_SIZE,
    "facet_time_limit_ms": 300,
    "max_csv_mb": 0,
    "max_returned_rows": 2000,
    "num_sql_threads": 3,
    "sql_time_limit_ms": 2000,
    "suggest_facets": False,
    "truncate_cells_html": 400,
}


_LOOK_EVERY = 1.0


class PrefixedUrls(Urls):  # type: ignore[misc]
    """Addresses below the prefix. Datasette also puts it before the path that was asked for, which has it already."""

    def path(self, path: str, format: str | None = None) -> Any:
        bare = path.partition("?")[0]
        asked = ASKED.get()
        if asked and bare in (asked, f"{asked}.json", f"{asked}.csv"):
            path = PrefixedUrlString(path)
        return super().path(path, format)


class MirrorDatasette(Datasette):  # type: ignore[misc]
    """A Datasette that carries our settings (``browse``), who is logged in, and how often anyone has tried to.

    Keeps password hashes out of its metadata pages.
    """

    def __init__(self, browse: BrowseSettings, clock: Callable[[], float], present: Present, **options: Any) -> None:
        self.browse = browse
        self.clock = clock
        self.present = present
        self.sessions = Sessions(
            lambda: present().timestamp(), lambda user: self.browse.users.get(user, ""), browse.sessions
        )
        self.passwords = Passwords(browse.users)
        self.totals = Held(clock)
        self._look_at = self.clock() + _LOOK_EVERY
        super().__init__([], secret=browse.secret or self.sessions.secret, **options)
        self.frame = Frame(self.urls, load(), PAGES, browse, self._administers)

    @property
    def urls(self) -> PrefixedUrls:
        """How addresses are made."""
        return PrefixedUrls(self)

    @cached_property
    def guests(self) -> GuestRoutes:
        """The paths of plugins that others have written."""
        return GuestRoutes(self)

    def _administers(self, actor: Actor) -> bool:
        return bool(may(self.browse, actor, ADMINISTER))

    def _hash_of(self, user: str) -> str:
        return self.browse.users.get(user, "")

    def look_at_accounts(self) -> None:
        """Take over what was changed about users and tokens, at most once a second; a mistake changes nothing."""
        if self.clock() < self._look_at:
            return
        self._look_at = self.clock() + _LOOK_EVERY
        try:
            accounts = self.browse.changed()
        except ConfigError as error:
            structlog.get_logger().warning("accounts_not_read", reason=str(error))
            return
        if accounts is None:
            return
        settings = replace(
            self.browse,
            users=accounts.users,
            admins=accounts.admins,
            tokens=accounts.tokens,
            anonymous=accounts.anonymous,
        )
        if problems := settings.problems():
            structlog.get_logger().warning("accounts_not_read", reason=" ".join(problems))
            return
        old, self.passwords, self.browse = self.passwords, Passwords(accounts.users), settings
        old.close()

    def unsign(self, signed: str, namespace: str = "default") -> Any:
        """What was signed here. Whoever reads an actor's cookie, Datasette or a plugin, gets none that is over."""
        found = super().unsign(signed, namespace)
        if namespace == "actor" and not self._goes_on(found):
            raise BadSignature("the session is over")
        return found

    def _goes_on(self, found: Any) -> bool:
        return isinstance(found, dict) and found.get("a") == {"id": self.sessions.user(found.get("s"))}

    def plugin_config(self, plugin_name: str, *args: Any, **options: Any) -> Any:
        """Nothing for datasette-auth-passwords, it would hash on the event loop; for others what the metadata says."""
        if plugin_name == "datasette-auth-passwords":
            return {}
        return super().plugin_config(plugin_name, *args, **options)

    def table_metadata(self, database: str, table: str) -> dict[str, Any]:
        """What the metadata says of a table; without its usual sort while rows are paged by key."""
        entry: dict[str, Any] = super().table_metadata(database, table)
        paging = PAGING.get()
        if paging and paging.by_key:
            return {key: value for key, value in entry.items() if key not in ("sort", "sort_desc")}
        return entry


def _now() -> datetime:
    return datetime.now(UTC)


def build_datasette(
    settings: BrowseSettings, clock: Callable[[], float] = time.monotonic, present: Present = _now
) -> MirrorDatasette:
    """Datasette over the mirror, ready for requests. ``clock``: seconds, of tries to log in; ``present``: what the
    pages and sessions call now.

    Raises ConfigError for settings that cannot be right, Unavailable if the mirror cannot be read (yet).
    """
    problems = settings.problems()
    if problems:
        raise ConfigError(" ".join(problems))
    tables = tables_of(settings.database)
    if not pm.is_registered(plugin):
        pm.register(plugin, "promptsync")
    datasette = MirrorDatasette(
        settings,
        clock,
        present,
        metadata=_metadata(settings, tables),
        template_dir=str(_HERE / "templates"),
        static_mounts=[("-/assets", str(_HERE / "static"))],
        settings={**_SETTINGS, "base_url": settings.prefix, "force_https_urls": settings.public.startswith("https:")},
    )
    datasette.remove_database("_memory")
    datasette.add_database(MirrorDatabase(datasette, str(settings.database)), name=DATABASE)
    return datasette


async def serve(
    settings: BrowseSettings,
    ready: Callable[[str], None] | None = None,
    present: Present = _now,
    listener: socket.socket | None = None,
) -> None:
    """Serves the pages until SIGINT, SIGTERM or cancellation. ``ready`` is called with the address once it listens;
    ``present`` as for ``build_datasette``; ``listener``: a socket that listens already, instead of host and port.

    Port 0 takes any free one. Raises as ``build_datasette``, and Unavailable if the port cannot be listened on.
    """
    datasette = await asyncio.to_thread(build_datasette, settings, present=present)
    for says in remarks():
        structlog.get_logger().warning("datasette_plugin", says=says)
    await datasette.invoke_startup()
    config = uvicorn.Config(
        datasette.app(),
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=5,
        proxy_headers=False,  # whoever reaches the port could say who they are; see visitor.py
    )
    with listener or _listen(settings.host, settings.port) as listener:
        if ready:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            ready(f"http://{host}:{listener.getsockname()[1]}{settings.prefix}")
        try:
            await uvicorn.Server(config).serve(sockets=[listener])
        finally:
            close(datasette)


def close(datasette: MirrorDatasette) -> None:
    """Ends the threads and connections of a Datasette."""
    datasette.executor.shutdown()
    datasette.passwords.close()
    for database in datasette.databases.values():
        database.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}, port {port} ({error.strerror}): choose another browse.port or end what uses it."
        ) from error


def _metadata(settings: BrowseSettings, tables: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    said = metadata(_searchable(settings.schema, tables), _undeclared(settings.schema, tables))
    return with_more(said, DATABASE, settings.more_metadata)


def _searchable(schema: Schema, tables: dict[str, tuple[str, ...]]) -> Schema:
    """The schema, less the search of tables whose search index this mirror does not have."""
    return Schema(table if f"{table.name}_fts" in tables else replace(table, search=()) for table in schema)


def _undeclared(schema: Schema, tables: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {t.name: [name for name in tables.get(t.name, ()) if name not in t.by_name] for t in schema}
