"""Reads what a parquet file's footer says about its row groups.

Owns the reading of these few facts (Apache Parquet format, FileMetaData; Thrift compact protocol). pyarrow knows them
too, but ends the whole process when it is asked about a column whose description is damaged or encrypted; this module
raises. Pure: gets bytes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

Fields: TypeAlias = dict[int, Any]
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_DEEPEST = 32
_BYTE_ARRAY = 6
_DICTIONARIES = frozenset({2, 8})  # PLAIN_DICTIONARY, RLE_DICTIONARY
_SMALL = 1 << 16


class Damaged(ValueError):
    """The bytes are no such footer."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One primitive column of one row group. Sizes in bytes of its pages; ``raw``: decompressed, ``packed``: as stored.

    ``path``: names from the top-level column down, joined by dots. ``text``: bytes of any length. ``dictionary``: bytes
    of the dictionary as stored, 0 if there is none. ``start``: where its first page begins in the file. ``compressed``:
    its pages are.
    """

    path: str
    values: int
    raw: int
    packed: int
    text: bool
    dictionary: int
    start: int
    compressed: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page. Bytes: its ``header``, and what follows it, ``raw`` once decompressed and ``packed`` as stored."""

    header: int
    raw: int
    packed: int


@dataclass(frozen=True, slots=True)
class Group:
    """One row group."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Footer:
    """``encrypted``: some column is."""

    groups: tuple[Group, ...]
    encrypted: bool


def parse_footer(data: bytes) -> Footer:
    """Reads the footer without its length and magic. Raises Damaged.

    A file is asked for it when it is proven and again when it is read, so of small ones the last few are remembered.
    """
    return _remembered(data) if len(data) <= _SMALL else _parse(data)


def _parse(data: bytes) -> Footer:
    try:
        fields = _Compact(data).struct()
        if 8 in fields:
            return Footer((), encrypted=True)
        groups = tuple(Group(group[3], tuple(map(_chunk, group[1]))) for group in fields[4])
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise Damaged("no footer of a parquet file") from error
    return Footer(groups, encrypted=False)


_remembered = lru_cache(maxsize=4)(_parse)


def parse_page(data: bytes) -> Page:
    """Reads the header that ``data`` begins with (Apache Parquet format, PageHeader). Raises Damaged, and IndexError or
    Damaged if it does not end in there."""
    reader = _Compact(data)
    fields = reader.struct()
    try:
        page = Page(reader.at, fields[2], fields[3])
    except KeyError as error:
        raise Damaged("no header of a page") from error
    if min(page.raw, page.packed) < 0:
        raise Damaged("a size below zero")
    return page


def _chunk(fields: Fields) -> Chunk:
    about = fields[3]
    first, dictionary = about[9], about.get(11, 0)
    has = dictionary > 0 and not _DICTIONARIES.isdisjoint(about[2])
    if min(about[5], about[6], about[7]) < 0:
        raise Damaged("a size below zero")
    path = ".".join(part.decode() for part in about[3])
    start = min(first, dictionary) if dictionary > 0 else first
    stored = max(first - dictionary, 1) if has else 0
    return Chunk(path, about[5], about[6], about[7], about[1] == _BYTE_ARRAY, stored, start, about[4] != 0)


class _Compact:
    """A reader of Thrift's compact protocol. Structs become dictionaries from the number of a field to its value."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, depth: int = 0) -> Fields:
        if depth > _DEEPEST:
            raise Damaged("nested too deeply")
        fields: Fields = {}
        data, number = self._data, 0
        while header := self._byte():
            step, kind = header >> 4, header & 15
            number = number + step if step else self._signed()
            if _I16 <= kind <= _I64 and (short := data[self.at]) < 128:  # most fields of a footer
                self.at += 1
                fields[number] = short >> 1 ^ -(short & 1)
            else:
                fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_I16, _I32, _I64):
            return self._signed()
        if kind == _BINARY:
            return self._take(self._unsigned())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        raise Damaged("an unknown type")

    def _list(self, depth: int) -> list[Any]:
        header = self._byte()
        size, kind = header >> 4, header & 15
        if size == 15:
            size = self._unsigned()
        if depth > _DEEPEST or size > len(self._data) - self.at:
            raise Damaged("a list longer than the footer")
        return [self._value(kind, depth) for _ in range(size)]

    def _signed(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)

    def _unsigned(self) -> int:
        data, at, number, shift = self._data, self.at, 0, 0
        while (byte := data[at]) > 127:
            number |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if shift > 63:
                raise Damaged("a number longer than 64 bits")
        self.at = at + 1
        return number | byte << shift

    def _byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _take(self, length: int) -> bytes:
        taken = self._data[self.at : self.at + length]
        self.at += length
        if len(taken) < length:
            raise Damaged("text longer than the footer")
        return taken
