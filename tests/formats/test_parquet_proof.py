"""Whole or not: each way a parquet file can be broken has its own plain sentence, and no error of Arrow's gets out."""

import gzip
import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.errors import Held, Unavailable
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.proof import prove_parquet, selected_bytes
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.model.file_name import ChangeSetName
from promptsync.vendors.customerio.tables_sent import METRICS

NAME = ChangeSetName("cio_metrics", 7, 5, 11)
FILE = "metrics_v5_7_11.parquet"


def metrics(rows: int) -> pa.Table:
    return pa.table(
        {
            "event_id": [f"e{number}" for number in range(rows)],
            "workspace_id": [7] * rows,
            "metric": ["sent", "opened"] * (rows // 2),
            "seq_num": range(1, rows + 1),
        }
    )


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / FILE
    pq.write_table(metrics(4000), path, row_group_size=1000, write_page_checksum=True)
    return path


def read(path: Path, limits: Limits | None = None) -> int:
    with ChangeSetReader(path, METRICS, NAME, limits or Limits()) as reader:
        return sum(batch.rows.num_rows for batch in reader)


def refusal(path: Path, limits: Limits | None = None) -> Held:
    with pytest.raises(Held) as held:
        prove_parquet(path, limits or Limits())
    assert path.name in str(held.value)
    return held.value


def test_a_whole_file(whole: Path) -> None:
    told: list[int] = []
    proof = prove_parquet(whole, Limits(), told.append)
    data = whole.read_bytes()
    assert (proof.sha256, proof.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert told[-1] == len(data)
    assert proof.raw_bytes == sum(pq.read_metadata(whole).row_group(n).total_byte_size for n in range(4))


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "empty", "is empty"),
        (b"PAR1", "truncated", "end is missing"),
        (b"PAR1PAR1", "truncated", "end is missing"),
        (b"event_id,workspace_id\na,1\n", "not_parquet", "no parquet file"),
        (gzip.compress(b"PAR1", mtime=0), "not_parquet", "gzip"),
        (b"PARE" + bytes(20) + b"PARE", "encrypted", "encrypted"),
        (b"PAR1" + bytes(40) + b"\x08\0\0\0PAR1", "damaged", "damaged"),
        (b"PAR1" + bytes(40) + b"\xff\xff\xff\x7fPAR1", "truncated", "end is missing"),
    ],
)
def test_what_is_no_whole_parquet_file(tmp_path: Path, data: bytes, reason: str, words: str) -> None:
    path = tmp_path / FILE
    path.write_bytes(data)
    held = refusal(path)
    assert held.reason == reason
    assert words in str(held)


def test_cut_anywhere(whole: Path) -> None:
    data = whole.read_bytes()
    for end in sorted(random.Random(5).sample(range(12, len(data)), 40)):
        whole.write_bytes(data[:end])
        assert refusal(whole).reason in ("truncated", "damaged")


def test_a_middle_part_gone(whole: Path) -> None:
    data = whole.read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    whole.write_bytes(data[:4] + data[-footer:])
    assert refusal(whole).reason == "truncated"


def test_a_small_middle_part_gone(tmp_path: Path) -> None:
    path = tmp_path / FILE
    pq.write_table(metrics(40_000), path, compression="none", use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data[:100_000] + data[120_000:])
    assert refusal(path).reason == "truncated"


def test_what_columns_hold_is_known_beforehand(whole: Path) -> None:
    footer = pq.read_metadata(whole)
    sizes = [
        sum(footer.row_group(n).column(at).total_uncompressed_size for n in range(footer.num_row_groups))
        for at in range(footer.num_columns)
    ]
    assert selected_bytes(whole) == sum(sizes)
    assert selected_bytes(whole, {"METRIC", "none"}) == sum(sizes) - sizes[2]
    whole.write_bytes(b"PAR1")
    assert selected_bytes(whole) == 0


