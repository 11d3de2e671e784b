"""Whatever door it comes by, nothing about an erased person gets in, and everybody else's does."""

import asyncio
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from left_out import AL, CANARY, MAIL, PHONE, forget, held

from promptsync import hookimpl
from promptsync.daemon.metrics import status_metrics
from promptsync.daemon.operations import OPERATIONS
from promptsync.events.claims import Claims
from promptsync.events.fields import Fields
from promptsync.loading.export import ExportLoader, ExportSource
from promptsync.loading.report import LoadRequest
from promptsync.merge.guards import Guards
from promptsync.model.delivery import Delivery
from promptsync.plugins.declared import FileKind
from promptsync.status.facts import Expectations
from promptsync.status.problems import NOTHING_YET
from promptsync.status.status import read_status
from promptsync.store.erased import suppressed
from promptsync.store.inbox import Inbox
from promptsync.testing import Kit
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.vendors.qlara.profile import QLARA

ZOE_ROW = {"id": 301, "display_name": CANARY, "phone": PHONE}
NOTE = {"id": 5, "managed": False, "contact_id": 302, "key": "likes", "value": "tea"}


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Kit]:
    made = Kit(tmp_path)
    yield made
    made.restart()


def nothing_came(kit: Kit) -> None:
    """Not one byte of it in the database, its log and the staging; not a row that is the person's."""
    everything = held(kit.engine.mirror)
    found = [text for text in (CANARY, PHONE, MAIL, PHONE[-7:]) if text.encode() in everything]
    assert not found
    assert not kit.rows("SELECT * FROM contact WHERE id = 301")
    assert set(kit.problems()) <= {NOTHING_YET}


def count(kit: Kit) -> tuple[int, int]:
    with kit.engine.mirror.reading() as connection:
        found = suppressed(connection)
    return found.rows, found.deliveries


def _message(number: int, contact: int | None, phone: str, text: str) -> dict[str, Any]:
    row = {"id": number, "contact_id": contact, "contact_phone": phone, "content": text, "is_outgoing": True}
    return row | {"created_timestamp": "2026-02-04T07:00:00Z", "org_phone": "+14155550100"}


