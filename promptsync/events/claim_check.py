"""Whether what a plugin claims can be merged at all.

Owns the check of shapes against the declared tables, so that a wrong claim is the plugin's failure, with its name, and
not a failing statement. promptsync's own handlers are held to the same shapes by their tests. Pure.
"""

from collections.abc import Iterable

from promptsync.clock import MAX_MICROS
from promptsync.events.claims import Claims, RowClaim
from promptsync.events.scalars import is_utf8
from promptsync.model import Column, FilledBy, Key, Kind, Role, Schema, Table
from promptsync.plugins.declared import PluginError

_MAX_INT = 2**63 - 1
_WHOLE = (Kind.INTEGER, Kind.BOOLEAN)


def check_claims(schema: Schema, claims: object) -> Claims:
    """The claims, if each can be merged. Raises PluginError saying which cannot, never a value."""
    if not isinstance(claims, Claims) or not all(isinstance(row, RowClaim) for row in claims.rows):
        raise PluginError(f"it gave {type(claims).__name__} where Claims are wanted")
    if not _whole(claims.org_id) or claims.org_id < 0 or not _whole(claims.at) or not 0 <= claims.at <= MAX_MICROS:
        raise PluginError("the claims' org_id or at is not usable")
    _check_rows(schema, claims.rows)
    for name, key in claims.mentions:
        _check_key(_table(schema, name, Role.MIRROR), key)
    for name, cells in claims.happened:
        table = _table(schema, name, Role.HAPPENED)
        if len(cells) != len(table.columns):
            raise PluginError(f"{name} has {len(table.columns)} columns, not {len(cells)}")
        for column, value in zip(table.columns, cells, strict=True):
            _check_value(table, column, value)
    for contact, name, at in claims.full_lists:
        if not _whole(contact) or not _whole(at) or not isinstance(name, str):
            raise PluginError("a full list is a contact, a list's name and a time")
    if not all(isinstance(problem, str) for problem in claims.problems):
        raise PluginError("problems are texts")
    return claims


def _check_rows(schema: Schema, rows: Iterable[RowClaim]) -> None:
    for row in rows:
        table = _table(schema, row.table, Role.MIRROR)
        _check_key(table, row.key)
        if not _whole(row.seen) or not 0 <= row.seen <= MAX_MICROS:
            raise PluginError(f"a claim on {row.table} was seen at no time")
        for name, (claimed, values) in row.groups.items():
            if name not in table.groups or len(values) != len(table.groups[name]) or not _whole(claimed):
                raise PluginError(f"{row.table} has no group {name} of {len(values)} columns")
            if not 0 <= claimed <= _MAX_INT:
                raise PluginError(f"a claim on {row.table} has a version that is none")
            for column, value in zip(table.groups[name], values, strict=True):
                _check_value(table, column, value)


def _table(schema: Schema, name: object, role: Role) -> Table:
    if (
        not isinstance(name, str)
        or name not in schema
        or schema[name].role is not role
        or schema[name].filled_by is FilledBy.CHANGE_SET
    ):
        raise PluginError(f"there is no table {name} that can be claimed so")
    return schema[name]


def _check_key(table: Table, key: Key) -> None:
    if not isinstance(key, tuple) or len(key) != len(table.key) or None in key:
        raise PluginError(f"a key of {table.name} is {', '.join(table.key)}, all given")
    for name, value in zip(table.key, key, strict=True):
        _check_value(table, table.by_name[name], value)


def _check_value(table: Table, column: Column, value: object) -> None:
    if value is None:
        return
    if column.kind in _WHOLE:
        fits = isinstance(value, int) and -_MAX_INT <= value <= _MAX_INT
    elif column.kind is Kind.REAL:
        fits = isinstance(value, int | float)
    else:
        fits = isinstance(value, str) and is_utf8(value)
    if not fits:
        raise PluginError(f"{table.name}.{column.name} takes {column.kind.value}, not {type(value).__name__}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
