"""The daemon: one process, one event loop, one writer.

Owns the assembly of listener, applier, drop folder, schedule and control socket, and the order of starting and
draining: what was accepted is finished, what was stored is applied, then the mirror is closed.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import NoReturn

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from promptsync.clock import Clock, system_clock
from promptsync.config import Config, open_access
from promptsync.daemon.alerts import Alerts
from promptsync.daemon.applying import Applying
from promptsync.daemon.client import daemon_runs, socket_path
from promptsync.daemon.control import build_control, remove_socket, start_control
from promptsync.daemon.health import Health, health_routes
from promptsync.daemon.logs import log_unhandled, report
from promptsync.daemon.metrics import Latencies
from promptsync.daemon.notify import ServiceManager
from promptsync.daemon.refused import RefusedKeeper
from promptsync.daemon.reload import Reload, authenticator_of
from promptsync.daemon.schedule import Every, Schedule, Task
from promptsync.daemon.supervise import Supervisor, cause, leaves
from promptsync.daemon.tasks import (
    SearchKeeper,
    plugin_tasks,
    spellings_task,
    write_down,
)
from promptsync.daemon.wall_clock import ClockWatch
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.intake import DropIntake
from promptsync.engine.engine import Engine
from promptsync.errors import MirrorLocked, Unavailable
from promptsync.loading.small_runs import SMALL_BYTES
from promptsync.store.inbox import Inbox
from promptsync.webhook.listener import (
    STATE,
    ListenerSettings,
    build_listener,
    listen_on,
    listener_runner,
    stop_accepting,
)
from promptsync.webhook.signature import Authenticator

_log = structlog.get_logger()
_DRAIN_SECONDS = 20.0
_APPLY_SECONDS = 4.0  # that stored deliveries get to be applied; the rest waits for the next start
_FILE_SECONDS = 6.0  # that a file which is being loaded gets to be finished
_WRITER_SECONDS = 300.0  # within which the writer turns: taking over a large first snapshot is a single transaction


@dataclass(slots=True)
class Daemon:
    """A daemon that is up. ``address``: of the webhook. ``stopped``: set when it should end, or has to. ``changed``:
    set when it should read its configuration anew."""

    engine: Engine
    address: str = ""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None


async def run_daemon(
    config: Config,
    *,
    clock: Clock = system_clock,
    ready: Callable[[Daemon], None] = lambda _: None,
    tracebacks: bool = False,
    read: Callable[[], Config] | None = None,
) -> None:
    """Run until SIGTERM or SIGINT (drains within 20 s, a second signal ends it at once), or until the mirror breaks.

    ``ready`` is called once everything listens, and the service manager is notified, if there is one. ``tracebacks``:
    of unforeseen errors, whose messages can hold what was received; without it their type and place are logged.
    ``read``: reads the configuration anew, which SIGHUP asks for; without it SIGHUP is not listened for.
    Raises the PromptsyncError that kept it from starting or ended it.
    """
    access = open_access(config.webhook)
    loop = asyncio.get_running_loop()
    log_unhandled(loop, tracebacks)
    daemon_box: list[Daemon] = []

    def broken(error: Exception) -> None:
        loop.call_soon_threadsafe(_fail, loop, daemon_box, error)

    manager = ServiceManager.of(os.environ, os.getpid())
    if await asyncio.to_thread(daemon_runs, config.mirror.database):
        raise MirrorLocked("Another daemon is writing this mirror; stop it or try again later.")
    engine = await asyncio.to_thread(Engine, config, clock, broken)
    daemon = Daemon(engine)
    daemon_box.append(daemon)
    _on_signals(loop, daemon, reload=read is not None)
    try:
        async with asyncio.TaskGroup() as tasks:
            parts = _Parts(daemon, config, clock, tasks, Supervisor(broken, tracebacks))
            try:
                await parts.start(authenticator_of(access))
                if read is not None:
                    parts.reload_when_asked(read, manager)
                beats = tasks.create_task(manager.watch(lambda: _writer_turns(engine), "The writer hangs."))
                manager.ready(_status(daemon))
                ready(daemon)
                await daemon.stopped.wait()
                manager.stopping(str(daemon.failure or "Finishing what is under way"))
                beats.cancel()
                await parts.stop()
            finally:
                await parts.hang_up()
    except ExceptionGroup as group:
        ended_by = cause(group)
        if ended_by is group:
            for error in leaves(group):
                report(error, "the daemon ends", tracebacks)
        raise ended_by from group
    finally:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await asyncio.to_thread(engine.close)
        finally:
            if daemon.failure is not None:
                raise daemon.failure  # the cause of whatever else went wrong


class _Parts:
    """Everything that runs on the loop."""

    def __init__(
        self, daemon: Daemon, config: Config, clock: Clock, tasks: asyncio.TaskGroup, supervisor: Supervisor
    ) -> None:
        self._supervisor = supervisor
        self._daemon = daemon
        self._config = config
        self._engine = daemon.engine
        self._tasks = tasks
        self._work = asyncio.Event()
        self._work.set()
        self._registry = CollectorRegistry()
        self._latencies = Latencies(self._registry)
        self._inbox = Inbox(
            self._engine.mirror, clock, self._work.set, self._latencies.committed, self._engine.suppression.delivery
        )
        self._schedule = Schedule(self._engine.mirror, clock)
        intake = self._intake = DropIntake(self._engine)
        drop, age = _drop_settings(config), self._engine.age
        self._drop = DropFolder(drop, intake, clock, age, intake.missing_end, intake.moved)
        self._background: list[asyncio.Task[None]] = []
        self._runners: list[web.AppRunner] = []
        self._search = SearchKeeper(self._engine)

    async def start(self, authenticator: Authenticator) -> None:
        webhook = self._config.webhook
        app = build_listener(ListenerSettings(webhook.path, authenticator, webhook.max_body), self._inbox.store)
        self._app = app
        health = Health(self._engine, app, self._drop, self._registry)
        control = build_control(self._engine, app[STATE])
        control.add_routes(health_routes(health))
        if webhook.health:
            app.add_routes(health_routes(health))
        runner = listener_runner(app)
        await runner.setup()
        self._runners.append(runner)
        self._daemon.address = await listen_on(runner, webhook.host, webhook.port, webhook.path)
        path = socket_path(self._config.mirror.database)
        self._runners.append(await start_control(control, path))
        applying = Applying(self._engine, self._inbox, self._work, self._latencies, self._search)
        work = {"applying": applying.run, "search": self._search.run, "drop folder": self._take_dropped}
        work["unfinished files"] = self._finish_files
        self._refused = RefusedKeeper(app[STATE], self._engine.mirror, self._engine.clock)
        work["oversized deliveries"] = self._refused.run_too_large
        work["refused deliveries"] = self._refused.run_shut_out
        work["clock"] = ClockWatch(self._schedule.compute_anew).run
        keep_up = self._supervisor.keep_up
        self._background = [self._tasks.create_task(keep_up(name, run)) for name, run in work.items()]
        self._schedule.add(Task("search", Every(timedelta(minutes=10)), self._search.catch_up))
        alerts = Alerts(health.problems, self._config.alerts.healthcheck_url)
        self._schedule.add(alerts.task())
        for task in plugin_tasks(self._engine.plugins, self._config):
            self._schedule.add(task)
        self._engine.plugins.start()
        self._reload = Reload(self._engine, app, self._schedule, alerts)
        self._reload.schedule_tasks()
        self._schedule.add(spellings_task(app[STATE], self._engine.mirror))
        self._schedule.start([alerts.task().name, *await asyncio.to_thread(self._schedule.missed)])
        _log.info("listening", address=self._daemon.address, drop=str(self._config.drop.folder))

    def reload_when_asked(self, read: Callable[[], Config], manager: ServiceManager) -> None:
        """Take over what ``read`` finds whenever the daemon is asked to."""
        asked, status = self._daemon.changed, _status(self._daemon)
        run = partial(self._reload.run, asked, read, manager, status)
        self._background.append(self._tasks.create_task(self._supervisor.keep_up("reload", run)))

    async def stop(self) -> None:
        """Refuse new deliveries, finish what is under way, apply what is stored."""
        _log.info("draining")
        stop_accepting(self._app)
        self._engine.stopping.set()
        self._engine.mirror.writer.hurry()
        self._schedule.close()
        for task in self._background:
            task.cancel()
        _, left = await asyncio.wait(self._background, timeout=_FILE_SECONDS)
        if left:
            self._engine.loader.stop()
        await self.hang_up()
        if self._daemon.failure is None:
            finish, engine = self._supervisor.finish, self._engine
            state = self._app[STATE]
            await finish("observations", lambda: write_down(state, engine.mirror))
            await finish("refused deliveries", self._refused.finish)
            await finish("deliveries", lambda: asyncio.to_thread(engine.apply_pending, _APPLY_SECONDS))

    async def hang_up(self) -> None:
        """Listen no more and start nothing more. Calling it twice is harmless."""
        self._schedule.close()
        for runner in self._runners:
            await self._supervisor.finish("hanging up", runner.cleanup)
        if self._runners:
            remove_socket(socket_path(self._config.mirror.database))

    async def _take_dropped(self) -> None:
        """Take files from the drop folder, after a look at what a killed process had moved."""
        with suppress(Unavailable):  # the folder can be read without it
            await self._intake.find_moved()
        await self._drop.run()

    async def _finish_files(self) -> None:
        """Finish the files that a killed process was loading by hand."""
        requests = await asyncio.to_thread(self._engine.unfinished)
        for request in requests:
            await asyncio.to_thread(list, self._engine.load([request]))


def _status(daemon: Daemon) -> str:
    return f"Listening for webhooks at {daemon.address}"


def _drop_settings(config: Config) -> DropSettings:
    drop = config.drop
    settle, rescan, patience = (each.total_seconds() for each in (drop.settle, drop.rescan, drop.patience))
    return DropSettings(drop.folder, settle, rescan, patience=patience, small=SMALL_BYTES)


def _on_signals(loop: asyncio.AbstractEventLoop, daemon: Daemon, *, reload: bool) -> None:
    def stop(number: signal.Signals) -> None:
        if daemon.stopped.is_set():
            _end_at_once(number.name)
        daemon.stopped.set()
        loop.call_later(_DRAIN_SECONDS, _end_at_once, "draining took too long")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    if reload:
        loop.add_signal_handler(signal.SIGHUP, daemon.changed.set)


def _end_at_once(why: str, code: int = 1) -> NoReturn:
    """Without waiting for any thread: what was answered is on disk, the rest is taken up at the next start."""
    _log.warning("ended_at_once", why=why)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be closed, full or without a reader
            stream.flush()
    os._exit(code)


def _writer_turns(engine: Engine) -> bool:
    return time.monotonic() - engine.mirror.writer.last_turn < _WRITER_SECONDS


def _fail(loop: asyncio.AbstractEventLoop, daemons: list[Daemon], error: Exception) -> None:
    """End the daemon, by force if some thread cannot be ended."""
    for daemon in daemons:
        if daemon.failure is None:
            daemon.failure = error
            daemon.stopped.set()
            loop.call_later(_DRAIN_SECONDS, _end_at_once, "the mirror is broken and ending took too long", 3)
            _log.error("mirror_broken", error=str(error))
