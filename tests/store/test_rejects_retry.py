"""A retry that is killed half-way loses nothing: the next start finds the same rejects again."""

import gzip
from pathlib import Path

from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest
from promptsync.store import rejects


def test_a_killed_retry_is_finished_at_the_next_start(tmp_path: Path) -> None:
    settings = tmp_path / "promptsync.toml"
    settings.write_text('[mirror]\ndatabase = "mirror.db"\n')
    file = tmp_path / "contact_tag_3_2026-02-04T00-00-00-0800Z.csv.gz"
    rows = [f"{n},{n},vip,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,\n" for n in range(1, 300)]
    bad = "300,no number,vip,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,\n"
    header = "id,contact_id,name,created_timestamp,updated_timestamp,deleted_timestamp\n"
    file.write_bytes(gzip.compress((header + "".join(rows) + bad).encode(), mtime=0))

    def kept(engine: Engine) -> list[tuple[str, int]]:
        with engine.mirror.reading() as connection:
            return connection.execute('SELECT "class", line FROM sync_reject').fetchall()

    with Engine(load_config(settings)) as engine:
        (report,) = engine.load([LoadRequest(file, "load")])
        assert (report.state, report.rejected) == ("merged", 1), report.error
        before = kept(engine)
        with engine.mirror.reading() as connection:
            _, files = rejects.origins(connection, None)
        engine.mirror.writer.run(lambda connection: rejects.take(connection, [], list(files)))
        assert kept(engine) == []  # and here the process is killed
    with Engine(load_config(settings)) as engine:
        (report,) = engine.load(engine.unfinished())
        assert report.state == "merged"
        assert kept(engine) == before
        assert engine.unfinished() == []