@pytest.mark.parametrize(
    ("table", "theirs", "other"),
    [
        ("contact", ZOE_ROW, AL),
        ("contact_data", {**NOTE, "id": 6, "contact_id": 301, "value": CANARY}, NOTE),
        ("contact_tag", {"id": 6, "contact_id": 301, "name": CANARY}, {"id": 5, "contact_id": 302, "name": "x"}),
        ("message", _message(6, 301, PHONE, CANARY), _message(5, 302, AL["phone"], "hi")),
        ("message", _message(6, None, "(415) 555-0123", CANARY), _message(5, None, AL["phone"], "hi")),
        ("message", _message(9001, None, "", CANARY), _message(5, None, "", "hi")),
        ("opt_out", {"id": 6, "contact_id": 301, "type": CANARY}, {"id": 5, "contact_id": 302, "type": "CONTACT"}),
    ],
)
@pytest.mark.parametrize("many", [False, True], ids=["small", "large"])
def test_nightly_files(
    kit: Kit,
    table: str,
    theirs: Mapping[str, Any],
    other: Mapping[str, Any],
    many: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if many:
        monkeypatch.setattr("promptsync.engine.engine.SMALL_BYTES", 0)
    forget(kit.engine.mirror)
    report = kit.load(table, [other, theirs])
    assert (report.state, report.rows, report.inserted, report.suppressed, report.rejected) == ("merged", 2, 1, 1, 0)
    assert [row["id"] for row in kit.rows(table)] == [other["id"]]
    again = kit.load(table, [other, theirs], as_of="2026-02-05T08:00:00Z")
    assert (again.rows, again.unchanged, again.absent) == (2, 1 if again.suppressed else 2, 0)
    nothing_came(kit)
    assert count(kit)[0] >= 1


@pytest.mark.parametrize(
    "spoiled", ['301,"Zanzibar",+14155550123,maybe', "301,Zanzibar,+14155550123", "x,Zanzibar,+14155550123,maybe"]
)
def test_rows_of_nightly_files_that_cannot_be_read(kit: Kit, spoiled: str) -> None:
    forget(kit.engine.mirror)
    path = kit.folder / "contact_1_2026-02-04T08-00-00Z.csv"
    others = "".join(f"{n},P{n},,false\n" for n in range(400, 500))
    path.write_text(f"id,display_name,phone,is_opted_out\n{spoiled}\n302,Al,,maybe\n{others}")
    report = kit.load_file(path)
    assert (report.state, report.rejected, report.suppressed) == ("merged", 1, 1)
    (reject,) = kit.rows("SELECT original FROM sync_reject")
    assert reject["original"] == b"302,Al,,maybe"
    kit.engine.mirror.writer.run(lambda connection: connection.execute("DELETE FROM sync_reject"))
    nothing_came(kit)


def test_a_file_of_nobody_else_is_no_empty_one(kit: Kit) -> None:
    """Nor does it lack rows that the night before had: whoever is left out was there."""
    kit.load("contact", [ZOE_ROW])
    kit.engine.mirror.writer.run(lambda connection: connection.execute("DELETE FROM contact"))
    forget(kit.engine.mirror)
    path = kit.folder / "contact_1_2026-02-05T08-00-00Z.csv"
    path.write_text(f"id,display_name,phone\n301,{CANARY},{PHONE}\n")
    report = kit.load_file(path, accept=False)
    assert (report.state, report.rows, report.suppressed, report.error) == ("merged", 1, 1, None)


PEOPLE = {
    "workspace_id": [7, 7, 7],
    "internal_customer_id": ["a3000001f7", "a3000002f8", "a3000003f9"],
    "customer_id": ["301", "302", "303"],
    "email_addr": [CANARY, "al@club.example", MAIL.upper()],
    "updated_at": [1_770_000_000_000] * 3,
}
CONTENT = {
    "workspace_id": [7, 7],
    "delivery_id": ["d1", "d2"],
    "recipient": [PHONE, "+14155550124"],
    "body": [CANARY, "hi"],
}


@pytest.mark.parametrize(
    ("stem", "columns", "left"),
    [("people", PEOPLE, {"a3000002f8", "a3000003f9"}), ("delivery_content", CONTENT, {"d2"})],
)
def test_change_sets(kit: Kit, stem: str, columns: Mapping[str, list[Any]], left: set[str]) -> None:
    forget(kit.engine.mirror)
    path = kit.folder / f"{stem}_v5_7_{1:018d}.parquet"
    arrays = {name: pa.array(cells) for name, cells in columns.items()}
    if "updated_at" in arrays:
        arrays["updated_at"] = arrays["updated_at"].cast(pa.timestamp("ms", "UTC"))
    pq.write_table(pa.table(arrays), path)
    report = kit.load_file(path)
    rows = len(columns["workspace_id"])
    assert (report.state, report.rows, report.inserted) == ("merged", rows, len(left))
    assert report.suppressed == rows - len(left)
    key = next(name for name in columns if name != "workspace_id")
    assert {row[key] for row in kit.rows(f"cio_{stem}")} == left
    assert CANARY.encode() not in held(kit.engine.mirror)


def test_exports_and_pages_of_an_api(kit: Kit) -> None:
    mirror = kit.engine.mirror
    forget(mirror)
    kind = QLARA.kind("contacts")
    rows = ExportRows(kind, mirror.schema[kind.table])
    loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: 1_770_000_000_000_000)
    said = [
        {"id": "q301", "phone": "", "first_name": CANARY},
        {"id": "", "phone": "415 555 0123", "first_name": CANARY},
        {"id": "q2", "phone": "+14155550124", "first_name": "Al"},
        {"id": "q3", "phone": PHONE, "first_name": CANARY, "updated_at": "soon"},
    ]
    path = kit.folder / "contacts.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "phone", "first_name", "updated_at"])
        writer.writeheader()
        writer.writerows(said)
    source = ExportSource(path, path.name, "test", rows, 1_770_000_000_000_000, vouched=True, accepted=True)
    report = loader.load(source, lambda *_: None)
    assert (report.inserted, report.suppressed, report.rejected, report.unchanged) == (1, 3, 0, 0)
    page = loader.merge_objects(rows, said, 1_770_000_000_000_000, "test")
    assert (page.inserted, page.suppressed, page.rejected) == (0, 3, 0)
    assert [row["id"] for row in kit.rows("qlara_contact")] == ["q2"]
    assert count(kit)[0] == 6
    nothing_came(kit)


