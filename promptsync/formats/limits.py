"""How much a file may ask of this machine. Owns the numbers; stream.py, records.py and snapshot_csv.py enforce them."""

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file; beyond any of them it is held. Sizes in bytes.

    ``max_ratio``: decompressed to compressed size, looked at once more than ``ratio_free`` bytes have come out.
    ``max_record``: one record with its quotes, delimiters and line end. ``block``: about how much is parsed at once.
    """

    max_raw_bytes: int = 64 << 30
    max_ratio: int = 400
    ratio_free: int = 64 * _MIB
    max_columns: int = 2000
    max_cell: int = 16 * _MIB
    max_record: int = 64 * _MIB
    block: int = 4 * _MIB
