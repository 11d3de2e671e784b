"""Single cases of the rule that are easy to get wrong, each as short as it can be told."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise, permutations
from typing import Any

import pytest

from promptsync.merge.spec import WEBHOOK

from .driver import Driver, Load
from .files import write_file
from .model import BAD, File
from .model_events import Event
from .model_files import Decoded, DecodedRow
from .world_values import HOUR, NIGHTS

FIRST, SECOND, THIRD = NIGHTS
Drivers = Callable[[], Driver]


def message(as_of: int, rows: list[tuple[Any, ...]], *columns: str) -> File:
    return File("message", 1, as_of, ("id", *(columns or ("content", "segments"))), tuple(rows))


def tell(driver: Driver, type_: str, at: int, **body: Any) -> None:
    driver.store([Event(type_, json.dumps({"orgId": 1} | body), at)])
    driver.apply_all()


def sent(at: int, message_id: int = 10) -> Event:
    body = {"orgId": 1, "timestamp": at // 1000, "message": {"id": message_id, "content": "told", "status": "SENT"}}
    return Event("message/status", json.dumps(body), at)


def load(driver: Driver, *files: File) -> None:
    for n, file in enumerate(files):
        report = driver.load(write_file(driver.folder / f"{file.as_of}-{n}", file))
        assert report.state == "merged", report


def test_an_older_file_may_bring_a_column_nobody_knew(driver: Driver) -> None:
    """The newer file held the row without having the column: it says nothing about it."""
    load(driver, message(SECOND, [(10, "a")], "content"), message(FIRST, [(10, "a", "glad")], "content", "mood"))
    assert driver.rows("message", "id, mood") == [(10, "glad")]


def test_so_does_an_older_file_that_was_interrupted_before_a_restart(drivers: Drivers) -> None:
    for killed_after in range(1, 8):
        driver = drivers()
        load(driver, message(SECOND, [(10, "a")], "content"))
        first = write_file(driver.folder / "first", message(FIRST, [(10, "a", "glad")], "content", "mood"))
        driver.load_amid(first, Load(0, {}, killed_after), [])
        driver.restart()
        driver.load(first)
        assert driver.rows("message", "id, mood") == [(10, "glad")], killed_after


def test_a_dropped_column_keeps_what_the_last_file_said(driver: Driver) -> None:
    load(
        driver, message(FIRST, [(10, "a", 2)]), message(SECOND, [(10, "a", 3)]), message(THIRD, [(10, "b")], "content")
    )
    assert driver.rows("message", "id, content, segments") == [(10, "b", 3)]


def test_a_dropped_column_keeps_what_the_last_file_said_again(driver: Driver) -> None:
    """The second file repeated the first and wrote nothing, but it did say so: what comes in between is older."""
    load(
        driver, message(FIRST, [(10, "a", 2)]), message(SECOND, [(10, "a", 2)]), message(THIRD, [(10, "a")], "content")
    )
    load(driver, message(FIRST + HOUR, [(10, "a", 9)]))
    assert driver.rows("message", "id, segments") == [(10, 2)]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_dropped_column_is_not_asserted_for_rows_the_file_before_lacked(drivers: Drivers, restarted: bool) -> None:
    """Row 11 is new in the third file, which drops the column; what an event said of it long before still counts.

    Wherever the merge of the third file is interrupted, the rows it has marked by then must not pass for the second's.
    """
    error = {"message": {"id": 11, "status": "FAILED"}, "errorMessage": "no such number"}
    for killed_after in range(1, 11):
        driver = drivers()
        load(driver, message(SECOND, [(10, "a", "x")], "content", "error_message"))
        third = write_file(driver.folder / "third", message(THIRD, [(10, "a"), (11, "b")], "content"))
        driver.load_amid(third, Load(0, {}, killed_after), [])
        if restarted:
            driver.restart()
        tell(driver, "message/error", FIRST, **error)
        driver.load(third)
        assert driver.rows("message", "id, error_message") == [(10, "x"), (11, "no such number")], killed_after


def test_a_snapshot_counts_from_its_commit_on(drivers: Drivers) -> None:
    """What arrives before the loader has heard of that commit is judged by the new snapshot all the same."""
    late = [sent(FIRST + HOUR), sent(FIRST + HOUR, 11)]
    for amid in range(1, 12):
        driver = drivers()
        load(driver, message(FIRST, [(10, "a", 1), (11, "a", 1)]))
        second = write_file(driver.folder / "second", message(SECOND, [(10, "a", 1), (12, "c", 1)]))
        driver.load_amid(second, Load(0, {amid: (0, 1)}), late)
        driver.store(late)
        driver.apply_all()
        assert driver.rows("message", "id, content, _absent_since") == [
            (10, "a", None),
            (11, "told", "2026-02-02T08:00:00.000Z"),
            (12, "c", None),
        ], amid


def test_a_field_of_contacts_without_its_value_column_still_says_the_rest(driver: Driver) -> None:
    columns = ("id", "managed", "contact_id", "key", "value")
    load(driver, File("contact_data", 1, FIRST, columns, ((10, 0, 1, "size", "L"),)))
    load(driver, File("contact_data", 1, SECOND, columns[:-1], ((10, 0, 2, "shape"),)))
    assert driver.rows("contact_data", "id, contact_id, key, value, deleted") == [(10, 2, "shape", "L", 0)]


def test_an_accepted_file_of_nothing_but_a_header_makes_every_row_absent(driver: Driver) -> None:
    load(driver, message(FIRST, [(10, "a", 1)]), message(SECOND, []))
    assert driver.rows("message", "id, _absent_since") == [(10, "2026-02-02T08:00:00.000Z")]


def test_a_column_spelt_in_other_case_is_the_same_column(driver: Driver) -> None:
    """SQLite thinks so too: there cannot be both."""
    load(driver, message(FIRST, [(10, "a", "low")], "content", "Mood"))
    load(driver, message(SECOND, [(10, "a", "high")], "content", "mood"))
    assert driver.rows("message", "id, Mood") == [(10, "high")]
    assert driver.rows("sync_drift", "name") == [("Mood",)]


def test_a_row_that_states_another_organization_makes_no_row_in_this_one(driver: Driver) -> None:
    """It would keep the organization that it belongs to from ever having it."""
    load(driver, File("message", 1, FIRST, ("id", "org_id", "content"), ((10, 1, "a"), (20, 2, "b"))))
    load(driver, File("message", 2, FIRST, ("id", "content"), ((20, "b"),)))
    assert driver.rows("message", "id, org_id, content") == [(10, 1, "a"), (20, 2, "b")]
    assert driver.rows("sync_reject", "class") == [("org_collision",)]


def test_a_known_row_that_states_another_organization_is_not_absent(driver: Driver) -> None:
    load(driver, message(FIRST, [(10, "a", 1), (11, "a", 1)]))
    load(driver, File("message", 1, SECOND, ("id", "org_id", "content"), ((10, 1, "a"), (11, 2, "b"))))
    assert driver.rows("message", "id, org_id, content, _absent_since") == [(10, 1, "a", None), (11, 1, "a", None)]


def test_a_full_list_of_another_organization_removes_nothing(driver: Driver) -> None:
    customer = {"id": 10, "createdTimestamp": 1, "channels": [], "globalOptOut": False}
    tag = {"id": 5, "name": "x", "colorCode": "#1", "note": "", "addedTimestamp": 1}
    tell(driver, "customer/added", FIRST, customer=customer | {"tags": [tag]})
    tell(driver, "customer/added", SECOND, orgId=2, customer=customer | {"tags": []})
    assert driver.rows("contact_current_tag", "contact_id, tag_id, removed_at") == [(10, 5, None)]


def test_a_row_that_cannot_be_read_was_there_all_the_same(driver: Driver) -> None:
    columns = ("content", "is_outgoing")
    load(driver, message(FIRST, [(10, "a", 1), (11, "a", 1)], *columns))
    load(driver, message(SECOND, [(10, "b", BAD), (12, "c", 1)], *columns))
    assert driver.rows("message", "id, content, _absent_since") == [
        (10, "a", None),
        (11, "a", "2026-02-02T08:00:00.000Z"),
        (12, "c", None),
    ]


def test_two_files_of_one_instant_both_hold_their_rows(drivers: Drivers) -> None:
    one, other = message(SECOND, [(10, "a", 1), (11, "a", 1)]), message(SECOND, [(11, "b", 1), (12, "a", 1)])
    for order in ((one, other), (other, one)):
        driver = drivers()
        load(driver, message(FIRST, [(10, "a", 1), (13, "a", 1)]), *order)
        assert driver.rows("message", "id, content, _absent_since") == [
            (10, "a", None),
            (11, "b", None),
            (12, "a", None),
            (13, "a", "2026-02-02T08:00:00.000Z"),
        ]


def test_a_contact_changed_after_midnight_is_not_absent_from_that_midnight(driver: Driver) -> None:
    changed = "2026-02-01T10:00:00.000Z"
    load(driver, File("contact", 1, FIRST, ("id", "display_name", "updated_timestamp"), ((10, "a", changed),)))
    load(driver, File("contact", 1, FIRST + HOUR, ("id", "display_name", "updated_timestamp"), ((11, "b", None),)))
    assert driver.rows("contact", "id, _absent_since") == [(10, None), (11, None)]
    load(driver, File("contact", 1, THIRD + 2 * HOUR, ("id", "display_name", "updated_timestamp"), ((11, "b", None),)))
    assert driver.rows("contact", "id, _absent_since") == [(10, "2026-02-03T10:00:00.000Z"), (11, None)]


def test_a_delivery_that_cannot_be_read_stops_no_other(driver: Driver) -> None:
    def stumble(*_: Any) -> None:
        raise ZeroDivisionError

    driver.applier._handlers = {**driver.applier._handlers, "broadcast/state": stumble}
    driver.store([Event("broadcast/state", '{"orgId": 1, "bulkActionId": 5}', FIRST)])
    driver.store([sent(SECOND)])
    driver.apply_all()
    assert driver.rows("sync_event", "state, error") == [
        ("applied", None),
        ("failed", "could not be read (ZeroDivisionError)"),
    ]


def test_a_night_that_is_as_the_last_one_still_undoes_what_an_interrupted_one_wrote(drivers: Drivers) -> None:
    """Known blocks need no reading only if nobody has written into them, an unfinished merge included."""
    for killed_after in range(2, 9):
        driver = drivers()
        load(driver, message(FIRST, [(10, "a", 1), (11, "a", 1)]))
        second = write_file(driver.folder / "second", message(SECOND, [(10, "b", 1), (12, "c", 1)]))
        driver.load_amid(second, Load(0, {}, killed_after), [])
        load(driver, message(THIRD, [(10, "a", 1), (11, "a", 1)]))
        driver.load(second)
        assert driver.rows("message", "id, content, _absent_since") == [
            (10, "a", None),
            (11, "a", None),
            (12, "c", "2026-02-03T08:00:00.000Z"),
        ], killed_after


@pytest.mark.parametrize("changed", ["error_code", "error_message"])
def test_an_older_claim_amid_such_a_change_loses(drivers: Drivers, changed: str) -> None:
    """Only a column of a partial index changes, or of none; what a delivery says of others, meanwhile, is older than
    the file."""
    columns = ("content", changed, "segments")
    for amid in range(1, 12):
        driver = drivers()
        load(driver, message(FIRST, [(n, "a", "1", 1) for n in (9, 10)], *columns))
        second = write_file(driver.folder / "2", message(SECOND, [(n, "a", "2", 1) for n in (9, 10)], *columns))
        driver.load_amid(second, Load(0, {amid: (0, 1)}), [sent(FIRST + HOUR), sent(FIRST + HOUR, 9)])
        driver.apply_all()
        assert driver.rows("message", f"id, content, {changed}") == [(9, "a", "2"), (10, "a", "2")], amid


@pytest.mark.parametrize("changed", ["error_code", "error_message"])
def test_an_older_row_of_a_plugin_amid_such_a_change_loses(drivers: Drivers, changed: str) -> None:
    columns = ("content", changed)
    body = {"body": ("told",)}
    older = Decoded(1, tuple(DecodedRow("message", (n,), 1, FIRST + HOUR, WEBHOOK, body) for n in (9, 10)))
    for amid in range(1, 12):
        driver = drivers()
        load(driver, message(FIRST, [(n, "a", "1") for n in (9, 10)], *columns))
        second = write_file(driver.folder / "2", message(SECOND, [(n, "a", "2") for n in (9, 10)], *columns))
        driver.load_amid(second, Load(0, {amid: (0,)}), [write_file(driver.folder, older)])
        assert driver.rows("message", f"id, content, {changed}") == [(9, "a", "2"), (10, "a", "2")], amid


def test_a_column_may_be_called_as_a_group_of_columns_is(driver: Driver) -> None:
    """The newest file lacks it, and so says nothing about it."""
    load(driver, message(FIRST, [(10, "a", "y")], "content", "body"), message(THIRD, [(10, "c")], "content"))
    load(driver, message(SECOND, [(10, "b", "x")], "content", "body"))
    assert driver.rows("message", "id, content, body") == [(10, "c", "x")]


def contact(as_of: int, *rows: tuple[Any, ...], correction: int = 0) -> File:
    return File("contact", 1, as_of, ("id", "display_name", "updated_timestamp"), rows, correction)


def test_a_row_dated_years_ahead_loses_to_the_next_night(driver: Driver) -> None:
    """One typing error in a time must not win for ever."""
    load(driver, contact(FIRST, (10, "typo", "2062-02-01T09:00:00.000Z")), contact(SECOND, (10, "right", None)))
    assert driver.rows("contact", "id, display_name") == [(10, "right")]


def test_doubled_ids_and_a_lacking_column_make_one_mirror_in_any_order(drivers: Drivers) -> None:
    columns = ("id", "content", "segments")
    doubled = File("message", 1, SECOND, columns, ((10, "a", 2), (10, "b", 1)))
    lacking = File("message", 1, SECOND, ("id", "content"), ((10, "aa"),))
    older = File("message", 1, FIRST, ("id", "segments"), ((10, 7),))
    for files in permutations((doubled, lacking, older)):
        driver = drivers()
        load(driver, *files)
        assert driver.rows("message", "id, content, segments") == [(10, "b", 2)], files


def test_two_exports_of_one_night_are_said_to_differ_until_one_corrects_the_other(driver: Driver) -> None:
    first = write_file(driver.folder / "first", message(FIRST, [(10, "Zoe"), (11, "b"), (12, "c")], "content"))
    second = write_file(driver.folder / "second", message(FIRST, [(10, "Amy"), (11, "b"), (13, "d")], "content"))
    assert driver.load(first).differing == 0
    said = driver.load(second)
    assert (said.state, said.differing) == ("merged", 3)  # another name, one row more, one less
    assert driver.rows("message", "id, content") == [(10, "Zoe"), (11, "b"), (12, "c"), (13, "d")]
    corrected = driver.load(second, corrects=True)
    assert (corrected.correction, corrected.differing, corrected.updated, corrected.absent) == (1, 0, 1, 1)
    assert driver.rows("message", "id, content, _absent_since IS NULL") == [
        (10, "Amy", 1), (11, "b", 1), (12, "c", 0), (13, "d", 1),
    ]  # fmt: skip
    assert [driver.load(path).state for path in (first, second)] == ["unchanged", "unchanged"]


def test_a_correction_wins_in_any_order(drivers: Drivers) -> None:
    """Also where rows changed after the stamp, and loaded again once the ledger knows which one corrects."""
    at = "2026-02-01T08:30:00.000Z"
    wrong, right = contact(FIRST, (10, "Zoe", at)), contact(FIRST, (10, "Amy", at))
    for order in ((wrong, right), (right, wrong), (right, wrong, right), (wrong, wrong, right)):
        driver = drivers()
        for n, file in enumerate(order):
            driver.load(write_file(driver.folder / f"{n}", file), corrects=file is right and n < 2)
        if order == (wrong, wrong, right):
            driver.load(write_file(driver.folder / "last", right), corrects=True)
        assert driver.rows("contact", "id, display_name") == [(10, "Amy")], order


def test_a_correction_replaces_a_correction(driver: Driver) -> None:
    for n, name in enumerate(("c", "b", "a")):
        report = driver.load(
            write_file(driver.folder / f"{n}", message(FIRST, [(10, name)], "content")), corrects=n > 0
        )
        assert (report.state, report.correction) == ("merged", n)
    assert driver.rows("message", "id, content") == [(10, "a")]


def test_a_row_of_another_organization_is_counted_every_night(driver: Driver) -> None:
    driver.load(write_file(driver.folder / "ours", message(FIRST, [(10, "a"), (11, "b")], "content")))
    for night in (FIRST, SECOND, THIRD):
        theirs = File("message", 2, night, ("id", "content"), ((10, "x"), (20, "y")))
        report = driver.load(write_file(driver.folder / "theirs", theirs))
        assert (report.rejected, report.unchanged + report.inserted) == (1, 1), night
    assert driver.rows("sync_reject", "class, line, file_id") == [("org_collision", 2, 4)]


def test_a_bad_row_is_one_reject_however_many_nights_have_it(driver: Driver) -> None:
    for n, night in enumerate((FIRST, SECOND, THIRD)):
        file = File("message", 1, night, ("id", "is_outgoing"), ((9, True),) * n + ((10, BAD), (11, True)))
        assert driver.load(write_file(driver.folder / "in", file)).state == "merged"
    assert driver.rows("sync_reject", "class, line, file_id") == [("bad_boolean", 4, 3), ("duplicate_key", 3, 3)]


def test_deliveries_come_between_hundreds_of_new_columns(driver: Driver) -> None:
    """Each transaction adds a few, and the mirror is whole after each: also if it is the last one before a kill."""
    names = [f"u{n}" for n in range(120)]
    file = File("contact", 1, FIRST, ("id", *names), ((10, *("x" for _ in names)),))
    told = Event("customer/added", json.dumps({"orgId": 1, "customer": {"id": 10, "displayName": "a"}}), SECOND)
    counts: list[int] = []
    inner = driver.store

    def store(events: Any) -> None:
        counts.append(driver.rows("pragma_table_info('contact')", "count(*)")[0][0])
        inner(events)

    driver.store = store  # type: ignore[method-assign]
    driver.load_amid(write_file(driver.folder / "wide", file), Load(0, dict.fromkeys(range(1, 400), (0,))), [told])
    steps = [after - before for before, after in pairwise(counts) if after > before]
    assert sum(steps) >= 200 and max(steps) <= 2 * 12, steps
    assert driver.rows("contact", "id, display_name, u0, u119") == [(10, "a", "x", "x")]


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ("error_message", set()),
        ("error_code", {"message_failed"}),
        ("contact_id", {"message_failed", "message_contact_id_created_timestamp", "message_created_timestamp"}),
    ],
)
def test_a_change_writes_to_the_indexes_of_its_columns_alone(driver: Driver, changed: str, touched: set[str]) -> None:
    """Each index is one page here, its root; what the log of SQLite holds after the merge was written to."""
    columns = ("created_timestamp", "is_successful", changed)
    load(driver, message(FIRST, [(n, "2026-01-01T00:00:00.000Z", 0, 1) for n in range(9)], *columns))
    database, log = driver.folder / "mirror.db", driver.folder / "mirror.db-wal"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = dict(connection.execute("SELECT rootpage, name FROM sqlite_master WHERE type = 'index'"))
        size = connection.execute("PRAGMA page_size").fetchone()[0] + 24
    connection.close()
    rows = [(n, "2026-01-01T00:00:00.000Z", 0, 1 + (n == 4)) for n in range(9)]
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()  # as long as it looks, the log is not emptied
        load(driver, message(SECOND, rows, *columns))
        frames = log.read_bytes()[32:]
    pages = {int.from_bytes(frames[at : at + 4], "big") for at in range(0, len(frames), size)}
    assert {name for root, name in roots.items() if root in pages and name.startswith("message_")} == touched
