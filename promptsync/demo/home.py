"""The demonstration's folder and processes: a configuration, a daemon, pages to browse.

Owns what is started and stopped, and what is left behind. The daemon and the pages are the real commands in processes
of their own, so that what is shown, and what is killed, is what a user runs. Imports little, since a visitor waits.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from promptsync.daemon.client import ask_daemon, daemon_runs
from promptsync.errors import ConfigError, Unavailable
from promptsync.whole_file import write_whole

PULLED = "pulled"
"""Below the demonstration's folder: a mirror that is pulled out of a lake, with its configuration."""
_MARK = "demo.json"
_START_SECONDS = 60.0
_CONFIG = """\
# Written by 'promptsync demo'; the next run in this folder writes it anew.
[webhook]
port = {port}
secrets = [{{ file = "webhook.secret" }}]

[drop]
settle = "0.3 seconds"
rescan = "1 second"

[qlara]
base_url = "{qlara}"
api_key = {{ file = "qlara.key" }}
allowed_hosts = ["127.0.0.1"]

[browse]
port = {browse_port}
anonymous = true

[log]
level = "warning"
"""


_LAKE_CONFIG = """\
# Written by 'promptsync demo --lake'; the next run in this folder writes it anew.
[webhook]
port = {port}
secrets = [{{ file = "webhook.secret" }}]

[lake]
location = "lake"
engine = "{engine}"
master = "{master}"
buckets = 4

[log]
level = "warning"
"""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports (0: any free one), and where the simulated Qlara is and the key it lets in."""

    port: int
    browse_port: int
    qlara: str
    qlara_key: str


@dataclass(slots=True)
class Home:
    """A demonstration's folder. ``webhook`` and ``pages``: addresses, once started."""

    folder: Path
    secret: bytes = b""
    webhook: str = ""
    pages: str = ""
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _readers: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def config_file(self) -> Path:
        """The configuration of both processes."""
        return self.folder / "promptsync.toml"

    @property
    def browsable(self) -> Path:
        """The configuration of the mirror that stays: its own, or that of one pulled out of a lake."""
        pulled = self.folder / PULLED / "promptsync.toml"
        return pulled if pulled.exists() else self.config_file

    @property
    def database(self) -> Path:
        """The mirror."""
        return self.folder / "data" / "mirror.db"

    @property
    def drop(self) -> Path:
        """The watched folder."""
        return self.folder / "drop"

    def clear(self, seed: int) -> None:
        """A fresh folder. One that holds anything but an earlier demonstration, or one that runs, is left alone:
        ConfigError. Blocking, outside an event loop."""
        try:
            if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / _MARK).exists():
                raise ConfigError(f"{self.folder} is not empty and no demonstration; name another folder.")
            if daemon_runs(self.database):
                raise ConfigError(f"A demonstration is running in {self.folder}; end it or name another folder.")
            shutil.rmtree(self.folder, ignore_errors=True)
            self.drop.mkdir(parents=True)
            (self.folder / _MARK).write_text(json.dumps({"seed": seed}))
        except OSError as error:
            raise Unavailable(f"The folder {self.folder} cannot be written ({error.strerror}).") from error

    def prepare(self, addresses: Addresses) -> None:
        """A configuration and secrets, in a folder that was cleared."""
        try:
            self.config_file.write_text(_CONFIG.format_map(asdict(addresses)))
            self.secret = secrets.token_hex(20).encode()
            for name, value in (("webhook.secret", self.secret), ("qlara.key", addresses.qlara_key.encode())):
                write_whole(self.folder / name, value)
        except OSError as error:
            raise Unavailable(f"The folder {self.folder} cannot be written ({error.strerror}).") from error

    async def start_daemon(self) -> None:
        """Start ``promptsync run`` and wait until it listens."""
        line = await self._start("run", "Listening for webhooks at ")
        self.webhook = line

    async def start_pages(self, listener: socket.socket) -> None:
        """Start ``promptsync browse`` on a listening socket, which it has from then on, and wait until it serves: as
        soon as there is a daemon."""
        try:
            number = listener.fileno()
            self.pages = await self._start("browse", "Open ", "--fd", str(number), keeps=(number,))
        finally:
            listener.close()

    def prepare_lake(self, port: int, engine: str, master: str) -> None:
        """The configuration of a lake instead, and the webhook's secret."""
        try:
            self.config_file.write_text(_LAKE_CONFIG.format(port=port, engine=engine, master=master))
            self.secret = secrets.token_hex(20).encode()
            write_whole(self.folder / "webhook.secret", self.secret)
        except OSError as error:
            raise Unavailable(f"The folder {self.folder} cannot be written ({error.strerror}).") from error

    async def start_listener(self) -> None:
        """Start ``promptsync listen`` and wait until it listens."""
        self.webhook = await self._start("listen", "Listening for webhooks at ")

    async def run_lake(self, *options: str, environment: Mapping[str, str] | None = None) -> str:
        """``promptsync lake`` with these options; returns its output. Raises ConfigError, Unavailable."""
        arguments = [sys.executable, "-m", "promptsync", "--config", str(self.config_file.absolute()), "lake", *options]
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env={**os.environ, **(environment or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complained = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        if process.returncode:
            why = complained.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("promptsync: ")
            raise (ConfigError if process.returncode == 2 else Unavailable)(why)
        return said.decode()

    def size(self) -> int:
        """Bytes of all files that are there."""
        return sum(path.lstat().st_size for path in self.folder.rglob("*") if path.is_file())

    def ask(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Have the daemon run an operation, as any command does. Blocking. Raises what it raised."""
        return ask_daemon(self.database, operation, params, lambda _: None)

    async def kill_daemon(self) -> None:
        """SIGKILL, as a power failure would."""
        daemon = self._running.pop("run")
        daemon.kill()
        await daemon.wait()

    async def stop(self) -> None:
        """Let both end in an orderly way."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            await process.wait()
        await asyncio.gather(*self._readers)
        self._running.clear()

    async def _start(self, command: str, announces: str, *options: str, keeps: tuple[int, ...] = ()) -> str:
        config = str(self.config_file.absolute())
        arguments = [sys.executable, "-m", "promptsync", "--config", config, command, *options]
        process = await asyncio.create_subprocess_exec(
            *arguments, stdout=asyncio.subprocess.PIPE, stderr=None, start_new_session=True, pass_fds=keeps
        )
        self._running[command] = process
        assert process.stdout is not None  # noqa: S101  asked for above
        try:
            async with asyncio.timeout(_START_SECONDS):
                while line := (await process.stdout.readline()).decode():
                    if line.startswith(announces):
                        self._readers.append(asyncio.create_task(_drain(process.stdout)))
                        return line.removeprefix(announces).strip()
        except TimeoutError:
            process.kill()
        raise Unavailable(f"'promptsync {command}' did not start; what it said is above.")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass
