"""Search: people by name or number, messages by their words.

Owns how words are looked for: whole words first, the last as a beginning only where whole ones find little, and only
for so long. Newest first is by id, so that no hit is sorted.
"""

import re
from dataclasses import dataclass
from typing import Final

from promptsync.browse import phones
from promptsync.browse.queries.people import last_message, match
from promptsync.browse.queries.reader import BOUND, PAGE, Reader, Row, names_of, of_org, people

PEOPLE: Final = 20
_WORDS: Final = 8
_PREFIX_LETTERS: Final = 3
_PREFIX_SECONDS: Final = 0.3
_NEWEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Hits:
    """``rows``: messages with their ``person``; ``more``: whether there are older ones; ``count``: to a bound."""

    rows: list[Row]
    more: bool
    count: int


def people_by(reader: Reader, text: str, org: int | None) -> list[Row]:
    """People whose name has these words, or whose number ends or goes on with these digits; with ``last``, by it.

    One more than are shown, if there are that many.
    """
    digits, words = phones.digits_of(text), match(text)
    if not digits and not words:
        return []
    own = of_org(org, "p.")
    if digits:
        sql = f"SELECT p.id FROM contact p WHERE substr(p.phone, -4) = :end AND p.phone LIKE :digits{own} LIMIT :n"
    else:
        named = "SELECT p.id FROM contact_fts f CROSS JOIN contact p ON p.id = f.rowid"
        sql = f"{named} WHERE contact_fts MATCH :words{own} LIMIT :n"
    values = {"end": digits[-4:], "digits": "%" + digits.lstrip("0"), "words": words, "org": org, "n": PEOPLE + 1}
    who = people(reader, [row["id"] for row in reader.rows(sql, **values)])
    last = last_message(reader, list(who))
    return sorted(
        (row | {"last": last.get(id_)} for id_, row in who.items()), key=lambda row: row["last"] or "", reverse=True
    )


def messages_by(reader: Reader, text: str, before: int | None, org: int | None) -> Hits:
    """Messages with all of these words, older than one of them."""
    words = re.findall(r"\w+", text.casefold())[:_WORDS]
    if not words:
        return Hits([], False, 0)
    whole = " ".join(f'"{word}"' for word in words)
    found, asked = _ids(reader, whole, before, org) or [], whole
    if len(found) <= PAGE and len(words[-1]) >= _PREFIX_LETTERS and not words[-1].isdigit():
        with_beginnings = _ids(reader, f"{whole}*", before, org, _PREFIX_SECONDS)
        if with_beginnings is not None:
            found, asked = with_beginnings, f"{whole}*"
    return Hits(_messages(reader, found[:PAGE]), len(found) > PAGE, _count(reader, asked, org))


def not_searched_yet(reader: Reader) -> int:
    """How many of the newest messages the index does not have yet, to a bound."""
    sql = (
        "SELECT count(*) FROM (SELECT 1 FROM message m "
        "WHERE m.id > coalesce((SELECT max(id) FROM message_fts_docsize), 0) LIMIT :n)"
    )
    found: int = reader.value(sql, n=BOUND)
    return found


def _ids(reader: Reader, words: str, before: int | None, org: int | None, seconds: float = 0) -> list[int] | None:
    """One more than a page; None if it took longer than it may."""
    sql = (
        f"SELECT rowid FROM message_fts WHERE message_fts MATCH :words AND rowid < :before{_of(org)} "
        "ORDER BY rowid DESC LIMIT :n"
    )
    rows = reader.rows_within(seconds, sql, words=words, before=before or _NEWEST, org=org, n=PAGE + 1)
    return None if rows is None else [row["rowid"] for row in rows]


def _count(reader: Reader, words: str, org: int | None) -> int:
    """How many there are, to a bound; as many as could be counted in time."""
    sql = f"SELECT count(*) AS n FROM (SELECT 1 FROM message_fts WHERE message_fts MATCH :words{_of(org)} LIMIT :n)"
    rows = reader.rows_within(_PREFIX_SECONDS, sql, words=words, org=org, n=BOUND)
    return rows[0]["n"] if rows else BOUND


def _of(org: int | None) -> str:
    if org is None:
        return ""
    return " AND EXISTS (SELECT 1 FROM message m WHERE m.id = message_fts.rowid AND m.org_id = :org)"


def _messages(reader: Reader, ids: list[int]) -> list[Row]:
    sql = (
        "SELECT id, contact_id, created_timestamp, content, is_outgoing, is_whisper, broadcast_id FROM message "
        "WHERE id IN ({ids}) ORDER BY id DESC"
    )
    rows = reader.among(sql, ids)
    who = people(reader, [row["contact_id"] for row in rows])
    casts = names_of(reader, "broadcast", [row["broadcast_id"] for row in rows])
    return [row | {"person": who.get(row["contact_id"]), "broadcast": casts.get(row["broadcast_id"])} for row in rows]
