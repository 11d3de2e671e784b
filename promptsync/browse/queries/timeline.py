"""One person's messages at every vendor, in one order of time, a page at a time.

Owns that order, by time, then by source, then by the source's own key, and the sources: what each holds of a person. A
page reads of each source no more than the page is long, along an index by time. What two sources hold of one message is
shown once only where one names the other's ID.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from promptsync.browse.paging import whole
from promptsync.browse.queries.identity import Who
from promptsync.browse.queries.reader import LAST, PAGE, Reader, Row, names_of

SEARCHED: Final = 5_000
"""How many of the newest messages of each source are looked through for a word."""


@dataclass(frozen=True, slots=True)
class _Source:
    """``of``: FROM and the condition that a row ``m`` is the person's; ``shown``: what of it beside ``at`` and
    ``key``, among that ``content``."""

    name: str
    vendor: str
    at: str
    key: str
    shown: str
    of: str

    def query(self, rest: str) -> str:
        """Rows of the person, ``rest`` added to the condition."""
        shown = f"'{self.name}' AS source, m.{self.at} AS at, m.{self.key} AS key, {self.shown}"
        return f"SELECT {shown} {self.of}{rest}"


_SOURCES: Final = (
    _Source(
        "prompt",
        "prompt",
        "created_timestamp",
        "id",
        "m.id, m.created_timestamp, m.content, m.is_outgoing, m.is_successful, m.status, m.error_code, "
        "m.error_message, m.broadcast_id, m.is_broadcast, m.team_member_id, m.is_mms, m.is_whisper, m.user_type, "
        "m._absent_since",
        "FROM message m WHERE m.contact_id = :contact",
    ),
    _Source(
        "sent",
        "customerio",
        "created_at",
        "delivery_id",
        "m.workspace_id, m.delivery_type AS type, m.campaign_id, m.newsletter_id, c.subject, c.preheader, "
        "CASE WHEN m.delivery_type = 'email' THEN c.body_plain ELSE c.body END AS content",
        "FROM cio_deliveries m LEFT JOIN cio_delivery_content c ON c.workspace_id = m.workspace_id "
        "AND c.delivery_id = m.delivery_id "
        "WHERE m.internal_customer_id = :customer AND +m.workspace_id = :workspace",
    ),
    _Source(
        "replied",
        "customerio",
        "timestamp",
        "event_id",
        "m.channel AS type, m.body AS content, m.optout",
        "FROM cio_inbound m WHERE m.internal_customer_id = :customer AND +m.workspace_id = :workspace",
    ),
    _Source(
        "qlara",
        "qlara",
        "sent_at",
        "id",
        "m.channel AS type, m.direction, m.body AS content, m.status, m.error",
        "FROM qlara_message m WHERE m.destination = :number",
    ),
    _Source(
        "reported",
        "qlara",
        "sent_at",
        "id",
        "m.channel AS type, m.campaign_name AS campaign, NULL AS content, m.status, m.error",
        "FROM qlara_delivery_report m WHERE m.destination = :number "
        "AND NOT EXISTS (SELECT 1 FROM qlara_message q WHERE q.id = m.message_id)",
    ),
)
_PLACES: Final = {source.name: place for place, source in enumerate(_SOURCES)}


class Edge(NamedTuple):
    """A place in the order: a time, a source, and a key of it."""

    at: str
    source: int
    key: int | str

    def written(self) -> str:
        """In an address: what may hold anything comes last, the length of the time before it."""
        return f"{self.source}~{len(self.at)}~{self.at}{self.key}"


BEGINNING: Final = Edge("", len(_SOURCES), "")
END: Final = Edge(LAST, -1, "")


def edge(text: str | None) -> Edge | None:
    """The place that an address carries; None if it carries none."""
    found = re.fullmatch(r"([0-9])~([0-9]{1,3})~(.*)", text or "", re.S)
    if not found or int(found[1]) >= len(_SOURCES) or int(found[2]) > len(found[3]):
        return None
    at, key = found[3][: int(found[2])], found[3][int(found[2]) :]
    number = whole(key) if found[1] == "0" else key
    return None if number is None else Edge(at, int(found[1]), number)


def edge_of(row: Row) -> Edge:
    """Where a row stands."""
    return Edge(row["at"], _PLACES[row["source"]], row["key"])


def at_message(reader: Reader, contact: int | None, message: int | None) -> Edge | None:
    """Where a message at Prompt stands; None if it is none of theirs, or without a time."""
    sql = "SELECT created_timestamp FROM message WHERE id = :message AND contact_id = :contact"
    at = reader.value(sql, message=message, contact=contact)
    return None if at is None else Edge(at, 0, message or 0)


def at_time(at: str) -> Edge:
    """Before everything of a time."""
    return Edge(at, -1, "")


def before(reader: Reader, who: Who, place: Edge, size: int, vendor: str = "") -> list[Row]:
    """Messages earlier than a place, the newest first; one more than ``size``."""
    return _page(reader, who, place, size, vendor, later=False)


def after(reader: Reader, who: Who, place: Edge, size: int, vendor: str = "") -> list[Row]:
    """Messages later than a place, the oldest first; one more than ``size``."""
    return _page(reader, who, place, size, vendor, later=True)


def undated(reader: Reader, who: Who, vendor: str = "") -> list[Row]:
    """Messages without a time."""
    return [
        row
        for source, values in _of(who, vendor)
        for row in reader.rows(
            source.query(f" AND m.{source.at} IS NULL ORDER BY m.{source.key} LIMIT :n"), **values, n=PAGE
        )
    ]


def containing(reader: Reader, who: Who, text: str, vendor: str = "") -> list[Row]:
    """The newest messages that contain a text, newest first. One more than a page."""
    like = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
    found = []
    for source, values in _of(who, vendor):
        newest = source.query(f" ORDER BY m.{source.at} DESC, m.{source.key} DESC LIMIT :looked")
        subject = " OR subject LIKE :like ESCAPE '\\'" if source.name == "sent" else ""
        sql = f"SELECT * FROM ({newest}) WHERE content LIKE :like ESCAPE '\\'{subject} LIMIT :n"
        found += reader.rows(sql, **values, looked=SEARCHED, like=like, n=PAGE + 1)
    return sorted(found, key=_order, reverse=True)[: PAGE + 1]


def vendors_of(reader: Reader, who: Who) -> tuple[str, ...]:
    """Which vendors hold messages of the person."""
    found = {
        source.vendor for source, values in _of(who, "") if reader.value(source.query(" LIMIT 1"), **values) is not None
    }
    return tuple(vendor for vendor in _KNOWN_BY if vendor in found)


def with_names(reader: Reader, rows: list[Row]) -> list[Row]:
    """The messages, those at Prompt with the ``sender`` and the ``broadcast`` by name, those of Customer.io with the
    ``campaign`` or newsletter by name and with ``metrics``, their reasons by what became of them."""
    team = names_of(reader, "team_member", [row.get("team_member_id") for row in rows])
    casts = names_of(reader, "broadcast", [row.get("broadcast_id") for row in rows])
    metrics = _metrics(reader, [row for row in rows if row["source"] == "sent"])
    made = []
    for row in rows:
        if row["source"] == "prompt":
            row |= {"sender": team.get(row["team_member_id"]), "broadcast": casts.get(row["broadcast_id"])}
        elif row["source"] == "sent":
            row |= {"campaign": _campaign(reader, row), "metrics": metrics.get((row["workspace_id"], row["key"]), {})}
        made.append(row | {"vendor": _SOURCES[_PLACES[row["source"]]].vendor})
    return made


def _metrics(reader: Reader, rows: list[Row]) -> dict[tuple[int, str], dict[str, str | None]]:
    """What became of deliveries, with the reason; of what machines opened or clicked, nothing."""
    sql = (
        "SELECT m.workspace_id, m.delivery_id, m.metric, m.reason FROM json_each(:ids) j CROSS JOIN cio_metrics m "
        "ON m.delivery_id = j.value WHERE m.machine IS NOT 1 AND m.proxied IS NOT 1 AND m.prefetched IS NOT 1"
    )
    found: dict[tuple[int, str], dict[str, str | None]] = {}
    for one in reader.rows(sql, ids=json.dumps([row["key"] for row in rows])) if rows else ():
        found.setdefault((one["workspace_id"], one["delivery_id"]), {})[one["metric"]] = one["reason"]
    return found


def _campaign(reader: Reader, row: Row) -> str | None:
    """The name of the campaign or newsletter that a delivery belongs to."""
    table, key, newest = "cio_campaigns", "campaign_id", "version"
    if row["campaign_id"] is None:
        table, key, newest = "cio_broadcasts", "broadcast_id", "updated_at"
    number = row["campaign_id"] if row["campaign_id"] is not None else row["newsletter_id"]
    sql = f"SELECT name FROM {table} WHERE workspace_id = :workspace AND {key} = :id ORDER BY {newest} DESC LIMIT 1"
    found: str | None = reader.value(sql, workspace=row["workspace_id"], id=number)
    return found


def _page(reader: Reader, who: Who, place: Edge, size: int, vendor: str, *, later: bool) -> list[Row]:
    found: list[Row] = []
    down = "" if later else " DESC"
    for source, values in _of(who, vendor):
        ordered = f"ORDER BY m.{source.at}{down}, m.{source.key}{down} LIMIT :n"
        sql = source.query(f" AND {_beyond(source, place, later)} {ordered}")
        found += reader.rows(sql, **values, at=place.at, edge=place.key, n=size + 1)
    return sorted(found, key=_order, reverse=not later)[: size + 1]


def _beyond(source: _Source, place: Edge, later: bool) -> str:
    """The condition that a row stands before or after a place."""
    own, way = _PLACES[source.name], ">" if later else "<"
    if own == place.source:
        return f"(m.{source.at}, m.{source.key}) {way} (:at, :edge)"
    too = "=" if (own > place.source) is later else ""
    return f"m.{source.at} {way}{too} :at"


def _as_contact(who: Who) -> list[Mapping[str, object]]:
    return [] if who.contact is None else [{"contact": who.contact}]


def _as_customer(who: Who) -> list[Mapping[str, object]]:
    row = who.customer
    return [] if row is None else [{"customer": row["internal_customer_id"], "workspace": row["workspace_id"]}]


def _by_number(who: Who) -> list[Mapping[str, object]]:
    return [{"number": number} for number in who.numbers]


_KNOWN_BY: Final = {"prompt": _as_contact, "customerio": _as_customer, "qlara": _by_number}
"""The vendors in the order in which they are shown, and what a person is known by in the sources of each."""


def _order(row: Row) -> tuple[str, int, Any]:
    return edge_of(row)


def _of(who: Who, vendor: str) -> Iterable[tuple[_Source, Mapping[str, object]]]:
    """The sources that can hold anything of a person, each with what is bound; one for each spelling of a number."""
    for source in _SOURCES:
        if vendor not in ("", source.vendor):
            continue
        yield from ((source, values) for values in _KNOWN_BY[source.vendor](who))
