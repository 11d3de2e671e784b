"""A fourth vendor, whole: parquet change sets of one table, the place they come from, and one type of event.

Acme's shop writes what has changed of its orders into files ``orders_<shop>_<number>.parquet``, and calls when a parcel
has arrived.
"""

import re
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from promptsync import (
    ChangeSetName,
    Claims,
    Column,
    Fields,
    FilledBy,
    InputRefused,
    Kind,
    Role,
    Settings,
    Source,
    Table,
    TableFiles,
    hookimpl,
    iso_millis,
)

ORDERS = Table(
    "acme_order",
    "Orders of Acme's shops, as they are now.",
    ("workspace_id", "order_id"),
    (
        Column("workspace_id", Kind.INTEGER, "Shop of the order"),
        Column("order_id", Kind.TEXT, "Unique ID of the order"),
        Column("status", Kind.TEXT, "What has become of it", "row"),
        Column("total", Kind.REAL, "What is to be paid", "row", unit="EUR"),
        Column("changed_at", Kind.TIME, "When it last changed", "row"),
    ),
    label="order_id",
    sort="changed_at",
    facets=("status",),
    org_scoped=False,
    vendor="Acme",
    filled_by=FilledBy.CHANGE_SET,
    order="changed_at",
)

ARRIVALS = Table(
    "acme_arrival",
    "Parcels of Acme's that have arrived.",
    ("event_id", "item"),
    (
        Column("event_id", Kind.INTEGER, "Delivery that says it", references="sync_event"),
        Column("item", Kind.INTEGER, "Place in that delivery, from 0"),
        Column("org_id", Kind.INTEGER, "Organization it belongs to", references="org"),
        Column("order_id", Kind.TEXT, "The order"),
        Column("at", Kind.TIME, "When it arrived"),
    ),
    Role.HAPPENED,
    vendor="Acme",
)

_NAME = re.compile(r"orders_([0-9]{1,9})_([0-9]{1,18})\.parquet")


def recognise(file_name: str) -> ChangeSetName | None:
    """``orders_3_17.parquet``: the seventeenth file of shop 3."""
    if not file_name.startswith("orders_"):
        return None
    match = _NAME.fullmatch(file_name)
    if match is None:
        raise InputRefused("unknown_name", f"{file_name} is not like orders_3_17.parquet: have Acme write it anew.")
    return ChangeSetName(ORDERS.name, int(match[1]), version=4, sequence=int(match[2]))


def arrived(body: Fields, claims: Claims) -> None:
    """acme/arrived: one order."""
    claims.event(ARRIVALS.name, 0, body.text("orderId"), iso_millis(claims.at))


@hookimpl
def tables() -> list[Table]:
    return [ORDERS, ARRIVALS]


@hookimpl
def file_kinds() -> list[TableFiles]:
    return [TableFiles("acme_orders", recognise, (".parquet",), empty=False)]


@hookimpl
def event_handlers() -> Mapping[str, object]:
    return {"acme/arrived": arrived}


@hookimpl
def sources(settings: Settings) -> list[Source]:
    """The shop's own folder, of which each file is taken once."""
    shop = settings.path("folder")

    def fetch(folder: Path) -> None:
        for file in sorted(shop.glob("orders_*.parquet")):
            shutil.move(file, folder / file.name)

    return [Source("shop", timedelta(minutes=5), fetch)]
