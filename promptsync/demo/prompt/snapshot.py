"""A nightly export: every row of every table as the vendor's systems see it at ``as_of``, and the files that hold them.

Follows Nightly Data Exports: contact, contact_tag and contact_data as of the run an hour later, the others as of
midnight; a message that was SENT at an earlier midnight stays successful. Rows are dicts in the specification's order
of columns: times as ISO 8601 text, booleans as bool, None for blank. Sorted by id. Files are gzipped CSV, one for each
table, named by local midnight, written under a hidden name first, then renamed.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from isal import isal_zlib

from promptsync.clock import MICROS, iso_millis
from promptsync.demo.world import words
from promptsync.demo.world.people import ConsentRecord, Contact, DataField, Tagging
from promptsync.demo.world.time import RUN_DELAY, ZONE
from promptsync.demo.world.traffic import Broadcast, Message
from promptsync.demo.world.world import World
from promptsync.errors import Unavailable

Value = str | int | float | bool | None
Row = dict[str, Value]
_AT_ONCE = 5_000
_GZIP = 31


def org_rows(world: World, _as_of: int) -> Iterator[Row]:
    """The one organisation."""
    yield {
        "id": world.org_id, "created_timestamp": iso_millis(world.log.staff.founded), "subdomain": words.ORG_SUBDOMAIN,
        "name": words.ORG_NAME,
    }  # fmt: skip


def contact_rows(world: World, as_of: int) -> Iterator[Row]:
    """Contacts as of the run."""
    when = as_of + RUN_DELAY
    return (contact_row(contact, when) for contact in world.log.contacts if contact.created <= when)


def contact_row(contact: Contact, when: int) -> Row:
    """One contact at an instant."""
    place, out = contact.place, contact.opted_out_since(when)
    return {
        "id": contact.id, "created_timestamp": iso_millis(contact.created),
        "updated_timestamp": iso_millis(contact.updated(when)), "is_opted_out": out is not None,
        "opt_out_timestamp": None if out is None else iso_millis(out), "phone": contact.phone,
        "display_name": contact.name.at(when), "country_code": "1", "area_code": place.area_code,
        "country_postal_code": place.country, "region": place.region, "timezone": place.timezone,
    }  # fmt: skip


def contact_data_rows(world: World, as_of: int) -> Iterator[Row]:
    """Data fields as of the run, deleted ones blank."""
    when = as_of + RUN_DELAY
    fields = [(f, c) for c in world.log.contacts for f in c.fields if f.value.times[0] <= when]
    return (_data_row(f, c, when) for f, c in sorted(fields, key=lambda pair: (pair[0].id, pair[0].managed)))


def _data_row(field: DataField, contact: Contact, when: int) -> Row:
    return {
        "id": field.id, "managed": field.managed, "created_timestamp": iso_millis(field.value.times[0]),
        "updated_timestamp": iso_millis(field.value.since(when)), "contact_id": contact.id, "key": field.key,
        "value": field.value.at(when),
    }  # fmt: skip


def contact_tag_rows(world: World, as_of: int) -> Iterator[Row]:
    """Taggings as of the run, removed ones with the time."""
    when = as_of + RUN_DELAY
    found = [(t, c) for c in world.log.contacts for t in c.taggings if t.added <= when]
    return (_tag_row(t, c, when) for t, c in sorted(found, key=lambda pair: pair[0].id))


def _tag_row(tagging: Tagging, contact: Contact, when: int) -> Row:
    removed = tagging.removed if tagging.removed is not None and tagging.removed <= when else None
    return {
        "id": tagging.id, "created_timestamp": iso_millis(tagging.added),
        "updated_timestamp": iso_millis(tagging.added if removed is None else removed), "contact_id": contact.id,
        "name": tagging.tag.name, "deleted_timestamp": None if removed is None else iso_millis(removed),
    }  # fmt: skip


def opt_out_rows(world: World, as_of: int) -> Iterator[Row]:
    """Every opt-out up to midnight."""
    return (_consent_row(record) for record in world.log.opt_outs if record.at <= as_of)


def opt_in_rows(world: World, as_of: int) -> Iterator[Row]:
    """Every opt-in up to midnight."""
    return (_consent_row(record) for record in world.log.opt_ins if record.at <= as_of)


def _consent_row(record: ConsentRecord) -> Row:
    return {
        "id": record.id, "created_timestamp": iso_millis(record.at), "contact_id": record.contact_id,
        "org_phone": record.org_phone, "type": "CONTACT" if record.org_phone else "MANAGED",
    }  # fmt: skip


def message_rows(world: World, as_of: int) -> Iterator[Row]:
    """Messages up to midnight."""
    return (message_row(message, as_of) for message in world.log.messages if message.at <= as_of)


def message_row(message: Message, as_of: int) -> Row:
    """One message as a midnight's export shows it."""
    status = message.status_exported(as_of)
    sent = message.sent if message.sent is not None and message.sent <= as_of else None
    failed = status in ("FAILED", "UNDELIVERED", "OPTED_OUT")
    error = message.ending if failed else None
    broadcast = message.broadcast or message.answers
    conversation = message.conversation
    return {
        "id": message.id, "created_timestamp": iso_millis(message.at),
        "sent_timestamp": None if sent is None else iso_millis(sent), "content": message.content, "is_mms": message.mms,
        "is_outgoing": message.outgoing, "is_broadcast": message.broadcast is not None,
        "is_successful": status in ("SENT", "DELIVERED", "RECEIVED"),
        "is_billable": sent is not None or not message.outgoing, "error_code": error.code if error else None,
        "error_message": error.text if error else None, "is_whisper": message.whisper, "segments": message.segments,
        "contact_phone": conversation.contact.phone, "contact_id": conversation.contact.id,
        "org_phone": conversation.channel.phone, "broadcast_id": broadcast.id if broadcast else None,
        "team_member_id": message.team_member_id,
    }  # fmt: skip


