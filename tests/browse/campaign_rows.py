"""Rows of two Customer.io campaigns, as their change sets would leave them."""

import random
import sqlite3

from browse_sample import FORMULA, SCRIPT

UNKNOWN, KNOWN = 4, 6
KINDS = ("sent", "delivered", "opened", "clicked", "unsubscribed", "bounced")
Metrics = dict[int, dict[str, set[str]]]


def fill(connection: sqlite3.Connection) -> Metrics:
    """Two campaigns, one of them unknown; the deliveries of each number by campaign."""
    chance, found = random.Random(3), Metrics()
    campaign = "INSERT INTO cio_campaigns (workspace_id, campaign_id, version, name) VALUES (1, ?, ?, ?)"
    connection.executemany(campaign, [(KNOWN, 1, "Old"), (KNOWN, 2, SCRIPT)])
    person = "INSERT INTO cio_people (workspace_id, internal_customer_id, customer_id, email_addr) VALUES (1, ?, ?, ?)"
    connection.executemany(person, [("p1", FORMULA, "a@b.org"), ("p2", SCRIPT, None)])
    for number in range(90):
        id_, delivery = (UNKNOWN, KNOWN)[number % 2], f"d{number}"
        connection.execute(
            "INSERT INTO cio_deliveries (workspace_id, delivery_id, campaign_id, internal_customer_id) "
            "VALUES (1, ?, ?, ?)",
            (delivery, id_, f"p{number % 3}"),
        )
        for n in range(chance.randrange(9)):
            kind, machine = chance.choice(KINDS), chance.choice((0, 1, None))
            values = (f"m{number}-{n}", delivery, kind, f"2026-11-{10 + n}T04:00:00.000Z", machine, machine)
            connection.execute(
                "INSERT INTO cio_metrics (workspace_id, event_id, delivery_id, metric, created_at, prefetched, "
                "machine) "
                "VALUES (1, ?, ?, ?, ?, ?, ?)",
                values,
            )
            name = f"{kind}-by-machine" if machine and kind in ("opened", "clicked") else kind
            found.setdefault(id_, {}).setdefault(name, set()).add(delivery)
    return found
