"""Arrow columns of any type as JSON documents (RFC 8259), one text per row.

Owns the writing, entire columns at once: children first, then joined row by row. Never fails for what a cell holds.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from promptsync.formats.parquet.types import Column, is_bytes, is_text, plain

_ODD = r'[\x00-\x1f"\\]'
_NULL = "null"


def json_text(column: Column) -> Column:
    """A JSON document per row, null where the cell is null.

    Lists become arrays; structs and maps objects, a key that is no text written as text. What JSON has not: numbers
    that are not finite are null; times are ISO 8601 text; bytes that are no UTF-8 are text with ``\\xNN`` in
    their place.
    """
    column = plain(column)
    found = column.type
    if types.is_dictionary(found):
        return json_text(column.dictionary).take(column.indices)
    if types.is_map(found):
        return _objects(column)
    if types.is_struct(found):
        return _structs(column)
    if types.is_fixed_size_list(found):
        return json_text(column.cast(pa.list_(found.value_field)))
    if types.is_list(found) or types.is_large_list(found):
        return _joined(column, json_text(column.flatten()), "[", "]")
    if is_text(found) or is_bytes(found):
        return _quoted(_texts(column))
    if types.is_boolean(found) or types.is_integer(found) or types.is_decimal(found) or types.is_null(found):
        return column.cast(pa.string())
    if types.is_floating(found):
        finite = pc.is_finite(column.cast(pa.float64()))
        return pc.if_else(finite, column.cast(pa.string()), _NULL)
    if types.is_duration(found):
        return column.cast(pa.int64()).cast(pa.string())
    return _quoted(_moments(column))


def object_text(names: Sequence[str], values: Sequence[Column]) -> Column:
    """One object per row; ``values``: the JSON documents of each name, at least of one."""
    parts: list[Any] = []
    for position, (name, value) in enumerate(zip(names, values, strict=True)):
        begin = ("," if position else "{") + json.dumps(name, ensure_ascii=False) + ":"
        parts += [pa.scalar(begin), value.fill_null(_NULL)]
    return pc.binary_join_element_wise(*parts, "}", "")


def _structs(column: Column) -> Column:
    names = [field.name for field in column.type]
    written = object_text(names, [json_text(column.field(at)) for at in range(len(names))]) if names else "{}"
    return pc.if_else(column.is_valid(), written, pa.scalar(None, pa.string()))


def _objects(column: Column) -> Column:
    """Maps; ``keys`` and ``items`` are of the rows that a slice may leave out too, so lists are made of them first."""
    pairs = column.cast(pa.list_(pa.struct([column.type.key_field, column.type.item_field]))).flatten()
    keys, items = json_text(pairs.field(0)), json_text(pairs.field(1)).fill_null(_NULL)
    if not (is_text(column.type.key_type) or is_bytes(column.type.key_type)):
        keys = _quoted(keys)
    written = pc.binary_join_element_wise(keys, items, ":")
    return _joined(column, written, "{", "}")


def _joined(column: Column, children: Column, begin: str, end: str) -> Column:
    """The children of each row between brackets."""
    lengths = pc.list_value_length(column) if not types.is_map(column.type) else _map_lengths(column)
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths.fill_null(0).to_numpy(), out=offsets[1:])
    lists: Column = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), children.fill_null(_NULL))
    inner: Column = pc.binary_join(lists, ",")
    written = pc.binary_join_element_wise(begin, inner, end, "")
    return pc.if_else(column.is_valid(), written, pa.scalar(None, pa.string()))


def _map_lengths(column: Column) -> Column:
    return pc.list_value_length(column.cast(pa.list_(pa.struct([column.type.key_field, column.type.item_field]))))


def _quoted(texts: Column) -> Column:
    odd: Column = pc.match_substring_regex(texts, _ODD)
    if pc.any(odd).as_py():
        escaped = [json.dumps(text, ensure_ascii=False)[1:-1] for text in texts.filter(odd).to_pylist()]
        texts = pc.replace_with_mask(texts, odd.fill_null(False), pa.array(escaped, pa.string()))
    return pc.binary_join_element_wise('"', texts, '"', "")


def _texts(column: Column) -> Column:
    cells = column.cast(pa.binary())
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([cell and cell.decode(errors="backslashreplace") for cell in cells.to_pylist()], pa.string())


def _moments(column: Column) -> Column:
    """Times, dates and times of day as ISO 8601."""
    texts = column.cast(pa.string())
    if not types.is_timestamp(column.type):
        return texts
    zoned = column.type.tz is not None
    texts = (
        (column.cast(pa.timestamp(column.type.unit, "UTC")) if zoned else column)
        .cast(pa.timestamp(column.type.unit))
        .cast(pa.string())
    )
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", "")
