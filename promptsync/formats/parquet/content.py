"""How much a parquet file would bring, before any row of it is read.

Owns the sum over its footer (Apache Parquet format, ColumnMetaData). Whether the file is whole is not judged here.
"""

from collections.abc import Collection
from pathlib import Path

from promptsync.errors import InputRefused, Unavailable
from promptsync.formats.limits import Limits, open_file
from promptsync.formats.parquet.proof import read_footer, weigh


def selected_bytes(path: Path, leave_out: Collection[str] = ()) -> int:
    """Bytes of a file's columns, decompressed, without those named in ``leave_out`` (whatever their case).

    0 if its footer cannot be read, or says what cannot be: what is wrong with it is said when it is loaded.
    """
    unwanted, limits = {name.casefold() for name in leave_out}, Limits()
    try:
        with open_file(path, limits) as file:
            footer = read_footer(path, file)
            weigh(path, file.seek(0, 2), footer, limits)
    except (InputRefused, Unavailable, OSError):
        return 0
    chunks = (chunk for group in footer.groups for chunk in group.chunks)
    return sum(chunk.raw for chunk in chunks if chunk.path.partition(".")[0].casefold() not in unwanted)
