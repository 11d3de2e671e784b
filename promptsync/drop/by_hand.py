"""A person's word on a file that was held or ignored: merge it as it is, or have done with it.

Owns what becomes of the file itself. One that is in the drop folder is taken out of ``held`` when it is accepted, and
deleted when it is discarded, as is our copy of a fetched one; any other is left where its owner has it.
"""

from pathlib import Path

from promptsync.clock import parse_iso
from promptsync.drop.archive import remove, take_back
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, Unavailable
from promptsync.loading.files import LoadRequest
from promptsync.loading.report import BY_HAND, FileReport
from promptsync.model.file_name import FileName
from promptsync.store import ledger, overview
from promptsync.store.slices import Progress


def accept(engine: Engine, file_id: int, progress: Progress = lambda *_: None) -> FileReport:
    """Merge a held file as it is. Raises ConfigError for an unknown number, Unavailable if the file is gone."""
    file = _file(engine, file_id)
    path = Path(file.path or "")
    if file.path is None or not path.exists():
        raise Unavailable(f"{file.name} is not at {file.path} any more: put it back, or load it from where it is now.")
    name = None
    if file.source == BY_HAND and file.table and file.as_of:
        name = FileName(file.table, file.org_id, parse_iso(file.as_of))
    (report,) = engine.load([LoadRequest(path, BY_HAND, name, accept=True)], progress)
    below = _below(engine.config.drop.folder, path)
    if report.state in ("merged", "unchanged") and below and below.startswith("held/"):
        take_back(engine.config.drop.folder, below, below.removeprefix("held/"))
    return report


def discard(engine: Engine, file_id: int) -> bool:
    """Have done with a file; whether it was deleted. Raises ConfigError for an unknown number, Unavailable if it cannot
    be deleted."""
    file = _file(engine, file_id)
    gone = False
    if file.path is not None:
        path = Path(file.path)
        below = _below(engine.config.drop.folder, path)
        if below is not None:
            gone = remove(engine.config.drop.folder, below)
        elif path.is_relative_to(engine.mirror.folder):
            gone = remove(engine.mirror.folder, str(path.relative_to(engine.mirror.folder)))
    engine.mirror.writer.run(lambda connection: ledger.discard_file(connection, file_id))
    return gone


def _file(engine: Engine, file_id: int) -> overview.LedgerFile:
    with engine.mirror.reading() as connection:
        file = overview.held_file(connection, file_id)
    if file is None:
        raise ConfigError(f"There is no file {file_id} that waits for a word; 'promptsync files list' shows them.")
    return file


def _below(root: Path, path: Path) -> str | None:
    """The name below the drop folder; None if it is not in there."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else None
