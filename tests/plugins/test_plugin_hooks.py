"""Every hook, from outside: what a plugin declares shows in the mirror, the files, the ledger and the commands."""

import inspect
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import promptsync
from promptsync import (
    Change,
    Claims,
    Column,
    Fields,
    FileKind,
    Filter,
    Kind,
    Observer,
    ReadOnly,
    Role,
    Source,
    Table,
    hookimpl,
    hookspecs,
)
from promptsync.clock import parse_iso
from promptsync.plugins.declared import Declared
from promptsync.testing import Kit
from tests.plugins.plugin_samples import AT, contact, message, opt_out

ORG = Column("org_id", Kind.INTEGER, "Organization")


def plugin(**hooks: Any) -> SimpleNamespace:
    """A plugin that returns these declarations."""
    made = SimpleNamespace()
    for name, value in hooks.items():
        scope: dict[str, Any] = {"value": value}
        exec(f"def {name}(settings): return value", scope)  # noqa: S102  a hook's name is its function's
        setattr(made, name, hookimpl(scope[name]))
    return made


def specs() -> dict[str, Any]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return {name: getattr(hookspecs, name) for name in vars(manager.hook) if not name.startswith("_")}


def test_every_hook_is_documented() -> None:
    assert set(specs()) == set(Declared.__slots__)
    for name, function in specs().items():
        assert len(inspect.getdoc(function) or "") > 30, f"{name} needs a docstring"
        assert list(inspect.signature(function).parameters) == ["settings"]


def test_public_names_are_there_and_documented() -> None:
    for name in promptsync.__all__:
        found = getattr(promptsync, name)
        said = name in ("Check", "EventHandler", "MISSING", "Schedule", "hookimpl")  # beside them, where they are made
        assert isinstance(found, str) or said or inspect.getdoc(found)
    with pytest.raises(AttributeError, match="nonsense"):
        promptsync.nonsense  # noqa: B018


def test_a_new_event_type_fills_a_new_table_and_new_columns(kit: Kit) -> None:
    pledge = Table(
        "pledge",
        "Pledges.",
        ("id",),
        (Column("id", Kind.INTEGER, "ID"), ORG, Column("amount", Kind.INTEGER, "Dollars", "facts")),
    )
    heard = Table(
        "pledge_heard",
        "Each pledge.",
        ("event_id", "item"),
        (
            Column("event_id", Kind.INTEGER, "Delivery"),
            Column("item", Kind.INTEGER, "Item"),
            ORG,
            Column("amount", Kind.INTEGER, "Dollars"),
        ),
        Role.HAPPENED,
    )

    def handle(fields: Fields, claims: Claims) -> None:
        amount = fields.integer("amount")
        claims.row("pledge", fields.need("id")).told("facts", claims.at, amount)
        claims.row("contact", fields.need("who")).told("pledged", claims.at, amount)
        claims.event("pledge_heard", 0, amount)

    kit.enable(
        plugin(
            tables=[pledge, heard],
            columns={"contact": [Column("pledged", Kind.INTEGER, "Dollars", "pledged")]},
            event_handlers={"pledge/added": handle},
        ),
        "pledges",
    )
    id_ = kit.post("pledge/added", {"orgId": 1, "id": 7, "who": 3, "amount": 50})
    assert kit.event(id_)["state"] == "applied"
    assert kit.rows("SELECT id, org_id, amount FROM pledge") == [{"id": 7, "org_id": 1, "amount": 50}]
    assert kit.rows("SELECT id, pledged FROM contact") == [{"id": 3, "pledged": 50}]
    assert kit.rows("pledge_heard") == [{"event_id": id_, "item": 0, "org_id": 1, "amount": 50}]
    kit.load("contact", [contact(3)])
    assert kit.rows("SELECT display_name, pledged FROM contact") == [{"display_name": "Contact 3", "pledged": 50}]


def test_an_unknown_type_waits_until_a_plugin_knows_it(kit: Kit) -> None:
    id_ = kit.post("pledge/added", {"orgId": 1, "id": 7})
    assert kit.event(id_)["state"] == "unknown_type"
    kit.restart().enable(plugin(event_handlers={"pledge/added": lambda f, c: c.mention("contact", f.need("id"))}), "pl")
    kit.engine.mirror.writer.run(lambda c: c.execute("UPDATE sync_event SET state = 'pending'") and None)
    kit.engine.apply_pending()
    assert (kit.event(id_)["state"], kit.rows("SELECT id FROM contact")) == ("applied", [{"id": 7}])


