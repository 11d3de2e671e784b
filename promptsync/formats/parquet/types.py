"""Families of Arrow types that are treated alike. Owns nothing else."""

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.types as types

Column: TypeAlias = Any
"""A ``pa.Array`` of any type: what its functions take depends on types that are known only when a file is read."""


def plain(column: Column) -> Column:
    """The column without what an extension type adds to it."""
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def plain_type(found: pa.DataType) -> pa.DataType:
    """The type that values of an extension type are stored as; any other as it is."""
    return found.storage_type if isinstance(found, pa.BaseExtensionType) else found


def is_text(found: pa.DataType) -> bool:
    """Strings, with 32-bit or 64-bit offsets, or as views."""
    return types.is_string(found) or types.is_large_string(found) or types.is_string_view(found)


def is_bytes(found: pa.DataType) -> bool:
    """Bytes of any length or of one length."""
    return (
        types.is_binary(found)
        or types.is_large_binary(found)
        or types.is_binary_view(found)
        or types.is_fixed_size_binary(found)
    )
