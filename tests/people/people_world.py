"""An account with three people in which everything that is known of one of them can be told from the rest.

Every table that files fill gets a row of each person, every type of delivery comes of each, and some of all together.
"""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from event_samples import SAMPLES, path_of

from promptsync import Claims, Column, Eraser, Fields, Identity, Kind, Observer, Role, Settings, Table, hookimpl
from promptsync.clock import parse_iso
from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest
from promptsync.model import FilledBy
from promptsync.model.delivery import Delivery
from promptsync.model.file_name import ExportName
from promptsync.store.inbox import insert_event
from promptsync.vendors.prompt.event_types import type_of_path

AT = "2026-11-04T08:00:00.000Z"
ORG = 41


@dataclass(frozen=True)
class Someone:
    """``number``: of the contact, and the offset of ids; ``word`` is in every text of theirs."""

    number: int
    word: str
    phone: str

    @property
    def email(self) -> str:
        return f"{self.word}@club.example"

    @property
    def cio(self) -> str:
        return f"cio{self.number}"

    @property
    def canaries(self) -> tuple[bytes, ...]:
        """Case is kept in names, lost in search."""
        digits = self.phone.removeprefix("+1")
        spellings = (self.word, self.word.capitalize(), digits, self.cio, str(self.number))
        return tuple(text.encode() for text in spellings)


BO = Someone(73190301, "bocanary", "+12125550173")
AL = Someone(73190402, "alistair", "+12125550184")
CY = Someone(73190503, "cyprian", "+12125550195")

CARDS = Table(
    "club_card",
    "Cards of members.",
    ("event_id", "item"),
    (
        Column("event_id", Kind.INTEGER, "Delivery", references="sync_event"),
        Column("item", Kind.INTEGER, "Place in it"),
        Column("org_id", Kind.INTEGER, "Organization", references="org"),
        Column("holder", Kind.INTEGER, "Who has it", references="contact"),
        Column("name", Kind.TEXT, "Name on it"),
        Column("at", Kind.TIME, "When"),
    ),
    Role.HAPPENED,
)
LOCKERS = Table(
    "club_locker",
    "Lockers, with a note on who uses them.",
    ("id",),
    (
        Column("id", Kind.INTEGER, "Number"),
        Column("org_id", Kind.INTEGER, "Organization", references="org"),
        Column("remark", Kind.TEXT, "Who uses it: wrapped in words", "facts"),
    ),
)


class Club:
    """A plugin with a table that refers to contacts, one of another shape, and an observer that never hears."""

    @hookimpl
    def tables(self, settings: Settings) -> list[Table]:
        return [CARDS, LOCKERS]

    @hookimpl
    def event_handlers(self, settings: Settings) -> dict[str, Any]:
        def card(fields: Fields, claims: Claims) -> None:
            customer = fields.required("customer")
            if customer is not None:
                claims.event("club_card", 0, customer.need("id"), customer.text("displayName"), AT)
                claims.row("club_locker", customer.need("id") % 1000).told(
                    "facts", claims.at, f"used by {customer.text('displayName')}"
                )

        return {"club/card": card}

    @hookimpl
    def erase(self, settings: Settings) -> list[Eraser]:
        def keys(identifiers: Mapping[str, Any], mirror: Any) -> list[tuple[int]]:
            return [(int(number) % 1000,) for number in identifiers.get("contact", ())]

        return [Eraser("club_locker", keys)]

    @hookimpl
    def observers(self, settings: Settings) -> list[Observer]:
        return [Observer("deaf", {"contact": ()}, lambda *_: None, schedule="0 0 1 1 *")]


def config(folder: Path) -> Config:
    return Config.read({"mirror": {"timezone": "UTC"}, "drop": {"folder": "drop"}}, folder)


def engine(folder: Path) -> Engine:
    return Engine(config(folder), given={"club": Club()})


def fill(engine: Engine, folder: Path, people: Iterable[Someone]) -> None:
    """Send everything of these people down every path."""
    those = list(people)
    for path, stated in _files(engine, folder, those):
        report = engine.load_single(LoadRequest(path, "load", stated))
        assert report.state == "merged", report
    for label, type_, body in deliveries(those):
        _receive(engine, label, type_, body)
    engine.apply_pending()
    engine.search.enter_missing("contact")
    engine.search.enter_missing("message")
    _keep(engine, folder, those)


