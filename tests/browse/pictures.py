"""``python -m tests.browse.pictures``: makes the README's pictures anew, from a demo of a fixed seed and day.

Needs Debian's ``chromium``. What is shown is reached by links, as a person would.
"""

import io
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from promptsync.cli.browse import browse_settings
from promptsync.config.load import load_config
from tests.browse.served_site import chromium, installed, served

FOLDER = Path(__file__).parents[2] / ".readme"
SIZE = "--seed", "1", "--contacts", "3000", "--messages", "40000"
DAY = "2026-11-18"
PRESENT = datetime(2026, 11, 18, 10, 5, tzinfo=UTC)  # the demo's day is two hours old in Los Angeles
LARGEST = 200_000
WIDTH = 1280
SHOWN = (
    ("home", "/", "", 860),
    ("broadcast", "/-/broadcasts", ".list tbody tr:nth-child(3) a", 1130),
    ("person", "/-/people?sort=active", ".list tbody tr:nth-child(1) a", 860),
)
"""The pages' names, where the link is that leads there, and how much of each is shown, in pixels."""


def main() -> None:
    path = installed()
    if path is None:
        sys.exit("Chromium is missing; install it: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        demo = Path(scratch) / "demo"
        subprocess.run([sys.executable, "-m", "promptsync", "demo", demo, "--once", "--today", DAY, *SIZE], check=True)
        settings = browse_settings(load_config(demo / "promptsync.toml"), port=0)
        with served(settings, lambda: PRESENT) as home, chromium(path) as browser:
            page = browser.new_page(color_scheme="light")
            for name, start, link, height in SHOWN:
                page.set_viewport_size({"width": WIDTH, "height": height})
                page.goto(home + start)
                if link:
                    page.click(link)
                    page.wait_for_load_state()
                keep(page, name)


def keep(page: Page, name: str) -> None:
    """Keep what the window shows, in a palette of 256 colours."""
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    file = FOLDER / f"{name}.png"
    shown.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    if size > LARGEST:
        sys.exit(f"{file} has {size} bytes, more than {LARGEST}: show less of the page.")
    print(f"{file.name}: {shown.width} x {shown.height}, {size} bytes, {page.url}")


if __name__ == "__main__":
    main()
