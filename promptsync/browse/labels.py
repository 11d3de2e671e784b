"""What people, members of the team, broadcasts and messages are called in pages and spreadsheets.

Owns what stands in for what is not known. Texts of strangers are cleaned, not escaped. Pure.
"""

from collections.abc import Mapping
from typing import Any

from promptsync.browse import phones
from promptsync.browse.cells import clean
from promptsync.browse.words import Words


def person_label(words: Words, row: Mapping[str, Any] | None) -> str:
    """What to call somebody: the name, else the number, else that they are not known yet."""
    if row is None:
        return str(words.say("person.unmatched"))
    known = clean(row["name"]).strip() or phones.shown(clean(row["phone"]).strip())
    return known or str(words.say("person.numbered", id=str(row["id"])))


def member_label(words: Words, name: str | None, id_: int | None) -> str:
    """What to call one of the staff: the name, else their number; of None, that it was nobody of them."""
    if id_ is None:
        return str(words.say("team.automatic"))
    return clean(name).strip() or str(words.say("team.numbered", id=str(id_)))


def broadcast_label(words: Words, name: str | None, id_: int) -> str:
    """What to call a broadcast: its description, else its number."""
    return clean(name).strip() or str(words.say("broadcast.numbered", id=str(id_)))


def cut(text: str | None, length: int) -> str:
    """The beginning of a text, in one line."""
    plain = " ".join(clean(text).split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def message_text(words: Words, row: Mapping[str, Any]) -> str:
    """What a message says; of a picture without words, that it is one. A row with ``content`` and ``is_mms``."""
    return row["content"] or (str(words.say("message.picture")) if row["is_mms"] else "")