def test_a_plugin_cannot_claim_what_is_to_come(kit: Kit) -> None:
    """Neither a handler nor a filter: the latest claim wins, so a wrong year would win for ever."""
    late = 2_926_000_000_000_000

    def handle(fields: Fields, claims: Claims) -> None:
        claims.row("contact", 5, seen=late).told("name", late, "from 2062")
        claims.full_list(5, "tags")

    def later(type_: str, claims: Claims) -> None:
        if type_ == "customer/added":
            claims.row("contact", 6, seen=late).told("name", late, "from 2062")

    kit.enable(plugin(event_handlers={"customer/added": handle}, filters=[Filter(claims=later)]), "late")
    kit.post("customer/added", {"orgId": 1, "customer": {"id": 5}}, "2026-02-04T08:00:00Z")
    seen = {"id": 5, "displayName": "now"}, {"id": 6, "displayName": "now"}
    for customer in seen:
        kit.post("customer/modified", {"orgId": 1, "customers": [customer]}, "2026-02-04T08:06:00Z")
    assert [row["display_name"] for row in kit.rows("SELECT display_name FROM contact")] == ["now", "now"]


def test_claims_can_be_changed_and_dropped(kit: Kit) -> None:
    def mask(type_: str, claims: Claims) -> None:
        if type_ == "customer/optOut":
            claims.rows.clear()
        for row in claims.rows:
            if row.table == "contact" and "name" in row.groups:
                row.groups["name"] = (row.groups["name"][0], ("hidden",))

    kit.enable(plugin(filters=[Filter(claims=mask)]), "mask")
    customer = {"id": 5, "displayName": "Ana", "createdTimestamp": 1}
    kit.post("customer/added", {"orgId": 1, "customer": customer})
    assert kit.post("customer/optOut", opt_out(6)) == 2
    assert kit.rows("SELECT id, display_name FROM contact") == [{"id": 5, "display_name": "hidden"}]
    assert len(kit.rows("opt_out_change")) == 1


def test_rows_of_files_can_be_changed_and_dropped(kit: Kit) -> None:
    def keep(table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pc.not_equal(batch["id"], 2)) if table == "contact" else batch

    kit.enable(plugin(filters=[Filter(rows=keep)]), "keep")
    for night in ("2026-02-04T08:00:00Z", "2026-02-05T08:00:00Z"):
        assert kit.load("contact", [contact(n) for n in (1, 2, 3)], as_of=night).state == "merged"
    assert [row["id"] for row in kit.rows("SELECT id FROM contact ORDER BY id")] == [1, 3]


