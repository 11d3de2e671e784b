"""What becomes of a file in the drop folder: loaded, waited for, passed over or held.

Owns the step from the loader's report to the folder's outcome. Beside plain stability it knows one more sign of a file
that is still being written: a parquet file without its end, which is waited for as long as something may still come.
"""

import asyncio
from pathlib import Path
from typing import Final

from promptsync.clock import MICROS
from promptsync.engine import Engine
from promptsync.formats.change_set_names import is_ignored
from promptsync.formats.limits import Limits
from promptsync.formats.parquet_proof import has_footer
from promptsync.ingest.file_report import DROP
from promptsync.ingest.files import LoadRequest
from promptsync.sources.drop import Outcome

_PARQUET: Final = ".parquet"
_LIMITS: Final = Limits(links=False)
_WAIT_SECONDS: Final = 600
"""How long after its last change a parquet file without its end is given up."""


class DropIntake:
    """Takes files in for one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, path: Path) -> Outcome:
        """Load one file."""
        early = await asyncio.to_thread(self._too_early, path)
        if early is not None:
            return early
        engine = self._engine
        report = await asyncio.to_thread(engine.load_file, LoadRequest(path, DROP))
        if report.state == "merged" and report.inserted + report.updated and report.table:
            await asyncio.to_thread(engine.search.enter_missing, report.table)
        if report.state in ("merged", "unchanged"):
            return Outcome("done")
        return Outcome("held" if report.state in ("held", "failed") else "ignored", report.error or "")

    def _too_early(self, path: Path) -> Outcome | None:
        """What is to be done without looking into it, if anything."""
        found, is_parquet = path.stat(), path.name.lower().endswith(_PARQUET)
        if is_ignored(path.name, found.st_size if is_parquet else None):
            return Outcome("ignored")
        waited = self._engine.clock() / MICROS - found.st_mtime
        if is_parquet and waited < _WAIT_SECONDS and not has_footer(path, _LIMITS):
            return Outcome("later", "The end of this parquet file is not there yet.")
        return None
