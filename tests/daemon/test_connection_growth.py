"""Bytes that are no request, or frame one at far more than it is worth: no memory, no answers that wait."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from daemon_process import Running, daemon, delivery

HEAD = b"POST /hooks/prompt/message/added HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "no http": (b"", b"x" * 65_536),
    "a path": (b"", b"GET /" + b"a" * 65_536),
    "headers": (HEAD, b"a: b\r\n" * 11_000),
    "blank lines": (b"", b"\r\n" * 33_000),
    "more than its length": (HEAD + b"Content-Length: 2\r\n\r\n{}", b"x" * 65_536),
    "more than its chunks": (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", b"x" * 65_536),
    "no chunk": (CHUNKED, b"zz\r\n" * 16_000),
    "a size of zeros": (CHUNKED, b"0" * 65_536),
    "an extension": (CHUNKED, b"1;" + b"a" * 65_536),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n" * 11_000),
    "chunks of a byte": (CHUNKED, b"1\r\nx\r\n" * 11_000),
    "behind an upgrade": (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"x" * 65_536),
    "behind a tunnel": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 65_536),
}
SENT = 48 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with daemon(tmp_path_factory.mktemp("growth")) as running:
        asyncio.run(running.stream(100, 1, first=1_000))
        yield running


def send_until_closed(port: int, head: bytes, piece: bytes, most: int) -> int:
    """Bytes sent until the other side ended it. Raises AssertionError if it took them all."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        try:
            connection.sendall(head)
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
        except ConnectionError:
            return sent
    raise AssertionError("everything was read")


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_connection_ends_and_the_memory_stays(running: Running, kind: str) -> None:
    """Without the bound 48 MiB of these take some 50 MiB of memory, or as long as somebody sends them."""
    before, sent = running.resident, 0
    while sent < SENT:
        sent += send_until_closed(running.port, *ENDLESS[kind], SENT) + 65_536
        if kind == "chunks of a byte" and sent > SENT // 8:  # these cost the machine more
            break
    assert running.resident - before < 12 << 20
    with socket.create_connection(("127.0.0.1", running.port), 20) as connection:
        connection.sendall(delivery(7))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