def _customer(number: int, name: str, phone: str) -> dict[str, Any]:
    channels = [{"identityType": "SMS", "key": phone}]
    return {"id": number, "displayName": name, "userType": "CUSTOMER", "createdTimestamp": 1, "channels": channels}


ZOE_CUSTOMER, AL_CUSTOMER = _customer(301, CANARY, PHONE), _customer(302, "Al", "+14155550124")
ALONE = {"orgId": 1, "timestamp": 1_770_000_000_000, "customer": ZOE_CUSTOMER}
BOTH = {"orgId": 1, "customers": [ZOE_CUSTOMER, AL_CUSTOMER]}
STATUS = {"id": 9001, "userType": "TEAM_MEMBER", "userId": 4, "content": CANARY, "status": "SENT"}
TOLD = {"orgId": 1, "messages": [STATUS, {**STATUS, "id": 8, "content": "hi"}]}


def _stored(kit: Kit, deliveries: list[Delivery]) -> None:
    inbox = Inbox(kit.engine.mirror, kit.engine.clock, door=kit.engine.suppression.delivery)

    async def store() -> None:
        await asyncio.gather(*(inbox.store(one) for one in deliveries))

    asyncio.run(store())
    kit.engine.apply_pending()


def _imported(kit: Kit, deliveries: list[Delivery]) -> None:
    lines = [
        {"received_at": f"2026-02-04T08:00:0{n}Z", "path": one.path, "body": one.body}
        for n, one in enumerate(deliveries)
    ]
    for _ in range(2):
        OPERATIONS["import-events"](kit.engine, {"lines": lines}, lambda _: None)


def _posted(kit: Kit, deliveries: list[Delivery]) -> None:
    for one in deliveries:
        kit.post(one.path, json.loads(one.body))


@pytest.mark.parametrize("take_in", [_stored, _imported, _posted], ids=["webhook", "import", "kit"])
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_deliveries(kit: Kit, take_in: Callable[[Kit, list[Delivery]], None], large: bool) -> None:
    forget(kit.engine.mirror)
    more = {"filler": "x" * 70_000} if large else {}
    bodies = {"customer/added": ALONE, "customer/modified": BOTH, "message/status": TOLD}
    take_in(kit, [Delivery(type_, json.dumps(body | more), type=type_) for type_, body in bodies.items()])
    events = {row["type"]: row for row in kit.rows("sync_event")}
    assert {row["state"] for row in events.values()} == {"applied"}
    assert json.loads(events["customer/added"]["body"]) == {"orgId": 1, "timestamp": 1_770_000_000_000}
    assert json.loads(events["customer/modified"]["body"]) == {"orgId": 1, "customers": [AL_CUSTOMER], **more}
    assert len(events) == 3
    assert count(kit)[1] >= 3
    replayed = OPERATIONS["replay"](kit.engine, {}, lambda _: None)
    assert replayed == {"replayed": 2, "failed": 0}  # of what is about nobody else nothing is left to apply
    assert [row["id"] for row in kit.rows("contact")] == [302]
    assert [row["id"] for row in kit.rows("message")] == [8]
    nothing_came(kit)


@pytest.mark.parametrize("body", [f'{{"orgId": 1, "phone": "{PHONE}"', f'["call {PHONE}"]', f"{CANARY} {MAIL}"])
def test_a_delivery_that_is_no_object_and_names_them_is_not_kept(kit: Kit, body: str) -> None:
    forget(kit.engine.mirror)
    _stored(kit, [Delivery("message/added", body), Delivery("message/added", "not JSON")])
    assert [(row["state"], row["body"]) for row in kit.rows("sync_event")] == [("applied", ""), ("failed", "not JSON")]
    assert PHONE.encode() not in held(kit.engine.mirror)


