"""The few kinds of column and table that Customer.io's change sets are made of.

Source: Customer.io's data warehouse sync, Parquet file schemas (v4 and v5). Owns their shapes only: a table whose key
is within a workspace, a column of it, the view of the newest row of each thing that it holds versions of.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from promptsync.model.table import ADDRESS_FIELDS, Column, FilledBy, Identity, Kind, Table, View

_Table = partial(Table, vendor="Customer.io", filled_by=FilledBy.CHANGE_SET, org_scoped=False)

WORKSPACE = "workspace_id"
TEXT, TIME, INT, BOOL, JSON = Kind.TEXT, Kind.TIME, Kind.INTEGER, Kind.BOOLEAN, Kind.JSON

Described = tuple[str, Kind, str] | tuple[str, Kind, str, str]
"""A column in short: name, kind, what it holds, and the table it refers to, if any."""


def change_set_table(
    name: str, about: str, key: tuple[str, ...], columns: Iterable[Described], order: str = "", **more: object
) -> Table:
    """A table that change sets fill. ``key``: within the workspace. Every column outside it is of the group ``row``."""
    whole = (WORKSPACE, *key)
    made = tuple(
        Column(c, kind, what, "" if c in whole else "row", "".join(to), **_identifying(name, c))
        for c, kind, what, *to in columns
    )
    return _Table(name, about, whole, made, order=order, **more)  # type: ignore[arg-type]


_IDENTIFIES = {
    "cio_people.customer_id": Identity.CUSTOMER,
    "cio_people.internal_customer_id": Identity.CIO,
    "cio_people.email_addr": Identity.EMAIL,
    "cio_attributes.attribute_value": Identity.ADDRESS,
    "cio_object_attributes.attribute_value": Identity.TEXT,
    "cio_inbound.from": Identity.ADDRESS,
    "cio_delivery_content.recipient": Identity.ADDRESS,
}
"""Columns that identify people, beside those that refer to cio_people."""


def _identifying(table: str, column: str) -> dict[str, Any]:
    found: dict[str, Any] = {"identifies": _IDENTIFIES.get(f"{table}.{column}")}
    if (table, column) == ("cio_attributes", "attribute_value"):
        found["only_if"] = ("attribute_name", ADDRESS_FIELDS)
    return found


def workspace(of: str) -> Described:
    """The column that says whose a row is."""
    return (WORKSPACE, INT, f"Workspace of the {of}")


def current(table: str, about: str, per: tuple[str, ...], newest: str) -> View:
    """The view ``<table>_current``: the newest row of each ``per`` within the workspace."""
    return View(f"{table}_current", about, table, (WORKSPACE, *per), newest)
