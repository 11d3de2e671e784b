"""What Customer.io's campaigns sent and what became of it, counted by delivery.

Owns which metrics make up which number. A delivery counts once in each, however often it was opened; what a machine
opened or clicked is a number of its own. A campaign is known by the deliveries that carry its number.
"""

from typing import Final

from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import Reader, Row

WHICH: Final = {
    "sent": "m.metric = 'sent'",
    "delivered": "m.metric = 'delivered'",
    "opened": "m.metric = 'opened' AND m.proxied IS NOT 1 AND m.prefetched IS NOT 1",
    "clicked": "m.metric = 'clicked' AND m.machine IS NOT 1",
    "unsubscribed": "m.metric = 'unsubscribed'",
    "bounced": "m.metric = 'bounced'",
    "opened-by-machine": "m.metric = 'opened' AND (m.proxied = 1 OR m.prefetched = 1)",
    "clicked-by-machine": "m.metric = 'clicked' AND m.machine = 1",
}
"""The numbers, as addresses say them, and the rows ``m`` of ``cio_metrics`` that they are made of."""

_SECONDS: Final = 0.8  # of the page's two
_OF: Final = "m.delivery_id = d.delivery_id AND m.workspace_id = d.workspace_id"


def mirrored(reader: Reader) -> bool:
    """Whether there is any delivery of Customer.io."""
    return reader.value("SELECT 1 FROM cio_deliveries LIMIT 1") is not None


def page_of(reader: Reader, before: int | None, size: int) -> list[Row]:
    """``id``, ``name`` and ``deliveries`` of one more than ``size`` campaigns, the newest number first."""
    most = "SELECT max(campaign_id) FROM cio_deliveries"
    return reader.rows(
        f"WITH RECURSIVE k(id) AS ({most} WHERE campaign_id < :before UNION ALL "
        f"SELECT ({most} WHERE campaign_id < k.id) FROM k WHERE k.id IS NOT NULL LIMIT :n) SELECT k.id, "
        "(SELECT name FROM cio_campaigns c WHERE c.workspace_id = (SELECT workspace_id FROM cio_deliveries d "
        "WHERE d.campaign_id = k.id LIMIT 1) AND c.campaign_id = k.id ORDER BY c.version DESC LIMIT 1) AS name, "
        "(SELECT count(*) FROM cio_deliveries d WHERE d.campaign_id = k.id) AS deliveries "
        "FROM k WHERE k.id IS NOT NULL",
        before=(1 << 63) - 1 if before is None else before,
        n=size + 1,
    )


def campaign(reader: Reader, id_: int) -> Row | None:
    """The same of one; None if it has sent nothing."""
    found = page_of(reader, id_ + 1, 0) if id_ < (1 << 63) - 1 else []
    return found[0] if found and found[0]["id"] == id_ else None


def counts(reader: Reader, id_: int) -> Row | None:
    """Deliveries in each of ``WHICH``; None if it takes too long to tell."""
    sums = ", ".join(f'count(DISTINCT CASE WHEN {rows} THEN d.delivery_id END) AS "{w}"' for w, rows in WHICH.items())
    found = reader.rows_within(
        _SECONDS,
        f"SELECT {sums} FROM cio_deliveries d CROSS JOIN cio_metrics m ON {_OF} WHERE d.campaign_id = :id",
        id=id_,
    )
    return found[0] if found else None


def sent_minutes(reader: Reader, id_: int) -> list[Row]:
    """``at`` (to the minute) and ``n``: deliveries by when they were sent; nothing if it takes too long to tell."""
    rows = reader.rows_within(
        _SECONDS,
        "SELECT substr(at, 1, 16) AS at, count(*) AS n FROM (SELECT min(m.created_at) AS at "
        f"FROM cio_deliveries d CROSS JOIN cio_metrics m ON {_OF} WHERE d.campaign_id = :id AND {WHICH['sent']} "
        "GROUP BY d.workspace_id, d.delivery_id) GROUP BY 1",
        id=id_,
    )
    return rows or []


def deliveries(reader: Reader, id_: int, which: str, edge: Position | None, size: int) -> list[Row]:
    """``delivery_id``, ``workspace_id``, ``internal_customer_id``, ``person``, ``email``, ``recipient``, ``type`` and
    ``at`` of one more than ``size`` deliveries of a number, by their identifiers."""
    delivery, workspace = edge or ("", -1)
    return reader.rows(
        "SELECT d.delivery_id, d.workspace_id, d.internal_customer_id, "
        "ifnull(p.customer_id, d.internal_customer_id) AS person, p.email_addr AS email, "
        "c.recipient, d.delivery_type AS type, "
        f"(SELECT min(m.created_at) FROM cio_metrics m WHERE {_OF} AND {WHICH[which]}) AS at FROM cio_deliveries d "
        "LEFT JOIN cio_people p ON p.workspace_id = d.workspace_id AND p.internal_customer_id = d.internal_customer_id "
        "LEFT JOIN cio_delivery_content c ON c.workspace_id = d.workspace_id AND c.delivery_id = d.delivery_id "
        "WHERE d.campaign_id = :id AND (d.workspace_id, d.delivery_id) > (:workspace, :delivery) "
        f"AND EXISTS (SELECT 1 FROM cio_metrics m WHERE {_OF} AND {WHICH[which]}) "
        "ORDER BY d.workspace_id, d.delivery_id LIMIT :n",
        id=id_,
        workspace=workspace,
        delivery=delivery,
        n=size + 1,
    )
