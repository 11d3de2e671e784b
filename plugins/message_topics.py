"""Tags inbound messages with topics, by words from the configuration. Adds the table ``message_topic``.

    [plugins]
    enabled = ["message_topics"]
    [plugins.message_topics]
    topics = { housing = ["rent", "evict"], voting = ["ballot", "poll*"] }

A word is found whole and in any case; with a star at its end, as the beginning of a word. Messages that came before
the plugin was enabled: ``promptsync events replay --type message/added``.
"""

import re
from collections.abc import Mapping
from functools import partial

from promptsync import Claims, Column, ConfigError, Fields, Kind, Settings, Table, hookimpl


@hookimpl
def tables(settings: Settings) -> list[Table]:
    """One row for each topic of a message."""
    columns = (
        Column("message_id", Kind.INTEGER, "The message", references="message"),
        Column("topic", Kind.TEXT, "The topic"),
        Column("org_id", Kind.INTEGER, "Organization it belongs to", references="org"),
        Column("word", Kind.TEXT, "The first of the topic's words in it", "found"),
    )
    key = ("message_id", "topic")
    return [
        Table("message_topic", "Topics of inbound messages.", key, columns, facets=("topic",), indexes=(("topic",),))
    ]


@hookimpl
def event_handlers(settings: Settings) -> Mapping[str, object]:
    """In addition to what promptsync makes of a new message."""
    topics = settings.texts("topics")
    if not topics or not all(topics.values()):
        raise ConfigError('plugins.message_topics.topics must name words, such as { housing = ["rent"] }')
    patterns = {topic: re.compile("|".join(map(_pattern, words)), re.IGNORECASE) for topic, words in topics.items()}
    return {"message/added": partial(tag, patterns)}


def tag(patterns: Mapping[str, re.Pattern[str]], fields: Fields, claims: Claims) -> None:
    """Claim a row for each topic that the message's text touches."""
    message = fields.object("message")
    if message is None or message.text("userType") != "CUSTOMER":
        return
    message_id, body = message.identifier("id"), message.text("content")
    if message_id is None or not isinstance(body, str):
        return
    at = claims.when(message, "createdTimestamp") or claims.at
    for topic, pattern in patterns.items():
        if found := pattern.search(body):
            claims.row("message_topic", message_id, topic, seen=at).told("found", at, found[0].casefold())


def _pattern(word: str) -> str:
    start = re.escape(word.removesuffix("*"))
    return rf"\b{start}\w*" if word.endswith("*") else rf"\b{start}\b"