def broadcast_rows(world: World, as_of: int) -> Iterator[Row]:
    """Broadcasts up to midnight, with what had come of each by then."""
    return (broadcast_row(b, as_of) for b in world.log.broadcasts if b.created <= as_of)


def broadcast_row(broadcast: Broadcast, as_of: int) -> Row:
    """One broadcast as a midnight's export shows it."""
    statuses = [m.status_exported(as_of) for m in broadcast.messages if m.at <= as_of]
    replied = {m.conversation.contact.id for m in broadcast.replies if m.at <= as_of}
    answered = {m.conversation.contact.id for m in broadcast.follow_ups if m.at <= as_of} & replied
    finish = broadcast.states.times[-1]
    return {
        "id": broadcast.id, "created_timestamp": iso_millis(broadcast.created), "description": broadcast.description,
        "is_p2p": broadcast.p2p, "is_scrub": not broadcast.p2p, "is_advanced_targeting": broadcast.advanced,
        "start_timestamp": iso_millis(broadcast.start) if broadcast.start <= as_of else None,
        "finish_timestamp": iso_millis(finish) if finish <= as_of else None, "num_contacts": broadcast.targeted,
        "num_sent": sum(status in ("SENT", "DELIVERED") for status in statuses),
        "num_errors": sum(status in ("FAILED", "UNDELIVERED", "OPTED_OUT") for status in statuses),
        "num_opt_outs": len({contact for at, contact in broadcast.opt_outs if at <= as_of}),
        "num_responded": len(replied - answered), "num_replied_to_reply": len(answered),
        "num_skipped": broadcast.skipped if finish <= as_of else 0, "num_canceled": 0,
        "contact_list_ids": ",".join(map(str, broadcast.lists)),
    }  # fmt: skip


TABLES: dict[str, Callable[[World, int], Iterator[Row]]] = {
    "org": org_rows,
    "contact": contact_rows,
    "contact_data": contact_data_rows,
    "contact_tag": contact_tag_rows,
    "opt_out": opt_out_rows,
    "opt_in": opt_in_rows,
    "message": message_rows,
    "broadcast": broadcast_rows,
}
"""Every exported table, and its rows at an instant."""

COLUMNS = {
    "org": "id created_timestamp subdomain name",
    "contact": "id created_timestamp updated_timestamp is_opted_out opt_out_timestamp phone display_name country_code"
    " area_code country_postal_code region timezone",
    "contact_data": "id managed created_timestamp updated_timestamp contact_id key value",
    "contact_tag": "id created_timestamp updated_timestamp contact_id name deleted_timestamp",
    "opt_out": "id created_timestamp contact_id org_phone type",
    "opt_in": "id created_timestamp contact_id org_phone type",
    "message": "id created_timestamp sent_timestamp content is_mms is_outgoing is_broadcast is_successful is_billable"
    " error_code error_message is_whisper segments contact_phone contact_id org_phone broadcast_id team_member_id",
    "broadcast": "id created_timestamp description is_p2p is_scrub is_advanced_targeting start_timestamp"
    " finish_timestamp num_contacts num_sent num_errors num_opt_outs num_responded num_replied_to_reply num_skipped"
    " num_canceled contact_list_ids",
}
"""The header of each file, in the specification's order."""


def export_path(folder: Path, table: str, org_id: int, as_of: int) -> Path:
    """``<folder>/1287/message_1287_2026-02-04T00-00-00-0800Z.csv.gz``; the org table is in the folder itself."""
    if table == "org":
        return folder / f"org_{stamp(as_of)}.csv.gz"
    return folder / str(org_id) / f"{table}_{org_id}_{stamp(as_of)}.csv.gz"


def stamp(as_of: int) -> str:
    """``2026-02-04T00-00-00-0800Z``: local time with its offset and the vendor's stray Z (Nightly Data Exports)."""
    when = datetime.fromtimestamp(as_of // MICROS, UTC).astimezone(ZoneInfo(ZONE))
    return when.strftime("%Y-%m-%dT%H-%M-%S%z") + "Z"


def write_night(world: World, folder: Path, as_of: int, tables: Iterable[str] = tuple(TABLES)) -> list[Path]:
    """Writes one night's files and returns their paths. ``as_of``: a local midnight. Raises ``Unavailable``."""
    return [_write_table(world, folder, as_of, table) for table in tables]


def _write_table(world: World, folder: Path, as_of: int, table: str) -> Path:
    path = export_path(folder, table, world.org_id, as_of)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.part")
        with hidden.open("wb") as raw:
            write_rows(raw, table, TABLES[table](world, as_of))
        return hidden.replace(path)
    except OSError as error:
        raise Unavailable(f"Make it possible to write {path}: {error.strerror or error}.") from error


def write_rows(raw: BinaryIO, table: str, rows: Iterable[Row]) -> None:
    """Writes a header and rows as gzipped CSV; the same rows give the same bytes."""
    header = COLUMNS[table].split()
    write_packed(raw, _texts(header, ([spelled(row[name]) for name in header] for row in rows)))


def _texts(header: list[str], lines: Iterator[list[str | int]]) -> Iterator[str]:
    some: list[list[str | int]] = [[*header]]
    while some:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(some)
        yield text.getvalue()
        some = list(islice(lines, _AT_ONCE))


def write_packed(raw: BinaryIO, texts: Iterable[str]) -> None:
    """Writes texts as one gzip member without a time in its header."""
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    for text in texts:
        raw.write(packer.compress(text.encode()))
    raw.write(packer.flush())


def spelled(value: Value) -> str | int:
    """How a cell is written: true or false, blank for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str | int) else repr(value)