def deliveries(people: list[Someone]) -> Iterator[tuple[int, str, str]]:
    """A number that is the same whoever else there is, the path, and the body."""
    for number, name in enumerate(SAMPLES):
        everybodys = all(_as(someone, SAMPLES[name]) == SAMPLES[name] for someone in people)
        for someone in people[:1] if everybodys else people:
            place = 0 if everybodys else (BO, AL, CY).index(someone)
            yield number * 10 + place, path_of(name), json.dumps(_as(someone, SAMPLES[name]))
    together = {
        "customer/modified": {"customers": [_as(one, _CUSTOMER) for one in people]},
        "customer/optOut": {
            **{"optOut": True, "timestamp": 1_780_000_200_123, "optOutType": "GLOBAL"},
            "customers": [_as(one, _CUSTOMER) for one in people],
        },
        "message/status": {
            "timestamp": 1_780_000_200_123,
            "messages": [_as(one, SAMPLES["message/status"]["message"]) for one in people],
        },
        "integrations/sheets/read": {
            **{"integrationId": 11, "spreadsheetId": "1Ab", "tabName": "Start list"},
            "readValues": [{"rowNumber": 1, "values": ["Name", "Phone"]}]
            + [{"rowNumber": one.number, "values": [one.word, one.phone]} for one in people],
        },
    }
    for number, (path, body) in enumerate(together.items(), 10_000):
        yield number, path, json.dumps({"orgId": ORG, **body})
    for someone in people:
        place = (BO, AL, CY).index(someone)
        customer = _as(someone, _CUSTOMER)
        yield 20_000 + place, "club/card", json.dumps({"orgId": ORG, "customer": customer})
        yield 20_010 + place, "unheard/of", json.dumps({"orgId": ORG, "customer": customer})
        yield 20_020 + place, "customer/added", f'{{"orgId": 41, "customer": {{"phone": "{someone.phone}", '
        said = json.dumps({"orgId": ORG, "message": f"could not reach {someone.word} at {someone.phone}"})
        yield 20_030 + place, "console/log", said
        yield 20_040 + place, "error/alterra", json.dumps({"orgId": ORG, "who": someone.email})


_CUSTOMER = SAMPLES["customer/added"]["customer"]
OWN = {301, 9000, 9001, 4001, 4101, 601, 801, 501}
_NEUTRAL = ("agent", "channel", "orgChannel", "postingUser", "users", "notification", "notifications", "type", "status")