def test_a_filter_sees_every_row_of_every_file_while_it_is_enabled(kit: Kit) -> None:
    kit.enable(plugin(filters=[Filter(rows=lambda _, batch: batch.filter(pc.less(batch["id"], 100)))]), "few")
    rows = [
        {"id": n, "content": f"Message {n} " * 9, "created_timestamp": "2026-01-01T00:00:00Z"} for n in range(1, 3001)
    ]
    kit.load("message", rows)
    kit.restart()._given.clear()
    rows[2000]["content"] = "New"
    kit.load("message", rows, as_of="2026-02-05T08:00:00Z")
    assert kit.rows("SELECT count(*) AS n FROM message") == [{"n": 3000}]

    def blank(_: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        place = batch.schema.get_field_index("content")
        return batch.set_column(place, "content", pa.nulls(len(batch)).cast("string"))

    kit.restart().enable(plugin(filters=[Filter(rows=blank)]), "blank")
    kit.load("message", rows, as_of="2026-02-06T08:00:00Z")
    assert kit.rows("SELECT count(content) AS n FROM message") == [{"n": 0}]


def test_a_file_kind_of_a_plugin_is_merged_once(kit: Kit, tmp_path: Path) -> None:
    def decode(path: Path) -> Any:
        for line in path.read_text().splitlines():
            claims = Claims(0, 1, AT * 1000, [])
            claims.row("contact", int(line)).told("name", claims.at, f"From list {line}")
            yield claims

    kit.enable(plugin(file_kinds=[FileKind("people", "people_*.txt", decode)]), "people")
    file = tmp_path / "people_1.txt"
    file.write_text("".join(f"{n}\n" for n in range(1, 1201)))
    report = kit.load_file(file)
    assert (report.state, report.rows) == ("merged", 1200)
    assert kit.rows("SELECT count(*) AS n, max(display_name) AS last FROM contact") == [
        {"n": 1200, "last": "From list 999"}
    ]
    assert kit.load_file(file).state == "unchanged"
    assert [row["state"] for row in kit.rows("sync_file")] == ["merged"]


def test_a_file_that_cannot_be_decoded_to_its_end_merges_nothing(kit: Kit, tmp_path: Path) -> None:
    def decode(path: Path) -> Any:
        for n in range(1, 1000):
            claims = Claims(0, 1, AT * 1000, [])
            claims.row("contact", n if n < 900 else "nine hundred").told("name", claims.at, "x")
            yield claims

    kit.enable(plugin(file_kinds=[FileKind("people", "*.txt", decode)]), "people")
    (tmp_path / "a.txt").write_text("x")
    report = kit.load_file(tmp_path / "a.txt")
    assert report.state == "failed" and "plugin people: file_kinds: contact.id takes integer" in str(report.error)
    assert not kit.rows("contact")
    assert [(row["state"], row["error"]) for row in kit.rows("sync_file")] == [("failed", report.error)]


def test_a_file_that_speaks_of_a_time_to_come_waits_for_a_person(kit: Kit, tmp_path: Path) -> None:
    def decode(path: Path) -> Any:
        claims = Claims(0, 1, AT * 1000, [])
        claims.row("contact", 7).told("name", parse_iso("2062-02-04T08:00:00Z"), "typo")
        yield claims

    kit.enable(plugin(file_kinds=[FileKind("people", "*.txt", decode)]), "people")
    (tmp_path / "a.txt").write_text("x")
    report = kit.load_file(tmp_path / "a.txt", accept=False)
    assert report.state == "held" and "2062-02-04" in str(report.error) and not kit.rows("contact")
    assert kit.load_file(tmp_path / "a.txt").state == "merged"


def test_a_source_fetches_into_the_drop_folder(kit: Kit, tmp_path: Path) -> None:
    def fetch(folder: Path) -> None:
        assert not list(folder.iterdir())
        (folder / "people_2.txt").write_text("1\n")

    kit.enable(plugin(sources=[Source("list", timedelta(hours=1), fetch)]), "people")
    (loaded,) = kit.engine.plugins.extensions.plugins
    drop = kit.config.drop.folder
    assert kit.engine.plugins.scheduled(loaded, loaded.declared.sources[0], drop) == "1 files fetched"
    assert [str(path.relative_to(drop)) for path in drop.rglob("*")] == ["people", "people/people_2.txt"]


def test_observers_are_told_what_changed_and_only_that(kit: Kit) -> None:
    told: list[Change] = []

    def hear(changes: list[Change], mirror: ReadOnly) -> None:
        told.extend(changes)
        assert mirror.rows("SELECT count(*) AS n FROM contact")[0]["n"] >= 1
        with pytest.raises(Exception, match=r"readonly|read-only"):
            mirror.rows("DELETE FROM contact")
        with pytest.raises(Exception, match="attached"):
            mirror.rows("ATTACH '/tmp/x.db' AS x")

    watched = {"contact": ("is_opted_out",), "opt_out_change": ()}
    kit.enable(plugin(observers=[Observer("outs", watched, hear, batch=2)]), "outs")
    kit.load("contact", [contact(n) for n in (1, 2, 3)])
    kit.tell()
    assert sorted(change.key for change in told) == [(1,), (2,), (3,)]
    told.clear()
    kit.load("contact", [contact(n, display_name="New") for n in (1, 2, 3)], as_of="2026-02-05T08:00:00Z")
    kit.post("customer/optOut", opt_out(2, AT + 3 * 86_400_000))
    kit.tell()
    assert [(change.table, change.key) for change in told] == [("contact", (2,)), ("opt_out_change", (1, 0))]
    assert told[0].revision == kit.rows("SELECT _rev FROM contact WHERE id = 2")[0]["_rev"]
    assert kit.tell() == 0 and not kit.rows("sync_change")


def test_what_was_not_told_waits_across_a_restart(kit: Kit) -> None:
    told: list[Any] = []
    kit.enable(plugin(observers=[Observer("all", {"contact": ()}, lambda changes, _: told.extend(changes))]), "all")
    kit.load("contact", [contact(1)])
    kit.restart()
    kit.tell()
    assert [change.key for change in told] == [(1,)]


def test_without_plugins_nothing_is_watched(kit: Kit) -> None:
    kit.enable(plugin(observers=[Observer("all", {"contact": ()}, lambda *_: None)]), "all")
    kit.load("contact", [contact(1)])
    assert kit.rows("sync_change") and kit.engine.plugins.queues
    kit.restart()
    kit._given.clear()
    triggers = kit.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'sync_change%'")
    assert not triggers and not kit.rows("sync_change")
    assert kit.engine.plugins.applier is None


def test_in_addition_to_ours(kit: Kit) -> None:
    seen: list[Any] = []
    kit.enable(plugin(event_handlers={"message/added": lambda f, c: seen.append(c.org_id)}), "more")
    kit.post("message/added", message(9, "hello"))
    assert seen == [1] and kit.rows("SELECT content FROM message") == [{"content": "hello"}]
