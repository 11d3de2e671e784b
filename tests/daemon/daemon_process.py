"""A daemon in a process of its own, and what it takes of memory and disk."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
[webhook]
port = 0
allow_unauthenticated = true
[drop]
settle = "100ms"
"""


@dataclass(frozen=True)
class Running:
    """A daemon that listens. ``database``: of its mirror."""

    process: "subprocess.Popen[str]"
    port: int
    database: Path

    @property
    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        return self.database.with_name(self.database.name + "-wal").stat().st_size

    @property
    def resident(self) -> int:
        """Bytes of memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)
        assert found
        return int(found[1]) * 1024

    async def stream(self, rate: int, seconds: float, first: int, connections: int = 8) -> int:
        """Send that many deliveries a second, whatever the answers take; returns how many were answered 200."""
        waiting: asyncio.Queue[int | None] = asyncio.Queue()
        senders = [asyncio.create_task(self._send(waiting)) for _ in range(connections)]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for n in range(int(rate * seconds)):
            await asyncio.sleep(begun + n / rate - loop.time())
            waiting.put_nowait(first + n)
        for _ in senders:
            waiting.put_nowait(None)
        return sum(await asyncio.gather(*senders))

    async def _send(self, waiting: "asyncio.Queue[int | None]") -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        stored = 0
        while (number := await waiting.get()) is not None:
            writer.write(delivery(number))
            stored += await answer(reader) == 200
        writer.close()
        await writer.wait_closed()
        return stored


@contextmanager
def daemon(folder: Path, more: str = "") -> Iterator[Running]:
    """``promptsync run`` in a folder; ended at once at the end."""
    config = folder / "promptsync.toml"
    config.write_text(CONFIG + more)
    command = [sys.executable, "-m", "promptsync", "--config", str(config), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(" ")[2].split(":")[2].split("/")[0])
            yield Running(process, port, folder / "data" / "mirror.db")
        finally:
            process.kill()


def delivery(number: int) -> bytes:
    """A request, 0.9 kB: half of them add a message, the others tell of its delivery or of one of 500 contacts."""
    if number % 10 < 5:
        path, body = "message/added", {"message": _message(number), "interaction": {"id": 7, "customerId": 3}}
    elif number % 10 < 9:
        path, body = "message/status", {"message": _message(number - 3) | {"status": "DELIVERED"}}
    else:
        path, body = "customer/modified", {"customers": [_customer(number * 7 % 500 + 1)]}
    data = json.dumps({"orgId": 1, **body, "padding": "x" * 400}).encode()
    return f"POST /hooks/prompt/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def _message(number: int) -> dict[str, object]:
    return {"id": number, "createdTimestamp": 1_774_639_484_493 + number, "content": f"text {number}", "userId": 2}


def _customer(number: int) -> dict[str, object]:
    identity = {"identityType": "SMS", "key": f"+1555{number:07}"}
    return {"id": number, "displayName": f"Jane {number}", "userType": "CUSTOMER", "channels": [identity]}


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one answer; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.I)
    assert length
    await reader.readexactly(int(length[1]))
    return int(head[9:12])
