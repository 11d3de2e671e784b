"""What a person's page asks of Prompt's tables beside the messages: who they are, what is known of them, consent."""

import json
from typing import Any, Final

from promptsync.browse.queries.reader import BOUND, OUT, Reader, Row

_FACTS: Final = 100


def contact(reader: Reader, id_: int) -> Row | None:
    """The person, with ``out``; of one who is known by messages alone, the number at most. None: nobody."""
    found = reader.row(f"SELECT p.*, p.display_name AS name, {OUT} AS out FROM contact p WHERE p.id = :id", id=id_)
    if found is not None:
        return found
    sql = "SELECT contact_phone AS phone FROM message WHERE contact_id = :id ORDER BY created_timestamp DESC LIMIT 1"
    known = reader.row(sql, id=id_)
    return None if known is None else {"id": id_, "name": None, "phone": known["phone"], "out": None, "unknown": True}


def removed(reader: Reader) -> tuple[str, str]:
    """The time before which the texts of messages have been removed, and after how long, in words; ("", ""): none
    have."""
    try:
        mark = json.loads(reader.value("SELECT value FROM sync_state WHERE name = 'swept:message_content'") or "{}")
        return str(mark["before"]), str(mark["period"])
    except (ValueError, TypeError, KeyError):
        return "", ""


def happened(reader: Reader, id_: int, since: str, until: str) -> list[Row]:
    """``at``, ``kind`` (opted_out, opted_in, clicked), ``type`` and ``broadcast_id`` of what happened meanwhile."""
    sql = (
        "SELECT created_timestamp AS at, 'opted_out' AS kind, type, NULL AS broadcast_id FROM opt_out "
        "WHERE contact_id = :id AND created_timestamp >= :since AND created_timestamp < :until UNION ALL "
        "SELECT created_timestamp, 'opted_in', type, NULL FROM opt_in "
        "WHERE contact_id = :id AND created_timestamp >= :since AND created_timestamp < :until UNION ALL "
        "SELECT at, 'clicked', NULL, broadcast_id FROM smartlink_click "
        "WHERE contact_id = :id AND at >= :since AND at < :until ORDER BY 1 LIMIT :n"
    )
    return reader.rows(sql, id=id_, since=since, until=until, n=_FACTS)


def facts(reader: Reader, id_: int) -> dict[str, Any]:
    """``tags``, ``lists``, ``fields`` (key, value), ``last_out`` and counts of the messages, to a bound."""
    tags = (
        "SELECT DISTINCT name FROM contact_tag WHERE contact_id = :id AND deleted_timestamp IS NULL "
        "AND _absent_since IS NULL ORDER BY name LIMIT :n"
    )
    lists = (
        "SELECT l.id, l.name FROM contact_list_member m JOIN contact_list l ON l.id = m.contact_list_id "
        "WHERE m.contact_id = :id AND m.removed_at IS NULL ORDER BY l.name LIMIT :n"
    )
    fields = (
        "SELECT key, value FROM contact_data WHERE contact_id = :id AND deleted = 0 AND managed = 0 "
        "AND _absent_since IS NULL ORDER BY key LIMIT :n"
    )
    last_out = (
        "SELECT created_timestamp, type FROM opt_out WHERE contact_id = :id ORDER BY created_timestamp DESC LIMIT 1"
    )
    return {
        "tags": [row["name"] for row in reader.rows(tags, id=id_, n=_FACTS) if (row["name"] or "").strip()],
        "lists": reader.rows(lists, id=id_, n=_FACTS),
        "fields": reader.rows(fields, id=id_, n=_FACTS),
        "last_out": reader.row(last_out, id=id_),
        **_counted(reader, id_),
    }


def _counted(reader: Reader, id_: int) -> Row:
    """``total``, ``sent``, ``received`` (notes are neither) of the newest; ``first`` and ``last`` of all."""
    newest = (
        "SELECT is_outgoing, is_whisper FROM message WHERE contact_id = :id ORDER BY created_timestamp DESC LIMIT :n"
    )
    counted = reader.row(
        "SELECT count(*) AS total, coalesce(sum(is_outgoing = 1 AND is_whisper IS NOT 1), 0) AS sent, "
        f"coalesce(sum(is_outgoing = 0), 0) AS received FROM ({newest})",
        id=id_,
        n=BOUND,
    )
    first = "SELECT min(created_timestamp) FROM message WHERE contact_id = :id"
    last = "SELECT max(created_timestamp) FROM message WHERE contact_id = :id"
    return (counted or {}) | {"first": reader.value(first, id=id_), "last": reader.value(last, id=id_)}


def conversation_with(reader: Reader, conversation: int) -> int | None:
    """Whom a conversation is with."""
    found: int | None = reader.value("SELECT contact_id FROM conversation WHERE id = :id", id=conversation)
    return found
