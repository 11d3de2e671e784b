"""People and messages of Customer.io and Qlara, as their files would leave them."""

import random
import sqlite3
from collections.abc import Iterable

from account import Account, Row
from browse_sample import FORMULA, SCRIPT
from campaign_rows import fill as campaigns

CIO, STRANGER = "p~/1", "+390612345678"
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


class Everywhere(Account):
    """An account whose first person is known to all three vendors. ``said``: what was said elsewhere."""

    said: list[str]

    @property
    def person(self) -> Row:
        return self.tables["contact"][0]

    def of(self, table: str = "message") -> list[Row]:
        return [row for row in self.tables[table] if row["contact_id"] == self.person["id"]]


def fill(connection: sqlite3.Connection, account: Everywhere) -> None:
    """Written in one way here and in another there; times meet those of Prompt's messages."""
    campaigns(connection)
    people, phone = account.tables["contact"], account.person["phone"]
    times = [row["created_timestamp"] for row in account.of()] * 3
    customer(connection, CIO, f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}", customer_id=SCRIPT, email_addr=FORMULA)
    account.said = talk(connection, CIO, (phone, phone[1:]), times, 5)
    insert(connection, "qlara_contact", id="c1", phone=phone[1:], first_name=SCRIPT, status="ACTIVE")
    customer(connection, "shared", people[1]["phone"])  # two contacts have that number
    customer(connection, "mail", None, email_addr="ana@example.org")
    customer(connection, "both-1", people[5]["phone"])
    customer(connection, "both-2", people[5]["phone"])
    customer(connection, "by-id", "+14155559999", customer_id="crm-77")
    connection.execute(
        "INSERT INTO contact_identity (contact_id, type, key, org_id) VALUES (?, 'CUSTOMER_EXTERNAL', 'crm-77', 7)",
        (people[6]["id"],),
    )
    customer(connection, "alone", STRANGER.replace("+39", "0039 "), email_addr="alone@example.org")
    for name, at in (("alone", "2026-11-02T04:00:00.000Z"), ("nameless", None)):
        insert(connection, "cio_deliveries", workspace_id=1, delivery_id=name, internal_customer_id=name, created_at=at)
    insert(
        connection,
        "qlara_message",
        id="q",
        destination=STRANGER,
        body="Ciao",
        sent_at="2026-11-01T04:00:00.000Z",
        status="ERROR",
        error="30005",
    )
    insert(connection, "qlara_message", id="q2", destination="32665", body="Code", sent_at=None, status="odd")
