"""Requests per second of the listener beside an aiohttp handler that does nothing, in one run on one machine.

Run by hand: ``python tests/bench/bench_listener.py --seconds 5``. The client is a process of its own with 64 keep-alive
connections, lean enough (bare asyncio) that the server is what is measured; both servers get the same signed request
in turn. Prints both figures and their ratio (at least 0.5).
"""

import argparse
import asyncio
import hmac
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

from aiohttp import web

from promptsync.model.delivery import Delivery
from promptsync.webhook.listener import ListenerSettings, build_listener, listener_runner
from promptsync.webhook.signature import Authenticator

END = "\r\n"
SECRET = b"It's a Secret to Everybody"
PATH = "/hooks/prompt/message/added"
BODY = (
    b'{"orgId":1234,"message":{"id":987654321,"body":"Thanks, see you on Tuesday at 6!","direction":"INBOUND",'
    b'"createdTimestamp":1711114892361,"createdDate":"2024-03-22T15:21:32.361Z","status":"RECEIVED"},"interaction":'
    b'{"id":5551,"lastUpdatedTimestamp":1711114892361},"customer":{"id":3,"displayName":"Jane Doe","channels":'
    b'[{"identityType":"SMS","key":"+15551234567"}],"tags":[],"globalOptOut":false}}'
)
HEADERS = {
    "Content-Type": "application/json",
    "Prompt-EventType": "message/added",
    "X-Hub-Signature": "sha1=" + hmac.digest(SECRET, BODY, "sha1").hex(),
    "Content-Length": str(len(BODY)),
    "Host": "127.0.0.1",
    "User-Agent": "bench",
}
REQUEST = f"POST {PATH} HTTP/1.1\r\n{''.join(f'{name}: {value}{END}' for name, value in HEADERS.items())}\r\n".encode()
REQUEST += BODY


async def take_at_once(delivery: Delivery) -> int:
    """An intake that costs nothing: what is left is the listener itself."""
    return len(delivery.path)


async def serve(runner: web.AppRunner) -> int:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


def nothing_runner() -> web.AppRunner:
    async def nothing(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post(PATH, nothing)
    return web.AppRunner(app, access_log=None)


def listening_runner() -> web.AppRunner:
    settings = ListenerSettings("/hooks/prompt", Authenticator(secrets=(SECRET,)))
    return listener_runner(build_listener(settings, take_at_once))


class Sender(asyncio.Protocol):
    """Sends the request again as soon as it was answered; counts the answers."""

    def __init__(self) -> None:
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"answered {data[:60]!r}")
        self.answered += 1
        self.transport.write(REQUEST)


async def load(port: int, seconds: float, connections: int) -> float:
    """Requests per second over ``connections`` keep-alive connections."""
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    senders = [(await loop.create_connection(Sender, "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(seconds)
    rate = sum(sender.answered for sender in senders) / (time.perf_counter() - start)
    for sender in senders:
        sender.transport.abort()
    return rate


def client(pipe: Connection, connections: int) -> None:
    """Works off (port, seconds) until None comes, answering each with a rate."""
    while (job := pipe.recv()) is not None:
        pipe.send(asyncio.run(load(*job, connections)))


Figures = dict[str, list[float]]
"""Of each server what each round gave."""


async def measure(
    runners: dict[str, web.AppRunner], seconds: float, rounds: int, connections: int = 64
) -> tuple[Figures, Figures]:
    """Runs the servers in turn, so that a busy machine hits all alike; returns requests per second, and microseconds of
    processor time for each."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=client, args=(there, connections))
    process.start()
    ports = {name: await serve(runner) for name, runner in runners.items()}
    rates: Figures = {name: [] for name in runners}
    cpu: Figures = {name: [] for name in runners}
    for _ in range(rounds):
        for name, port in ports.items():
            here.send((port, seconds))
            before = time.process_time()
            rate = await asyncio.to_thread(here.recv)
            rates[name].append(rate)
            cpu[name].append((time.process_time() - before) / (rate * seconds) * 1e6)
    here.send(None)
    await asyncio.to_thread(process.join)
    for runner in runners.values():
        await runner.cleanup()
    return rates, cpu


def report(rates: Figures, cpu: Figures) -> None:
    """Medians; on a busy machine the ratio by CPU time is the one to read."""
    rate = {name: statistics.median(values) for name, values in rates.items()}
    cost = {name: statistics.median(values) for name, values in cpu.items()}
    for name in rate:
        print(f"{name:10} {rate[name]:8.0f} requests/s   {cost[name]:5.0f} us of CPU a request")
    by_rate, by_cpu = rate["listener"] / rate["nothing"], cost["nothing"] / cost["listener"]
    print(f"{'ratio':10} {by_rate:8.2f}              {by_cpu:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    runners = {"nothing": nothing_runner(), "listener": listening_runner()}
    report(*asyncio.run(measure(runners, options.seconds, options.rounds, options.connections)))


if __name__ == "__main__":
    main()
