"""A folder for files in between, which hold what people wrote: it is gone afterwards, however that comes about.

Owns its removal where a signal ends the process amid it, which leaves half of it to Python's own.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new one."""
    with ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="promptsync-lake-"))
        for _ in range(2):  # should a signal end the first, the second still comes
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder
