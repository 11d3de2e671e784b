"""People and messages of Customer.io and Qlara, as their files would leave them."""

import random
import sqlite3
from collections.abc import Iterable

from browse_sample import FORMULA, SCRIPT

CIO = "p~/1"
ROW_AT = b"\x00" * 24


def insert(connection: sqlite3.Connection, table: str, **row: object) -> None:
    """One row; what a table must have beside it is made up."""
    needed = connection.execute(
        'SELECT name, type FROM pragma_table_info(?) WHERE "notnull" AND dflt_value IS NULL', (table,)
    )
    full = {name: ROW_AT if kind == "BLOB" else 0 for name, kind in needed} | row
    names = ", ".join(f'"{name}"' for name in full)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(full))})", tuple(full.values()))


def customer(connection: sqlite3.Connection, id_: str, phone: str | None = None, **row: object) -> None:
    """A person of Customer.io's, and the attribute that says their number."""
    insert(connection, "cio_people", workspace_id=1, internal_customer_id=id_, **row)
    if phone is not None:
        at = {"timestamp": "2026-01-01T00:00:00.000Z"}
        key = {"workspace_id": 1, "internal_customer_id": id_, "attribute_name": "phone"}
        insert(connection, "cio_attributes", **key, **at, attribute_value=phone)


def talk(connection: sqlite3.Connection, id_: str, numbers: Iterable[str], times: list[str], seed: int) -> list[str]:
    """Messages of each source at some of these times. Returns the texts."""
    chance, said = random.Random(seed), []
    for number, at in enumerate(times):
        source, text = chance.choice(("sent", "replied", "qlara", "reported")), f"said {number} {chance.random()}"
        destination = chance.choice(tuple(numbers))
        said.append(text)
        if source == "sent":
            key = {"workspace_id": 1, "delivery_id": f"d{chance.random()}~"}
            who = {"internal_customer_id": id_, "delivery_type": "sms", "campaign_id": 4, "created_at": at}
            insert(connection, "cio_deliveries", **key, **who)
            insert(connection, "cio_delivery_content", **key, body=text, subject=SCRIPT)
            insert(
                connection,
                "cio_metrics",
                workspace_id=1,
                event_id=text,
                delivery_id=key["delivery_id"],
                metric="bounced",
                reason=FORMULA,
            )
        elif source == "replied":
            insert(
                connection,
                "cio_inbound",
                workspace_id=1,
                event_id=text,
                internal_customer_id=id_,
                timestamp=at,
                body=text,
            )
        elif source == "qlara":
            insert(
                connection,
                "qlara_message",
                id=f"q{number}",
                destination=destination,
                body=text,
                sent_at=at,
                status="DELIVERED",
            )
            insert(
                connection,
                "qlara_delivery_report",
                id=f"r{number}",
                message_id=f"q{number}",
                destination=destination,
                sent_at=at,
            )
        else:
            insert(
                connection,
                "qlara_delivery_report",
                id=f"r{number}",
                destination=destination,
                sent_at=at,
                campaign_name=text,
            )
    return said
