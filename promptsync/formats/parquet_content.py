"""How much a parquet file would bring, before any row of it is read.

Owns the sum over its footer (Apache Parquet format, ColumnMetaData). Whether the file is whole is not judged here.
"""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def selected_bytes(path: Path, leave_out: Collection[str] = ()) -> int:
    """Bytes of a file's columns, decompressed, without those named in ``leave_out`` (whatever their case).

    0 if its footer cannot be read: what is wrong with it is said when it is loaded.
    """
    unwanted = {name.casefold() for name in leave_out}
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return 0
    names = [footer.schema.column(at).path.partition(".")[0].casefold() for at in range(footer.num_columns)]
    wanted = [at for at, name in enumerate(names) if name not in unwanted]
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    return sum(group.column(at).total_uncompressed_size for group in groups for at in wanted)
