"""What happened, one row per item of an event, as data.

Source: Event Endpoint specification, each event's own section. The key is the delivery (``sync_event.id``) and the
item's place in it, from 0; a row is written once and never changed.
"""

from promptsync.model.table import Column, Kind, Role, Table

_INT, _TEXT, _BOOL, _TIME = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME


def _happened(name: str, about: str, *columns: Column, facets: tuple[str, ...] = ()) -> Table:
    fixed = (
        Column("event_id", _INT, "Delivery that told it", references="sync_event"),
        Column("item", _INT, "Place in that delivery, from 0"),
        Column("org_id", _INT, "Organization it belongs to", references="org"),
    )
    indexes = tuple((column.name,) for column in columns if column.references or column.name in ("at", *facets))
    return Table(
        name, about, ("event_id", "item"), fixed + columns, Role.HAPPENED, sort="at", facets=facets, indexes=indexes
    )


MESSAGE_STATUS = _happened(
    "message_status",
    "Every delivery status told by webhook.",
    Column("message_id", _INT, "The message", references="message"),
    Column("status", _TEXT, "The status"),
    Column("at", _TIME, "When it was so"),
    facets=("status",),
)

MESSAGE_ERROR = _happened(
    "message_error",
    "Messages that failed to send.",
    Column("message_id", _INT, "The message", references="message"),
    Column("error_message", _TEXT, "Why"),
    Column("at", _TIME, "When it was told"),
)

OPT_OUT_CHANGE = _happened(
    "opt_out_change",
    "Opt-outs and opt-ins told by webhook.",
    Column("contact_id", _INT, "The contact", references="contact"),
    Column("scope", _TEXT, "GLOBAL, or PHONE_PROVIDER for one channel"),
    Column("opted_out", _BOOL, "1 opted out, 0 opted back in"),
    Column("at", _TIME, "When"),
    Column("channel_id", _INT, "The channel, if it is about one", references="channel"),
    facets=("scope", "opted_out"),
)

BROADCAST_CHANGE = _happened(
    "broadcast_change",
    "Changes of a broadcast's status.",
    Column("broadcast_id", _INT, "The broadcast", references="broadcast"),
    Column("status", _TEXT, "The status"),
    Column("status_message", _TEXT, "The status in words"),
    Column("at", _TIME, "When it was told"),
    facets=("status",),
)

TABLES = (MESSAGE_STATUS, MESSAGE_ERROR, OPT_OUT_CHANGE, BROADCAST_CHANGE)
