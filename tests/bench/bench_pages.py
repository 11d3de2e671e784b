"""What the pages cost the server: processor time of each, median and least of several times it is asked for.

Run by hand, over a mirror of the size that matters, or over one that is made by the demo at the given size:
``python -m tests.bench.bench_pages --mirror DIR/data/mirror.db``. Processor time is this process's, all threads, so
that a busy machine changes it little; nothing is sent over a network. The person is the one who wrote last, the
broadcast the newest, found by the links of the pages.
"""

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.vendors import declared_schema

PAGES = (
    "/",
    "/-/people",
    "/-/people?sort=active",
    "/-/people?sort=active&tag=Volunteer",
    "/-/people?out=only",
    "/-/messages?way=in",
    "/-/messages?way=failed",
    "/-/broadcasts",
    "/-/opt-outs",
    "/-/delivery",
    "/-/sending",
    "/-/team",
    "/-/freshness",
    "/-/freshness.json",
    "/-/search?q=thank",
    "/-/search?q=555",
    "/mirror",
    "/mirror/message",
    "/mirror/contact",
)
LINKED = (
    ("/", r'href="(/-/contact/\d+)'),
    ("/-/broadcasts", r'href="(/-/broadcast/\d+)"'),
)
PARTS = ("/failed", "/replied", "/silent")


async def ask(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """An answer, which must be a page."""
    answer = await client.get(path)
    if answer.status_code not in (200, 503):
        raise SystemExit(f"{path} answers {answer.status_code}")
    return answer


async def measure(site: MirrorDatasette, rounds: int) -> None:
    """Print milliseconds of each page, after one time that warms caches."""
    transport = httpx.ASGITransport(app=site.client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        paths = list(PAGES)
        for page, pattern in LINKED:
            if found := re.search(pattern, (await ask(client, page)).text):
                link = unescape(found[1])
                paths += [link, *(link + part for part in PARTS if "broadcast" in link)]
        print(f"{'page':32} {'least':>8} {'median':>8}   ms of CPU")
        for path in paths:
            await ask(client, path)
            spent = []
            for _ in range(rounds):
                began = time.process_time()
                await ask(client, path)
                spent.append(1000 * (time.process_time() - began))
            print(f"{path:32} {min(spent):8.1f} {statistics.median(spent):8.1f}", flush=True)


def made_by_the_demo(folder: Path, contacts: int, messages: int) -> Path:
    """A mirror of a simulated account."""
    sizes = ("--contacts", str(contacts), "--messages", str(messages))
    command = [sys.executable, "-m", "promptsync", "--quiet", "demo", str(folder / "demo"), "--once", *sizes]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "demo" / "data" / "mirror.db"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, help="one that is there")
    parser.add_argument("--contacts", type=int, default=5_000)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = options.mirror or made_by_the_demo(Path(folder), options.contacts, options.messages)
        zone = ZoneInfo("America/Los_Angeles")
        site = build_datasette(BrowseSettings(database, declared_schema(), zone, anonymous=True))
        try:
            asyncio.run(measure(site, options.rounds))
        finally:
            close(site)


if __name__ == "__main__":
    main()
