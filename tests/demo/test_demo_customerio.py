"""Simulated Customer.io files: names and columns as specified, the lives of the same people, the same bytes again."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.demo.customerio.account import Account
from promptsync.demo.customerio.columns import columns_of, tables
from promptsync.demo.customerio.files import ROWS, CioFile, Syncs, write
from promptsync.demo.customerio.messages import event_id
from promptsync.demo.drops import Drops
from promptsync.demo.truth.customerio import change_sets
from promptsync.demo.world.world import DAY, World
from promptsync.vendors import declared_schema
from promptsync.vendors.customerio.files import parse_change_set

FIELDS = {
    "deliveries": "workspace_id delivery_id internal_customer_id subject_id event_id delivery_type campaign_id"
    " action_id newsletter_id content_id trigger_id created_at transactional_message_id seq_num",
    "delivery_content": "delivery_id workspace_id type campaign_id action_id newsletter_id content_id from reply_to bcc"
    " recipient subject body body_amp body_plain preheader url method headers",
    "metrics": "event_id workspace_id delivery_id metric reason link_id link_url created_at seq_num proxied prefetched"
    " machine user_agent email_client inbox_domain inbox_provider mx_host",
    "outputs": "workspace_id output_id subject_name output_type action_id explanation delivery_id draft link_tracked"
    " split_test_index delay_ends_at branch_index manual_segment_id add_to_manual_segment created_at seq_num",
    "people": "workspace_id customer_id internal_customer_id deleted suppressed created_at updated_at email_addr",
    "subjects": "workspace_id subject_name internal_customer_id campaign_type campaign_id event_id trigger_id"
    " started_campaign_at created_at seq_num",
    "attributes": "workspace_id internal_customer_id attribute_name attribute_value timestamp",
    "campaigns": "workspace_id campaign_id name created_at updated_at version topic_names",
    "broadcasts": "workspace_id broadcast_id name created_at updated_at topic_names",
    "actions": "workspace_id campaign_id action_id name created_at updated_at version topic_names",
    "objects": "workspace_id object_type_id object_id internal_object_id deleted created_at updated_at",
    "object_types": "workspace_id object_type_id name slug deleted enabled updated_at",
    "object_attributes": "workspace_id object_type_id internal_object_id attribute_name attribute_value timestamp",
    "events": "workspace_id event_id internal_customer_id name type data timestamp processed_at sources source_uas",
    "inbound": "workspace_id event_id internal_customer_id timestamp processed_at channel from to body keyword optout"
    " messaging_service_sid message_sid in_reply_to_delivery_id",
}


@pytest.fixture(scope="module")
def account(busy: World) -> Account:
    account = Account(busy)
    account.grow()
    return account


@pytest.fixture(scope="module")
def waves(busy: World) -> list[list[CioFile]]:
    return Syncs(busy).days(busy.present - 4 * DAY, busy.present)


def test_columns_are_the_specified_ones(waves: list[list[CioFile]], tmp_path: Path) -> None:
    schema = declared_schema()
    written = {}
    for file in (file for wave in waves for file in wave if file.version == 5):
        written[file.table] = pq.read_schema(write(file, tmp_path))
    for table, fields in FIELDS.items():
        assert [column.name for column in columns_of(table, 5)] == fields.split()
        assert {column.name for column in schema[f"cio_{table}"].columns} == set(fields.split())
        assert written[table].names == fields.split()
        for column in columns_of(table, 5):
            type_ = written[table].field(column.name).type
            assert pa.types.is_timestamp(type_) is (column.kind == "t"), column
            assert pa.types.is_list(type_) is (column.kind == "l"), column
    assert sum(column.newer for column in columns_of("metrics", 5)) == 8
    assert len(columns_of("metrics", 4)) == 9


def test_every_table_and_every_kind_of_file_occurs(waves: list[list[CioFile]]) -> None:
    files = [file for wave in waves for file in wave]
    assert {(file.table, file.version) for file in files} >= {(table, 4) for table in tables()}
    assert {file.table for file in files} == set(FIELDS)
    kinds: Counter[tuple[str, bool, bool]] = Counter()
    for file in files:
        name = parse_change_set(file.name)
        assert name.table == f"cio_{file.table}"
        assert (name.version, *name.order) == (file.version, file.sequence, file.part)
        assert len(str(file.sequence)) == 18
        assert name.changes == (file.begin > 0 and file.table in ("people", "objects", "object_types"))
        assert (name.part > 0) == (file.begin == 0 and file.table == "metrics")
        kinds[file.table, name.changes, name.part > 0] += 1
    assert {table for table, changes, _ in kinds if changes} == {"people", "objects", "object_types"}
    assert kinds["metrics", False, True] >= 2  # a first sync in parts
    assert {stem.partition("_v")[0] for stem in (file.name for file in files)} >= {
        "object",
        "objects",
        "campaign_actions",
    }
    assert all(file.rows for file in files)


def test_files_come_late_twice_and_out_of_order(waves: list[list[CioFile]]) -> None:
    arrivals = [file for wave in waves for file in wave]
    assert sorted(Counter(file.name for file in arrivals).values())[-4:] == [2, 2, 2, 2]
    for table in ("people", "deliveries", "metrics"):
        ends = [file.end for file in arrivals if file.table == table]
        assert ends != sorted(ends)
    again = [file for file in waves[2] if file.table == "people" and not file.begin]
    first = [file for file in waves[1] if file.table == "people" and not file.begin]
    assert again[0].sequence > first[0].sequence


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def bytes_of(seed: int, folder: str) -> dict[str, bytes]:
        small = World(seed, contacts=120, messages=900)
        drops = Drops(small, tmp_path / folder)
        assert drops.days([], small.present - 4 * DAY, small.present) >= drops.left()
        assert (tmp_path / folder / "customerio" / "cio-validate").read_bytes() == b""
        return {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*.parquet")}

    first = bytes_of(1, "a")
    assert first == bytes_of(1, "b") != bytes_of(2, "c")
    assert len(first) > 25


def test_the_first_sync_has_no_one_who_is_gone(account: Account, busy: World) -> None:
    when = busy.present - DAY - busy.present % 1_000_000
    gone = {person.cio_id for person in account.people if person.gone is not None and person.gone < when}
    assert gone
    for table in ("people", "attributes", "events", "inbound", "deliveries", "subjects"):
        assert not gone & {row["internal_customer_id"] for row in ROWS[table](account, 0, when)}
    anonymous = [row for row in ROWS["deliveries"](account, 0, when) if row["internal_customer_id"] is None]
    assert anonymous


def test_who_goes_is_told_and_made_anonymous(account: Account) -> None:
    person = next(p for p in account.people if p.gone is not None and p.journeys)
    assert person.gone is not None
    stretch = person.gone, person.gone + 1_000_000
    (row,) = [r for r in ROWS["people"](account, *stretch) if r["internal_customer_id"] == person.cio_id]
    assert row["created_at"] is row["email_addr"] is None
    assert (row["deleted"], row["suppressed"]) in ((True, False), (False, True))
    told = {r["delivery_id"]: r["internal_customer_id"] for r in ROWS["deliveries"](account, *stretch)}
    assert {told[journey.delivery_id] for journey in person.journeys} == {None}


def test_inbound_messages_are_the_simulated_replies(account: Account, busy: World) -> None:
    wrote = {event_id(m): m for m in busy.log.messages if not m.outgoing}
    rows = list(ROWS["inbound"](account, busy.start, busy.present))
    assert len(rows) > 20
    for row in rows:
        message = wrote[str(row["event_id"])]
        assert (row["from"], row["to"]) == (message.conversation.contact.phone, message.conversation.channel.phone)
        assert row["body"] == (message.content or "")
    assert any(row["in_reply_to_delivery_id"] for row in rows)


def test_stretches_add_up(account: Account, busy: World) -> None:
    """Whatever the syncs' instants, the events and metrics told are the same, each once."""
    end = busy.present - busy.present % 1_000_000
    cuts = [end - 20 * DAY, end - 3 * DAY, end - DAY - 7_000_000, end]
    for table, key in (("metrics", "event_id"), ("events", "event_id"), ("delivery_content", "delivery_id")):
        parts = [row[key] for a, b in pairwise(cuts) for row in ROWS[table](account, a, b)]
        whole = [row[key] for row in ROWS[table](account, cuts[0], end)]
        assert sorted(map(str, parts)) == sorted(set(map(str, whole)))


def test_the_truth_knows_no_order_of_arrival(waves: list[list[CioFile]]) -> None:
    files = [file for wave in waves for file in wave]
    assert change_sets(files) == change_sets(files[::-1]) == change_sets(set_of(files))
    rows, _ = change_sets(files)
    assert all(rows[f"cio_{table}"] for table in FIELDS)
    assert any(row["email_addr"] for row in rows["cio_people"].values())  # a column that older files lack
    newest = {key[:2]: max(k for k in rows["cio_campaigns"] if k[:2] == key[:2]) for key in rows["cio_campaigns"]}
    assert set(rows["cio_campaigns_current"]) == set(newest.values()) < set(rows["cio_campaigns"])


def set_of(files: list[CioFile]) -> list[CioFile]:
    """Each file once."""
    return list({file.name: file for file in files}.values())
