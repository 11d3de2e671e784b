"""The demonstration's folder and processes: a configuration, a daemon, pages to browse, files to drop.

Owns what is started and stopped, and which files are put into the drop folder when. The daemon and the pages are the
real commands in processes of their own, so that what is shown, and what is killed, is what a user runs.
"""

import asyncio
import contextlib
import json
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from promptsync.daemon.client import ask_daemon
from promptsync.demo.customerio.files import CioFile, Syncs, write
from promptsync.demo.prompt.days import Night
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.world import World
from promptsync.errors import ConfigError, Unavailable

_MARK = "demo.json"
_START_SECONDS = 20.0
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
    def database(self) -> Path:
        """The mirror."""
        return self.folder / "data" / "mirror.db"

    @property
    def drop(self) -> Path:
        """The watched folder."""
        return self.folder / "drop"

    def prepare(self, seed: int, addresses: Addresses) -> None:
        """A fresh folder. One that holds anything but an earlier demonstration is left alone: ConfigError."""
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / _MARK).exists():
            raise ConfigError(f"{self.folder} is not empty and no demonstration; name another folder.")
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.drop.mkdir(parents=True)
            (self.folder / _MARK).write_text(json.dumps({"seed": seed}))
            self.config_file.write_text(_CONFIG.format_map(asdict(addresses)))
            self.secret = secrets.token_hex(20).encode()
            for name, value in (("webhook.secret", self.secret), ("qlara.key", addresses.qlara_key.encode())):
                secret = self.folder / name
                secret.touch(mode=0o600)
                secret.write_bytes(value)
        except OSError as error:
            raise Unavailable(f"The folder {self.folder} cannot be written ({error.strerror}).") from error

    async def start_daemon(self) -> None:
        """Start ``promptsync run`` and wait until it listens."""
        line = await self._start("run", "Listening for webhooks at ")
        self.webhook = line

    async def start_pages(self) -> None:
        """Start ``promptsync browse`` and wait until it serves."""
        self.pages = await self._start("browse", "Open ")

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

    async def _start(self, command: str, announces: str) -> str:
        arguments = [sys.executable, "-m", "promptsync", "--config", str(self.config_file.absolute()), command]
        process = await asyncio.create_subprocess_exec(
            *arguments, stdout=asyncio.subprocess.PIPE, stderr=None, start_new_session=True
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


class Drops:
    """Files for one watched folder. ``nights``, ``change_sets``: what was dropped so far."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._syncs = Syncs(world)
        self._paths: list[Path] = []
        self.nights: list[Night] = []

    @property
    def change_sets(self) -> list[CioFile]:
        """Every Customer.io file, whatever its order of arrival."""
        return self._syncs.made

    def days(self, nights: list[Night], begin: int, end: int) -> int:
        """Drops what comes while days are lived through; returns the number of files. Raises Unavailable."""
        waves = self._syncs.days(begin, end)
        before = len(self._paths)
        for wave, night in zip_longest(waves, nights):
            self._sync(wave or [])
            if night is not None:
                self._paths += write_night(self._world, self._folder, night.as_of)
                self.nights.append(night)
        return len(self._paths) - before

    def more(self, end: int) -> int:
        """Drops what changed in Customer.io since the sync before; returns the number of files. Raises Unavailable."""
        made = self._syncs.sync(end)
        self._sync(made)
        return len(made)

    def left(self) -> int:
        """How many files lie there still."""
        self._paths = [path for path in self._paths if path.exists()]
        return len(self._paths)

    def _sync(self, wave: list[CioFile]) -> None:
        """One sync; before each, the vendor proves with an empty file that it may write."""
        folder = self._folder / "customerio"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cio-validate").touch()
        except OSError as error:
            raise Unavailable(f"Make it possible to write {folder}: {error.strerror or error}.") from error
        self._paths += [write(file, folder) for file in wave]
