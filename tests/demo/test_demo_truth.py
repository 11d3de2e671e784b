"""The truth: which source had the last word on each fact, shown case by case; and the comparison with a mirror."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from promptsync.clock import iso_millis
from promptsync.demo.prompt.days import EVERYTHING, Night, simulate
from promptsync.demo.prompt.events import Event, Events
from promptsync.demo.prompt.snapshot import TABLES, Value
from promptsync.demo.truth.compare import HAPPENED, TableResult, Truth, compare, truth
from promptsync.demo.truth.knowledge import Knowledge
from promptsync.demo.world.people import Contact
from promptsync.demo.world.time import RUN_DELAY, midnight_before
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.world import DAY, World
from promptsync.errors import Unavailable
from promptsync.model import Role
from promptsync.vendors import declared_schema


@pytest.fixture(scope="module")
def events(world: World) -> Events:
    return Events(world.log.staff)


def tell(*actions: Event | Night) -> Knowledge:
    """What is known after all of that, each at its time of arrival; times of receipt increase strictly."""
    knowledge, now = Knowledge(), 0
    for action in actions:
        now = max(now + 1, action.arrives)
        if isinstance(action, Night):
            knowledge.night(action.as_of)
        else:
            action.informs(knowledge, now)
    return knowledge


def night(as_of: int) -> Night:
    return Night(as_of, as_of + RUN_DELAY)


def first(world: World, wanted: Callable[[Message], bool]) -> Message:
    return next(message for message in world.log.messages if wanted(message))


def delivered(message: Message) -> bool:
    return message.ending is not None and message.ending.status == "DELIVERED"


def row_of(world: World, knowledge: Knowledge, message: Message) -> dict[str, Value]:
    return truth(world, knowledge).rows["message"][message.id,]


def test_nothing_told_nothing_known(world: World) -> None:
    found = truth(world, Knowledge())
    assert not any(found.rows.values())
    assert not any(found.happened.values())


def test_a_night_alone_fills_its_eight_tables(world: World) -> None:
    as_of = midnight_before(world.present)
    rows = truth(world, tell(night(as_of))).rows
    for table in TABLES:
        assert len(rows[table]) == len(list(TABLES[table](world, as_of))) > 0
    assert not any(rows[table] for table in rows.keys() - TABLES.keys())
    assert {row["org_id"] for row in rows["contact"].values()} == {world.org_id}
    assert {row["status"] for row in rows["message"].values()} == {None}


def test_a_message_that_only_webhooks_told(world: World, events: Events) -> None:
    message = first(world, delivered)
    assert message.ending is not None
    knowledge = tell(events.message_added(message), events.message_status((message,), message.ending.at, batch=False))
    row = row_of(world, knowledge, message)
    assert row["segments"] is row["is_mms"] is row["sent_timestamp"] is None
    assert (row["status"], row["is_successful"], row["is_outgoing"]) == ("DELIVERED", 1, 1)
    assert row["status_timestamp"] == iso_millis(message.ending.at)
    assert row["contact_phone"] == message.conversation.contact.phone


def test_a_late_sent_does_not_undo_delivered(world: World, events: Events) -> None:
    message = first(world, delivered)
    assert message.sent is not None
    assert message.ending is not None
    later = events.message_status((message,), message.ending.at, batch=True)
    early = events.message_status((message,), message.sent, batch=False).delayed(DAY)
    assert row_of(world, tell(later, early), message)["status"] == "DELIVERED"
    assert row_of(world, tell(early), message)["status"] == "SENT"


def test_undelivered_by_webhook_beats_every_later_night(world: World, events: Events) -> None:
    message = first(world, lambda m: m.status_exported(world.end + 9 * DAY) != m.status(world.end + 9 * DAY))
    assert message.ending is not None
    after = night(midnight_before(message.ending.at + 2 * DAY))
    assert row_of(world, tell(after), message)["is_successful"] == 1
    knowledge = tell(events.message_status((message,), message.ending.at, batch=False), after)
    assert row_of(world, knowledge, message)["is_successful"] == 0


def test_an_error_is_dated_by_its_receipt(world: World, events: Events) -> None:
    message = first(world, lambda m: m.ending is not None and m.ending.status == "FAILED")
    error = events.message_error(message).delayed(5_000_001)
    found = truth(world, tell(error))
    text = message.ending.text if message.ending else None
    assert found.rows["message"][message.id,]["error_message"] == text
    assert found.rows["message"][message.id,]["status_timestamp"] == iso_millis(error.arrives)
    assert found.happened["message_error"] == {(message.id, text, iso_millis(error.arrives)): 1}


def test_a_reply_is_put_down_to_its_broadcast_by_the_next_night(world: World, events: Events) -> None:
    message = first(world, lambda m: m.answers is not None)
    added = events.message_added(message)
    assert row_of(world, tell(added), message)["broadcast_id"] is None
    knowledge = tell(night(midnight_before(message.at + DAY + RUN_DELAY)), added)
    row = row_of(world, knowledge, message)
    assert message.answers is not None
    assert (row["broadcast_id"], row["is_broadcast"]) == (message.answers.id, 0)


def test_ids_that_are_only_mentioned(world: World, events: Events) -> None:
    message = first(world, lambda m: m.broadcast is not None)
    rows = truth(world, tell(events.message_added(message))).rows
    assert message.broadcast is not None
    for table, id_ in (
        ("broadcast", message.broadcast.id),
        ("contact", message.conversation.contact.id),
        ("channel", message.conversation.channel.id),
    ):
        known = {name: value for name, value in rows[table][id_,].items() if value is not None}
        assert known == {"id": id_, "org_id": world.org_id}


def test_a_contact_before_the_first_night(world: World, events: Events) -> None:
    contact = next(c for c in world.log.contacts if len(c.reaches) == 1)
    two = next(c for c in world.log.contacts if sum(reach.kind == "SMS" for reach in c.reaches) == 2)
    rows = truth(world, tell(events.customer_added(contact), events.customer_added(two))).rows["contact"]
    assert (rows[contact.id,]["phone"], rows[contact.id,]["is_opted_out"]) == (contact.phone, 0)
    assert rows[contact.id,]["region"] is None
    assert rows[two.id,]["phone"] is None  # which of the two is not said


def test_the_last_name_told_wins(world: World, events: Events) -> None:
    contact = next(c for c in world.log.contacts if len(c.name.times) > 1)
    renamed = contact.name.times[1]
    before, after = events.customer_modified((contact,), renamed - 1000), events.customer_modified((contact,), renamed)

    def name(*actions: Event | Night) -> Value:
        return truth(world, tell(*actions)).rows["contact"][contact.id,]["display_name"]

    assert name(before, after) == contact.name.values[1]
    assert name(after, before.delayed(DAY)) == contact.name.values[0]  # ordered by receipt
    healed = night(midnight_before(max(renamed, contact.updated(world.end)) + 3 * DAY))
    assert name(after, before.delayed(DAY), healed) == contact.name.at(world.end)


def opted_out(world: World) -> tuple[Contact, int]:
    return next((c, c.opted_out.times[1]) for c in world.log.contacts if len(c.opted_out.times) > 1)


def test_a_stale_copy_never_undoes_an_opt_out(world: World, events: Events) -> None:
    contact, at = opted_out(world)
    stale = events.customer_modified((contact,), at - 1000).delayed(DAY)
    knowledge = tell(events.opt_out_global((contact,), at), stale)
    row = truth(world, knowledge).rows["contact"][contact.id,]
    assert (row["is_opted_out"], row["opt_out_timestamp"]) == (1, iso_millis(at))
    knowledge = tell(night(midnight_before(at)), events.customer_modified((contact,), at))
    assert truth(world, knowledge).rows["contact"][contact.id,]["is_opted_out"] == 1


def test_a_copy_is_a_weak_word_for_an_opt_in(world: World, events: Events) -> None:
    contact = next(c for c in world.log.contacts if len(c.opted_out.times) > 2)
    left, back = contact.opted_out.times[1:3]
    copies = events.customer_modified((contact,), left + 1000), events.customer_modified((contact,), back + 1000)
    assert copies[0].body["customers"][0]["globalOptOutTimestamp"] == left // 1000

    def consent(*actions: Event) -> Value:
        return truth(world, tell(*actions)).rows["contact"][contact.id,]["is_opted_out"]

    assert consent(*copies) == 1
    assert consent(*copies, events.opt_out_global((contact,), back)) == 0


def test_what_a_whole_list_lacks_is_removed_then(world: World, events: Events) -> None:
    contact, tagging = next((c, t) for c in world.log.contacts for t in c.taggings if t.removed is not None)
    assert tagging.removed is not None
    on = events.customer_modified((contact,), tagging.removed - 1000)
    off = events.customer_modified((contact,), tagging.removed)
    key = contact.id, tagging.tag.id
    assert truth(world, tell(on)).rows["contact_current_tag"][key]["removed_at"] is None
    row = truth(world, tell(on, off, off.delayed(DAY))).rows["contact_current_tag"][key]
    assert row["removed_at"] == iso_millis(off.arrives)
    assert truth(world, tell(off, on.delayed(DAY))).rows["contact_current_tag"][key]["removed_at"] is None


def test_duplicates_happened_twice(world: World, events: Events) -> None:
    contact, at = opted_out(world)
    event = events.opt_out_global((contact,), at)
    changes = truth(world, tell(event, event.delayed(1_000_000))).happened["opt_out_change"]
    assert changes == {(contact.id, "GLOBAL", True, iso_millis(at), None): 2}


def test_a_table_without_its_file_keeps_the_older_night(world: World) -> None:
    newest = midnight_before(world.present)
    knowledge = tell(night(newest - 20 * DAY // DAY * DAY))
    knowledge.night(newest, [table for table in TABLES if table != "message"])
    assert len(truth(world, knowledge).rows["message"]) < len(list(TABLES["message"](world, newest)))


def test_a_troubled_week_is_healed_by_its_last_night(world: World) -> None:
    actions = list(simulate(world, world.present - 7 * DAY, world.present, EVERYTHING))
    last = midnight_before(world.present)
    knowledge = tell(*actions, Night(last, actions[-1].arrives))
    rows = truth(world, knowledge).rows
    whole = truth(world, tell(night(last))).rows
    for table in ("org", "contact_data", "contact_tag", "opt_out", "opt_in"):
        assert rows[table] == whole[table]
    assert rows["message"].keys() >= whole["message"].keys()
    knowledge.night(last - DAY)  # an older night that comes late changes nothing
    assert truth(world, knowledge).rows == rows


# -- comparison --------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirror(world: World) -> Iterator[tuple[Truth, sqlite3.Connection]]:
    """A mirror as it must be after three troubled days."""
    expected = truth(world, tell(*simulate(world, world.present - 3 * DAY, world.present, EVERYTHING)))
    connection = sqlite3.connect(":memory:")
    for table in declared_schema():
        hidden = ', "_absent_since" TEXT' if table.exported else ""
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        key = ", ".join(f'"{name}"' for name in table.key)
        connection.execute(f'CREATE TABLE "{table.name}" ({columns}{hidden}, PRIMARY KEY ({key}))')
        if table.role is Role.MIRROR and table.name in expected.rows:
            marks = ", ".join("?" * len(table.columns))
            rows = [tuple(row.values()) for row in expected.rows[table.name].values()]
            connection.executemany(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', rows)
    _happen(connection, expected)
    yield expected, connection
    connection.close()


def _happen(connection: sqlite3.Connection, expected: Truth) -> None:
    turn = 0
    for table, rows in expected.happened.items():
        for row in rows.elements():
            turn += 1
            marks = ", ".join("?" * len(row))
            connection.execute(
                f"INSERT INTO {table} (event_id, item, {', '.join(HAPPENED[table])}) VALUES (?, 0, {marks})",
                (turn, *row),
            )


def only_difference(results: list[TableResult]) -> TableResult:
    (found,) = [result for result in results if not result.equal]
    return found


def test_a_true_mirror_is_equal(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    results = compare(*mirror)
    assert all(result.equal and result.expected == result.found for result in results)
    assert {result.table for result in results} >= {*TABLES, "message_status", "conversation", "contact_current_tag"}
    assert sum(result.expected for result in results) > 4_000


def test_a_wrong_cell_is_named(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    mirror[1].execute("UPDATE contact SET display_name = 'Nobody' WHERE id = 1001")
    (wrong,) = only_difference(compare(*mirror)).different
    assert (wrong.key, wrong.column, wrong.found) == ((1001,), "display_name", "Nobody")


def test_missing_and_extra_rows_are_named(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    mirror[1].execute("UPDATE contact SET id = 5 WHERE id = 1001")
    found = only_difference(compare(*mirror))
    assert (found.missing, found.extra) == ([(1001,)], [(5,)])


def test_absent_rows_do_not_count(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    mirror[1].execute("INSERT INTO contact (id, _absent_since) VALUES (5, '2026-01-01T08:00:00.000Z')")
    assert all(result.equal for result in compare(*mirror))
    mirror[1].execute("UPDATE contact SET _absent_since = '2026-01-01T08:00:00.000Z' WHERE id = 1001")
    assert only_difference(compare(*mirror)).missing == [(1001,)]


def test_what_happened_once_too_often_counts(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    copy = "SELECT 0, item, org_id, message_id, status, at FROM message_status LIMIT 1"
    mirror[1].execute(f"INSERT INTO message_status {copy}")
    assert len(only_difference(compare(*mirror)).extra) == 1


def test_tables_that_are_not_there_lack_everything(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    mirror[1].execute("DROP TABLE tag")
    assert only_difference(compare(*mirror)).missing


def test_a_mirror_that_cannot_be_read_is_said_so(mirror: tuple[Truth, sqlite3.Connection]) -> None:
    mirror[1].close()
    with pytest.raises(Unavailable, match="read"):
        compare(*mirror)