def test_a_collision_of_their_delivery_keeps_no_body(kit: Kit) -> None:
    kit.load("contact", [AL], org=2)
    forget(kit.engine.mirror)
    kit.post("customer/modified", BOTH)
    (reject,) = kit.rows("SELECT original FROM sync_reject")
    assert json.loads(reject["original"]) == {"orgId": 1, "customers": [AL_CUSTOMER]}


class _Plugin:
    """Claims rows out of deliveries and files."""

    @hookimpl
    def event_handlers(self) -> dict[str, Any]:
        def handle(body: Fields, claims: Claims) -> None:
            for number in (301, 302):
                claims.row("contact", number).told("name", claims.at, CANARY if number == 301 else "Al")

        return {"crm/seen": handle}

    @hookimpl
    def file_kinds(self) -> list[FileKind]:
        def decode(path: Path) -> Iterator[Claims]:
            for line in path.read_text().splitlines():
                number, name = line.split(",")
                claims = Claims(0, 1, 1_770_000_000_000_000, [])
                claims.row("contact", int(number)).told("name", claims.at, name)
                yield claims

        return [FileKind("names", "*.names", decode)]


def test_what_plugins_claim(kit: Kit) -> None:
    kit.enable(_Plugin(), "crm")
    forget(kit.engine.mirror)
    kit.post("crm/seen", {"orgId": 1})
    path = kit.folder / "some.names"
    path.write_text(f"301,{CANARY}\n303,Bo\n")
    report = kit.load_file(path)
    assert (report.state, report.suppressed) == ("merged", 1)
    assert [(row["id"], row["display_name"]) for row in kit.rows("contact")] == [(302, "Al"), (303, "Bo")]
    nothing_came(kit)


def test_columns_that_nobody_declared_do_not_matter(kit: Kit) -> None:
    forget(kit.engine.mirror)
    path = kit.folder / "contact_1_2026-02-04T08-00-00Z.csv"
    path.write_text(f"id,display_name,mood\n301,x,{CANARY}\n302,Al,good\n")
    assert kit.load_file(path).suppressed == 1
    assert [row["mood"] for row in kit.rows("contact")] == ["good"]
    nothing_came(kit)


def test_a_held_file_is_looked_into_once_it_is_accepted(kit: Kit) -> None:
    forget(kit.engine.mirror)
    kit.load("contact", [AL, *({"id": n} for n in range(400, 410))])
    path = kit.folder / "contact_1_2026-02-05T08-00-00Z.csv"
    path.write_text(f"id,display_name,phone\n301,{CANARY},{PHONE}\n302,Al,\n")
    (report,) = kit.engine.load([LoadRequest(path, "test")])
    assert report.state == "held"
    assert CANARY.encode() not in held(kit.engine.mirror)
    assert kit.load_file(path).suppressed == 1
    assert CANARY.encode() not in held(kit.engine.mirror)


def test_nothing_is_looked_at_while_nobody_was_erased(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("promptsync.events.recognition.Recogniser.__init__", refuse)
    kit.load("contact", [ZOE_ROW])
    kit.post("customer/modified", BOTH)
    assert [row["id"] for row in kit.rows("contact")] == [301, 302]


def test_what_was_left_out_is_counted_for_those_who_watch(kit: Kit) -> None:
    forget(kit.engine.mirror)
    kit.load("contact", [AL, ZOE_ROW])
    kit.post("customer/modified", BOTH)
    mirror, expected = kit.engine.mirror, Expectations(timedelta(days=1), ZoneInfo("UTC"))
    with mirror.reading() as connection:
        families = list(status_metrics(read_status(connection, mirror.schema, expected, kit.engine.clock()), 0))
    (found,) = [family for family in families if family.name == "promptsync_suppressed"]
    assert {one.labels["what"]: one.value for one in found.samples} == {"rows": 1, "deliveries": 1}


def test_the_key_that_is_lost_is_said(kit: Kit) -> None:
    forget(kit.engine.mirror)
    (kit.engine.mirror.folder / "erased.key").unlink()
    assert [problem for problem in kit.problems() if "erased.key is not there" in problem]
