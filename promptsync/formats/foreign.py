"""Recognises, from its first bytes, what a file is that is not CSV at all.

Owns the signatures and their names, so that a refusal can say what it refuses. Pure.
"""

from promptsync.errors import Held

_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)"),
    (b"PAR1", "a parquet file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x1f\x8b\x08", "compressed twice with gzip"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\x00", "compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
)
_TEXTS = ((b"<", "a page of HTML or XML"), (b"{", "JSON"), (b"[", "JSON"))
_BOM = b"\xef\xbb\xbf"


def foreign(head: bytes) -> str | None:
    """In words what the file is, to follow "is"; None if it may be a CSV file.

    >>> foreign(b'{"error": "no such export"}'), foreign(b"id,name\\n")
    ('JSON', None)
    """
    text = head.removeprefix(_BOM).lstrip()
    for start, name in _SIGNATURES:
        if head.startswith(start):
            return name
    for start, name in _TEXTS:
        if text.startswith(start):
            return name
    if head.startswith(bytes(4)):
        return "full of zeros, room for a file that was never written"
    if b"\0" in head[:4]:
        return "UTF-16 or UTF-32 without its mark, which must be there"
    return None


def refuse_foreign(head: bytes) -> None:
    """Raises Held ``not_csv`` if a file that begins so is another format's."""
    if name := foreign(head):
        raise Held("not_csv", f"The file is no CSV file: it is {name}.")
