"""A mirror with configured places, and nights of a small organisation to put there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from promptsync.clock import MICROS
from promptsync.config import Config, load_config
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.time import midnight
from promptsync.demo.world.world import World
from promptsync.engine.engine import Engine
from promptsync.fetch.run import FetchReport, FetchSettings, fetch_source
from promptsync.fetch.sources import sources_of
from promptsync.places.download import Bounds
from promptsync.places.plan import FetchOptions

QUICK = FetchSettings(Bounds(attempts=3, wait=0.001, stall=5.0, total=20.0), settle=0.0)
TABLES = ("contact", "opt_out")


class Home:
    """``place``: the folder that nights are written to. ``now``: microseconds; a test may set it."""

    def __init__(self, folder: Path, location: str | None = None, more: str = "") -> None:
        self.folder = folder
        self.place = folder / "place"
        self.place.mkdir()
        self.file = folder / "promptsync.toml"
        self.file.write_text(
            f'[mirror]\ndatabase = "data/mirror.db"\n[webhook]\nport = 0\nallow_unauthenticated = true\n'
            f'[[nightly]]\nlocation = "{location or self.place}"\n{more}'
        )
        self.world = World(1, contacts=20, messages=40)
        self.now = midnight(date(2026, 2, 10)) + 10 * 3600 * MICROS

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        with Engine(self.config, lambda: self.now) as engine:
            yield engine

    def night(self, day: int, tables: tuple[str, ...] = TABLES) -> list[Path]:
        """The exports of a night of February 2026, written to the place."""
        return write_night(self.world, self.place, midnight(date(2026, 2, day)), tables)

    def fetch(self, engine: Engine, options: FetchOptions = FetchOptions()) -> FetchReport:  # noqa: B008
        (source,) = sources_of(engine.config)
        return fetch_source(engine, source, options, settings=QUICK)

    @property
    def leftovers(self) -> list[str]:
        """What lies in the folder of downloads."""
        root = self.folder / "data" / "incoming"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


MakeHome = Callable[..., Home]


def rows(engine: Engine, sql: str) -> list[tuple[object, ...]]:
    with engine.mirror.reading() as connection:
        return connection.execute(sql).fetchall()
