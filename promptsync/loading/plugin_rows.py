"""The rows of nightly files as plugins' filters leave them.

Owns the check of what a filter returns: an Arrow batch of the very same columns, numbered as before.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from promptsync.errors import FileUnavailable, Held
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import PluginError
from promptsync.plugins.loading import Plugin

RowFilter = Callable[[str, pa.RecordBatch], pa.RecordBatch]
_SECONDS = 30.0


def row_filter(plugins: Sequence[Plugin]) -> RowFilter | None:
    """What each batch of a nightly file goes through; None if no plugin asks. Raises Held if a plugin fails."""
    wanted = [(plugin, each.rows) for plugin in plugins for each in plugin.declared.filters if each.rows is not None]
    if not wanted:
        return None

    def run(table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        for plugin, function in wanted:
            try:
                batch = plugin.calls.one("filters", _run, function, table, batch, limit=_SECONDS)
            except PluginPaused as error:
                raise FileUnavailable(f"{error}; files wait until it works again.") from error
            except PluginFailed as error:
                raise Held("plugin", f"{error}; put it right, then load the file again.") from error
        return batch

    return run


def _run(function: Callable[[str, Any], Any], table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    result = function(table, batch)
    if not isinstance(result, pa.RecordBatch) or result.schema != batch.schema:
        raise PluginError(f"the filter of rows of {table} must return a RecordBatch of the same columns")
    result.validate(full=True)
    return result
