"""Takes pledges from a form of your own: a type of event that the vendor does not know, and columns of contacts.

    [plugins]
    enabled = ["pledges"]

The form posts ``{"orgId": 1, "contactId": 7, "dollars": 25}``, signed like every delivery, to the webhook's address
with ``/pledge/added`` at its end.
"""

from promptsync import Claims, Column, EventHandler, Fields, Kind, Role, Settings, Table, hookimpl, iso_millis


@hookimpl
def tables(settings: Settings) -> list[Table]:
    """What happened: a row for each pledge, keyed by the delivery."""
    columns = (
        Column("event_id", Kind.INTEGER, "The delivery"),
        Column("item", Kind.INTEGER, "Place in the delivery"),
        Column("org_id", Kind.INTEGER, "Organization it belongs to"),
        Column("contact_id", Kind.INTEGER, "Who has pledged", references="contact"),
        Column("dollars", Kind.INTEGER, "How much"),
    )
    return [Table("pledge", "Pledges as they came.", ("event_id", "item"), columns, Role.HAPPENED)]


@hookimpl
def columns(settings: Settings) -> dict[str, list[Column]]:
    """What is so: the newest pledge of a contact, in a group of the plugin's own."""
    return {
        "contact": [
            Column("pledged_dollars", Kind.INTEGER, "Dollars of the newest pledge", group="pledge"),
            Column("pledged_at", Kind.TIME, "When that was", group="pledge"),
        ]
    }


@hookimpl
def event_handlers(settings: Settings) -> dict[str, EventHandler]:
    """A type of event of its own."""
    return {"pledge/added": pledged}


def pledged(fields: Fields, claims: Claims) -> None:
    """Claim both; what is missing is named in the delivery's problems."""
    contact, dollars = fields.need("contactId"), fields.integer("dollars")
    if contact is not None:
        claims.event("pledge", 0, contact, dollars)
        claims.row("contact", contact).claim("pledge", claims.at, dollars, iso_millis(claims.at))