def _as(someone: Someone, value: Any, name: str = "") -> Any:
    """A sample with the ids, the number and the word of somebody."""
    if name in _NEUTRAL:
        return value
    if isinstance(value, dict):
        return {key: _as(someone, inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as(someone, inner, name) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and value in OWN:
        return someone.number if value == 301 else someone.number * 10_000 + value
    if isinstance(value, str) and value.startswith("+1555"):
        return someone.phone
    if name in ("displayName", "content", "note", "value", "race", "button", "errorMessage", "topic", "whisper"):
        return f"{someone.word.capitalize()} {value}"
    return value


def _receive(engine: Engine, label: int, path: str, body: str) -> None:
    at = parse_iso(AT) + label * 1_000
    delivery = Delivery(path, body, {}, at, type_of_path(path))
    engine.mirror.writer.run(lambda connection: insert_event(connection, delivery, at))


def _files(engine: Engine, folder: Path, people: list[Someone]) -> Iterator[tuple[Path, Any]]:
    """Files of every table that files fill."""
    done = folder / "drop" / "done"
    done.mkdir(parents=True)
    for table in engine.mirror.schema:
        path: Path | None = None
        stated: Any = None
        if table.filled_by is FilledBy.SNAPSHOT:
            name = (
                f"{table.name}_2026-11-03T00-00-00Z" if table.name == "org" else f"{table.name}_41_2026-11-03T00-00-00Z"
            )
            path = done / f"{name}.csv.gz"
            rows = [_row(table, one, table.file_columns) for one in _whose(table, people)]
            with gzip.open(path, "wt", newline="") as file:
                _write(file, [column.name for column in table.file_columns], rows)
        elif table.filled_by is FilledBy.CHANGE_SET:
            path = done / f"{table.name.removeprefix('cio_')}_v5_7_1.parquet"
            pq.write_table(
                pa.Table.from_pylist([_row(table, one, table.columns) for one in _whose(table, people)]), path
            )
        elif table.filled_by is FilledBy.EXPORT:
            path, stated = (
                engine.mirror.folder / "exports" / f"job-{table.name}.csv",
                ExportName(table.name, parse_iso(AT)),
            )
            path.parent.mkdir(exist_ok=True)
            with path.open("w", newline="") as file:
                columns = [c for c in table.columns if c.name not in ("cost", "parts")]
                _write(file, [column.name for column in columns], [_row(table, one, columns) for one in people])
        if path is not None:
            yield path, stated


def _write(file: Any, names: list[str], rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(file, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)


def _whose(table: Table, people: list[Someone]) -> list[Someone]:
    people = sorted(people, key=lambda one: one is BO)  # rows of a change set are ordered by their place in it
    personal = any(column.identity is not None or column.references.startswith("cio_") for column in table.columns)
    nobody = table.name in ("org", "broadcast", "cio_campaigns", "cio_actions", "cio_broadcasts", "cio_objects")
    return people if personal and not nobody else [Someone(ORG, "nobody", "+12125550100")]


def _row(table: Table, one: Someone, columns: Iterable[Column]) -> dict[str, Any]:
    return {column.name: _cell(table, column, one) for column in columns}


def _cell(table: Table, column: Column, one: Someone) -> Any:
    identity, name = column.identity, column.name
    fixed = {"org_id": ORG, "workspace_id": 7, "managed": 0, "org_phone": "+12125550100"}
    known = {Identity.CONTACT: one.number, Identity.CIO: one.cio, Identity.CUSTOMER: f"{one.word}-id"}
    known |= {Identity.EMAIL: one.email, Identity.PHONE: one.phone, Identity.QLARA: f"q-{one.word}"}
    if name in fixed or (table.name, name) == ("org", "id"):
        return fixed.get(name, ORG)
    if (table.name, name) in (("contact_data", "key"), ("cio_attributes", "attribute_name")):
        return "phone"
    if (table.name, name) == ("qlara_contact", "email"):
        return None
    if identity in known:
        return known[identity]
    if identity is not None:
        return f"about {one.email}" if identity is Identity.TEXT else one.phone
    if column.references and not column.references.startswith("cio_"):
        return None
    return _plain(table, column, one)


def _plain(table: Table, column: Column, one: Someone) -> Any:
    if column.kind is Kind.TIME:
        return "2026-11-02T10:00:00.000Z"
    if column.kind is Kind.BOOLEAN:
        return False if table.filled_by is FilledBy.CHANGE_SET else "false"
    if column.kind in (Kind.INTEGER, Kind.REAL):
        return one.number * 10_000 + 7 if column.name in table.key else 3
    if column.kind is Kind.JSON:
        return json.dumps({"of": one.word})
    same = {"subject_id": "subject_name", "in_reply_to_delivery_id": "delivery_id"}.get(column.name, column.name)
    return f"{one.word} {same}"


def _keep(engine: Engine, folder: Path, people: list[Someone]) -> None:
    """Files that were held, copies of fetched ones, and rows that were rejected."""
    held, incoming = folder / "drop" / "held", engine.mirror.folder / "incoming" / "held" / "0123"
    for place in (held, incoming):
        place.mkdir(parents=True)
    for one in people:
        (held / f"photo of {one.phone}.csv").write_text("none")
        (held / f"list {one.number % 7}.csv").write_text(f"who\n{one.phone}\n")
        (held / f"cut {one.number % 7}.csv.gz").write_bytes(gzip.compress(f"id,x\n1,{one.email}\n".encode())[:-6])
    lines = [f"{one.number},no number,{one.phone},maybe\n" for one in people]
    bad = folder / "contact_41_2026-11-04T00-00-00Z.csv"
    good = [f"{one.number},{one.word},{one.phone},false\n" for one in people]
    many = [f"{n},Nobody {n},+1212556{n:04},false\n" for n in range(1, 400)]
    bad.write_text("id,display_name,phone,is_opted_out\n" + "".join([*lines, *good, *many]))
    report = engine.load_single(LoadRequest(bad, "load", accept=True))
    assert (report.state, report.rejected) == ("merged", len(people))
    bad.rename(incoming / bad.name)
    whole = incoming / "contact_41_2026-11-05T00-00-00Z.csv"
    whole.write_text(
        "sep=;\nid;display_name;phone\n" + "".join(f'{p.number};"{p.word}\nx";{p.phone}\n' for p in people)
    )
