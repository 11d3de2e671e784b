"""One huge row group does not make memory grow: measured from outside, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

_READ = """
import resource, sys
from pathlib import Path
from promptsync.vendors.customerio.files import parse_change_set
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.vendors.customerio.tables_sent import METRICS
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with ChangeSetReader(path, METRICS, parse_change_set(path.name), Limits()) as reader:
    rows = sum(batch.rows.num_rows for batch in reader)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["varied", "repeated", "both"])
def test_long_cells_in_one_row_group(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "metrics_v5_7_1.parquet"
    chance = np.random.default_rng(1)
    few = [chance.bytes(25_000).hex() for _ in range(15)]
    count = 4000
    unique = {"varied": count, "repeated": 0, "both": count // 3}[kind]
    schema = pa.schema([("event_id", pa.string()), ("link_url", pa.string())])
    with pq.ParquetWriter(path, schema, write_batch_size=8, use_dictionary=kind != "varied") as writer:
        texts = [few[n % 15] for n in range(count - unique)]
        texts += [few[n % 15][: -1 - n % 997] + few[n % 7][: n % 991] for n in range(unique)]
        writer.write_table(pa.table([[f"e{n}" for n in range(count)], texts], schema), row_group_size=count)
    run = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True)
    rows, grown = map(int, run.stdout.split())
    assert rows == count
    assert grown < 150  # MiB; written out the cells are 200
