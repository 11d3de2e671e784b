"""Counts the capitals of messages that are written in them. Adds the table ``shout``.

    [plugins]
    enabled = ["shout"]
    [plugins.shout]
    share = 0.8        # how much of a message must be capitals

Messages that came before the plugin was enabled: ``promptsync events replay --type message/added``.
"""

from promptsync import Claims, Column, EventHandler, Fields, Kind, Settings, Table, hookimpl


@hookimpl
def tables(settings: Settings) -> list[Table]:
    """One row for each such message; ``capitals`` is a group of one column."""
    key, org = Column("message_id", Kind.INTEGER, "The message"), Column("org_id", Kind.INTEGER, "Its organization")
    letters = Column("letters", Kind.INTEGER, "How many capitals", group="capitals")
    return [Table("shout", "Messages in capitals.", ("message_id",), (key, org, letters))]


@hookimpl
def event_handlers(settings: Settings) -> dict[str, EventHandler]:
    """In addition to what promptsync makes of a new message."""
    share = settings.number("share", 0.8)

    def handle(fields: Fields, claims: Claims) -> None:
        message = fields.object("message")
        text, id_ = message and message.text("content"), message and message.identifier("id")
        if id_ and isinstance(text, str) and (capitals := sum(map(str.isupper, text))) > share * len(text):
            claims.row("shout", id_).claim("capitals", claims.at, capitals)

    return {"message/added": handle}
