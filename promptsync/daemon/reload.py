"""Taking a changed configuration over while the daemon runs: SIGHUP, ``systemctl reload``.

Owns what can change without a restart, and that nothing does if the new configuration is wrong. Secrets are opened anew
though no line has changed: a file may hold another. What systemd hands over as a credential it hands over at the start.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import structlog
from aiohttp import web

from promptsync.config import Config, open_access
from promptsync.config.access import WebhookAccess, require_authentication
from promptsync.config.section import Section
from promptsync.config.sections import WebhookConfig
from promptsync.daemon.alerts import Alerts
from promptsync.daemon.notify import ServiceManager
from promptsync.daemon.schedule import Schedule
from promptsync.daemon.tasks import configured_tasks
from promptsync.engine.engine import Engine
from promptsync.engine.keeping import check_retention
from promptsync.errors import ConfigError
from promptsync.webhook.listener import replace_authenticator
from promptsync.webhook.signature import Authenticator

_ACCESS: Final = frozenset({"secrets", "basic_auth", "headers"})
LIVE: Final = {
    "webhook": _ACCESS,
    "nightly": None,
    "qlara": None,
    "customerio": frozenset(
        {"every", "location", "endpoint", "region", "access_key", "secret_key", "password", "private_key"}
        | {"known_hosts", "allowed_hosts", "check_md5", "downloads", "delete_after_load", "move_after_load"}
    ),
    "backup": None,
    "retention": None,
    "alerts": None,
}
"""By section the keys that change at once; None: all of them. ``[browse]`` is the pages', who look at it themselves."""

_ELSEWHERE: Final = frozenset({"browse"})
_log = structlog.get_logger()


def take_over(old: Config, new: Config) -> tuple[Config, list[str], list[str]]:
    """The configuration that is in force from now on, the keys that change with it, and those that a restart changes.

    Keys as people write them; a list of places is taken over whole or not at all, since its entries have no names, and
    so is ``[webhook]`` if part of it let nobody in.
    """
    taken: dict[str, Any] = {}
    changed, waiting = [], []
    for name in Config.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if name in _ELSEWHERE or before == after:
            continue
        keys = set(_changed_keys(before, after))
        live = LIVE.get(name, frozenset())
        if live is None or keys <= live:
            taken[name] = after
            changed += _named(name, keys) if isinstance(after, Section) else [name]
        elif isinstance(before, Section) and isinstance(after, Section):
            part = before.model_copy(update={key: getattr(after, key) for key in keys & live})
            at_once = set() if _lets_nobody_in(part) else keys & live
            taken[name] = part if at_once else before
            changed += _named(name, at_once)
            waiting += _named(name, keys - at_once)
        else:
            waiting += _named(name, keys - live) if len(before) == len(after) else [name]
    return old.model_copy(update=taken), changed, waiting


def _lets_nobody_in(section: Section) -> bool:
    """Whether it is a ``[webhook]`` that is not allowed, such as one whose secrets have gone and whose host stays."""
    if not isinstance(section, WebhookConfig):
        return False
    try:
        require_authentication(section)
    except ConfigError:
        return True
    return False


def _changed_keys(before: Any, after: Any) -> Iterator[str]:
    """The keys of a section, or of any entry of a list of them, that differ; of an entry more or less those that are
    given and say something else than their default."""
    if isinstance(before, Section) and isinstance(after, Section):
        yield from (key for key in type(after).model_fields if getattr(after, key) != getattr(before, key))
        if before.__pydantic_extra__ != after.__pydantic_extra__:
            yield from {**(before.__pydantic_extra__ or {}), **(after.__pydantic_extra__ or {})}
        return
    olds, news = ((one if isinstance(one, tuple) else (one,) if one else ()) for one in (before, after))
    for one, other in zip(olds, news, strict=False):
        yield from _changed_keys(one, other)
    for entry in (*olds[len(news) :], *news[len(olds) :]):
        fields = type(entry).model_fields
        yield from (key for key in entry.model_fields_set if getattr(entry, key) != fields[key].default)


def _named(section: str, keys: Iterable[str]) -> list[str]:
    return [f"{section}.{key}" for key in sorted(keys)]


class Reload:
    """Waits for ``asked`` and takes over what ``read`` finds. ``tasks``: names of those that the configuration has
    made; replaced by the new ones. ``turns``: by section, kept so that a run under way has its turn among new ones."""

    def __init__(self, engine: Engine, listener: web.Application, schedule: Schedule, alerts: Alerts) -> None:
        self._engine = engine
        self._listener = listener
        self._schedule = schedule
        self._alerts = alerts
        self._tasks: set[str] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def schedule_tasks(self) -> set[str]:
        """Schedule what the configuration asks for, in place of what it asked for before. Returns the names of those
        that run at other times than before, or are new."""
        tasks = list(configured_tasks(self._engine, self._turns))
        names = {task.name for task in tasks}
        for name in self._tasks - names:
            self._schedule.remove(name)
        self._tasks = names
        return {task.name for task in tasks if self._schedule.add(task)}

    async def run(self, asked: asyncio.Event, read: Callable[[], Config], manager: ServiceManager, status: str) -> None:
        """Take over a configuration each time that it is ``asked``. ``status``: what people see in between."""
        while True:
            await asked.wait()
            asked.clear()
            manager.reloading()
            try:
                await self._once(read)
            except ConfigError as error:
                _log.error("not_reloaded", reason=str(error), note="the configuration of before stays in force")
            finally:
                manager.ready(status)

    async def _once(self, read: Callable[[], Config]) -> None:
        before = self._engine.config
        new = await asyncio.to_thread(read)
        config, changed, waiting = take_over(before, new)
        access = await asyncio.to_thread(open_access, new.webhook)
        check_retention(config, self._engine.mirror.schema)
        self._engine.reconfigure(config)
        try:
            anew = self.schedule_tasks() if changed else set()
        except ConfigError:
            self._engine.reconfigure(before)
            raise
        if not _ACCESS & set(_changed_keys(config.webhook, new.webhook)):  # else all of it waits
            replace_authenticator(self._listener, authenticator_of(access))
        self._alerts.ping = config.alerts.healthcheck_url
        _log.info("reloaded", changed=", ".join(changed) or "secrets only")
        if waiting:
            verb = "changes" if len(waiting) == 1 else "change"
            said = f"{', '.join(waiting)} {verb} at the next start: systemctl restart promptsync"
            _log.warning("reloaded_in_part", note=said)
        if anew:
            self._schedule.run_soon(anew.intersection(await asyncio.to_thread(self._schedule.missed)))


def authenticator_of(access: WebhookAccess) -> Authenticator:
    """What a delivery is asked for."""
    return Authenticator(access.secrets, access.basic, access.headers, access.open_to_all)
