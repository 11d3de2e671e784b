"""A mirror with a configured place of Customer.io's change sets, and small files to put there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fetch_home import QUICK

from promptsync.clock import MICROS
from promptsync.config import Config, load_config
from promptsync.engine.engine import Engine
from promptsync.fetch.run import FetchReport, FetchSettings, fetch_source
from promptsync.fetch.sources import sources_of
from promptsync.places.plan import FetchOptions

SEQUENCE = 241600000000000000


def metrics(delivery: str, sequence: int, count: int = 3) -> pa.Table:
    """Events of one delivery; the same events again, with another sequence, are newer versions."""
    return pa.table(
        {
            "event_id": [f"{delivery}-{number}" for number in range(count)],
            "workspace_id": [7] * count,
            "delivery_id": [delivery] * count,
            "metric": [f"opened-{sequence}"] * count,
            "seq_num": [sequence * 1000 + number for number in range(count)],
        }
    )


def content(delivery: str, size: int) -> pa.Table:
    """The content of one delivery, with a body of so many bytes."""
    columns = {"delivery_id": delivery, "type": "email", "subject": "Hello", "body": "x" * size}
    return pa.table({name: [value] for name, value in ({"workspace_id": 7} | columns).items()})


class ChangesHome:
    """``place``: the folder that files are put to. ``now``: microseconds; a test may set it."""

    def __init__(self, folder: Path, more: str = "", location: str | None = None) -> None:
        self.place = folder / "bucket"
        self.place.mkdir()
        self.folder = folder
        self.file = folder / "promptsync.toml"
        self.location = location or str(self.place)
        self.now = 1_771_000_000 * MICROS
        self.configure(more)

    def configure(self, more: str) -> None:
        self.file.write_text(
            f'[mirror]\ndatabase = "data/mirror.db"\n[webhook]\nport = 0\nallow_unauthenticated = true\n'
            f'[[customerio]]\nlocation = "{self.location}"\n{more}\n'
        )

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        with Engine(self.config, lambda: self.now) as engine:
            yield engine

    def put(self, stem: str, sequence: int, rows: pa.Table, below: str = "data/out") -> Path:
        """A file of so many thousand after the first sequence."""
        path = self.place / below / f"{stem}_v5_7_{SEQUENCE + sequence}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, path, write_statistics=False)
        return path

    def put_metrics(self, *sequences: int) -> list[Path]:
        """Files of metrics, each of the same events."""
        return [self.put("metrics", one, metrics("d", one)) for one in sequences]

    def fetch(
        self,
        engine: Engine,
        settings: FetchSettings = QUICK,
        options: FetchOptions = FetchOptions(),  # noqa: B008
    ) -> FetchReport:
        (source,) = sources_of(engine.config)
        return fetch_source(engine, source, options, settings=settings)

    @property
    def files(self) -> list[str]:
        """What lies at the place."""
        return sorted(str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file())

    @property
    def leftovers(self) -> list[str]:
        """What lies in the folder of downloads."""
        root = self.folder / "data" / "incoming"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
