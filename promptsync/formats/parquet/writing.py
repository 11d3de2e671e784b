"""Parquet files written: record batches in, a file out.

Owns the only use of pyarrow's writer. Must not read: a file from outside is handed to pyarrow by source.py alone.
"""

from collections.abc import Iterable
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(file: BinaryIO, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches with the columns of a schema, in whichever types they were read, as a whole file."""
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