def test_a_flipped_bit_in_any_page_is_noticed(whole: Path) -> None:
    good = whole.read_bytes()
    with ChangeSetReader(whole, METRICS, NAME, Limits()) as reader:
        expected = [batch.rows for batch in reader]
    footer = int.from_bytes(good[-8:-4], "little") + 8
    chance = random.Random(9)
    noticed = 0
    for at in chance.sample(range(4, len(good) - footer), 120):
        data = bytearray(good)
        data[at] ^= 1 << chance.randrange(8)
        whole.write_bytes(data)
        try:
            with ChangeSetReader(whole, METRICS, NAME, Limits()) as reader:
                assert [batch.rows for batch in reader] == expected  # a bit of a page's header that says nothing
        except Held:
            noticed += 1
    assert noticed > 80


def test_damage_far_in_comes_out_as_held_after_good_rows(tmp_path: Path) -> None:
    path = tmp_path / FILE
    pq.write_table(metrics(4000), path, row_group_size=1000, write_page_checksum=True, compression="none")
    column = pq.read_metadata(path).row_group(3).column(0)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 4] ^= 255
    path.write_bytes(data)
    assert prove_parquet(path, Limits()).size == len(data)  # only reading finds it
    with ChangeSetReader(path, METRICS, NAME, replace(Limits(), block=1000)) as reader, pytest.raises(Held) as held:
        for _ in reader:
            pass
    assert held.value.reason == "damaged"
    assert reader.records >= 1000


def test_encrypted_with_a_plain_footer(tmp_path: Path) -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):  # type: ignore[misc, name-defined]
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return key_bytes.hex().encode()

        def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
            return bytes.fromhex(wrapped_key)

    config = encryption.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["metric"]}, plaintext_footer=True, double_wrapping=False
    )
    factory = encryption.CryptoFactory(lambda _: Keys())
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), config)
    path = tmp_path / FILE
    with pq.ParquetWriter(path, metrics(10).schema, encryption_properties=properties) as writer:
        writer.write_table(metrics(10))
    assert refusal(path).reason == "encrypted"
    with pytest.raises(Held, match="encrypted"):
        read(path)


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / FILE
    table = metrics(2000)
    pq.write_table(
        table.append_column("link_url", pa.array(["x" * 5000] * 2000)), path, compression="zstd", use_dictionary=False
    )
    assert refusal(path, replace(Limits(), max_raw_bytes=10**6)).reason == "bomb"
    assert refusal(path, replace(Limits(), ratio_free=1000)).reason == "bomb"
    for limits, reason in (
        (replace(Limits(), max_columns=4), "header"),
        (replace(Limits(), max_cell=4999), "too_long"),
    ):
        with pytest.raises(Held) as held:
            read(path, limits)
        assert held.value.reason == reason
    assert read(path, replace(Limits(), max_columns=5, max_cell=5000)) == 2000


def test_few_bytes_that_stand_for_many(tmp_path: Path) -> None:
    path = tmp_path / FILE
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 2000), pa.array(["x" * 100_000]))
    pq.write_table(metrics(2000).append_column("link_url", long), path)
    assert prove_parquet(path, Limits()).size < 100_000
    limits = replace(Limits(), block=1 << 20)
    with ChangeSetReader(path, METRICS, NAME, limits) as reader:
        assert all(batch.rows.nbytes < 5 << 20 for batch in reader)
    assert reader.records == 2000
    short = pa.DictionaryArray.from_arrays(pa.array([0] * 40_000), pa.array(["x" * 2000]))
    pq.write_table(metrics(40_000).append_column("link_url", short), path)
    with ChangeSetReader(path, METRICS, NAME, limits) as reader:
        assert all(batch.rows.nbytes < 10 << 20 for batch in reader)
    pq.write_table(metrics(2000).append_column("link_url", long), path)
    with pytest.raises(Held, match="holds more than"):
        read(path, replace(Limits(), max_raw_bytes=10**8))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        prove_parquet(tmp_path / FILE, Limits())
    with pytest.raises(Unavailable):
        ChangeSetReader(tmp_path / FILE, METRICS, NAME, Limits())
