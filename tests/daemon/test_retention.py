"""What is too old goes, and nothing else; it does not come in again; and nobody waits meanwhile."""

import json
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_mirror import NOW, Kept, added, message

from promptsync.clock import MICROS, iso_micros, iso_millis, parse_iso
from promptsync.config import Config
from promptsync.daemon.retention import ClockSeen, judge_clock
from promptsync.daemon.schedule import Later
from promptsync.daemon.tasks import retention_task
from promptsync.engine.built_in import extended
from promptsync.engine.keeping import check_retention
from promptsync.errors import ConfigError
from promptsync.loading.files import LoadRequest
from promptsync.model import Column, Kind, Role, Schema, Table
from promptsync.model import Kept as Kept_
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.writer import Lane
from promptsync.vendors import declared_schema

DAY = 86_400 * MICROS
OLD, RECENT = "2024-05-01T10:00:00.000Z", "2026-11-20T10:00:00.000Z"
PERIODS = {"message_content": "24 months", "console_log": "30 days"}
Make = Callable[..., Kept]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Kept] = []

    def kept(name: str = "one", zone: str = "UTC", **retention: str) -> Kept:
        (tmp_path / name).mkdir()
        made.append(Kept(tmp_path / name, PERIODS | retention, zone))
        return made[-1]

    yield kept
    for one in made:
        one.close()


def log(number: int) -> dict[str, Any]:
    return {"orgId": 1, "level": "log", "component": "BOT", "message": f"line {number}"}


def ago(days: float) -> str:
    return iso_micros(NOW - int(days * DAY))


def filled(kept: Kept) -> Kept:
    """Old and recent things of every kind: deliveries applied, failed and of no known type, texts, a reject."""
    for number, days in enumerate((100, 45, 31, 5, 1)):
        kept.receive("console/log", log(number), ago(days))
    kept.receive("console/log", {"level": "no organization"}, ago(60))
    kept.receive("moon/landed", {"orgId": 1}, ago(60))
    kept.receive("message/added", added(1, OLD, "old and told"), ago(50))
    kept.receive("message/added", {"orgId": 2, "message": {"id": 1}}, ago(50))  # of another organization
    kept.receive("message/added", added(2, RECENT, "recent and told"), ago(8))
    kept.night([message(1, OLD, "old and told"), message(3, OLD, "old"), message(4, RECENT, "recent")], ago(2))
    return kept


def test_a_dry_run_says_what_a_run_does(make: Make) -> None:
    kept = filled(make())
    would = kept.look()
    assert would == kept.look()  # it changes nothing
    assert would == {
        "rejects": 0, "events": 4, "done_files": 0, "message_content": 2, "console_log": 3,
    }  # fmt: skip
    assert kept.sweep() == would
    assert set(kept.look().values()) == {0}
    assert kept.rows("SELECT id, content FROM message ORDER BY id") == [
        (1, None), (2, "recent and told"), (3, None), (4, "recent"),
    ]  # fmt: skip
    assert kept.rows("SELECT message FROM console_log ORDER BY at") == ["line 3", "line 4"]
    states = kept.rows("SELECT state, count(*) FROM sync_event GROUP BY 1")
    assert states == [("applied", 4), ("failed", 1), ("unknown_type", 1)]  # one of them has a reject that waits


def test_what_a_reject_needs_goes_with_it(make: Make) -> None:
    kept = filled(make(rejects="40 days"))
    assert kept.rows("SELECT class FROM sync_reject") == ["org_collision"]
    would = kept.look()
    assert (would["rejects"], would["events"]) == (1, 5)
    assert kept.sweep() == would


def test_deliveries_that_were_never_applied_go_when_somebody_says_so(make: Make) -> None:
    kept = filled(make())
    kept.sweep()
    assert kept.sweep(failed=True)["events"] == 2
    assert kept.rows("SELECT DISTINCT state FROM sync_event") == ["applied"]


def test_the_newest_delivery_stays_so_that_no_number_is_given_twice(make: Make) -> None:
    kept = make(console_log="forever")
    kept.receive("console/log", log(1), ago(90))
    kept.receive("console/log", log(2), ago(80))
    assert kept.sweep()["events"] == 1
    kept.receive("console/log", log(3), ago(1))
    assert len(kept.rows("SELECT message FROM console_log")) == 3
    assert kept.rows("SELECT event_id FROM console_log ORDER BY 1") == [1, 2, 3]


def test_an_old_line_that_is_imported_makes_no_doubles_and_undoes_nothing(make: Make) -> None:
    kept = make(console_log="forever")
    old = [
        kept.line("console/log", log(1), ago(90)),
        kept.line("message/added", added(2, RECENT, "as it was", status="SENT"), ago(90)),
        kept.line("message/status", {"orgId": 1, "messages": [{"id": 2, "status": "SENT"}]}, ago(89)),
    ]
    kept.bring(old)
    kept.receive("message/added", added(2, RECENT, "as it is", status="READ"), ago(3))
    tables = ("console_log", "message_status", "message")
    before = {table: kept.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
    assert kept.sweep()["events"] == 3
    for days in (2, 1):
        assert kept.bring(old)["imported"] == 3
        kept.receive("moon/landed", {"orgId": 1}, ago(days))  # the newest stays
        assert {table: kept.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables} == before
        assert kept.sweep()["events"] == 3
    kept.bring([kept.line("console/log", log(7), ago(90))])  # that is not known at all
    assert kept.rows("SELECT count(*) FROM console_log") == [2]


@pytest.mark.parametrize("way", ["the same night's rows", "told again", "told without a time"])
def test_a_text_that_was_swept_does_not_come_back(make: Make, way: str) -> None:
    kept = filled(make(events="forever"))
    kept.receive("message/added", added(6, OLD, "only told"), ago(50))
    kept.sweep()
    before = kept.rows("SELECT *, _rev FROM message WHERE id IN (1, 3, 6) ORDER BY id")
    if way == "the same night's rows":
        rows = [message(1, OLD, "old and told"), message(3, OLD, "old"), message(5, RECENT, "new")]
        report = kept.night(rows, ago(1))
        assert (report.inserted, report.updated, report.unchanged) == (1, 0, 2)
    elif way == "told again":
        kept.receive("message/added", added(1, OLD, "old and told"), ago(1))
        kept.receive("message/added", added(6, OLD, "only told"), ago(1))
    else:
        kept.receive("message/added", {"orgId": 1, "message": {"id": 3, "content": "old"}}, ago(1))
    after = kept.rows("SELECT *, _rev FROM message WHERE id IN (1, 3, 6) ORDER BY id")
    assert [row[4] for row in after] == [None] * 3
    if way != "told without a time":  # that is a new claim, however little is left of it
        assert [row[-1] for row in after] == [row[-1] for row in before]


def test_texts_come_back_with_the_next_night_once_they_are_kept_for_ever(make: Make) -> None:
    """Also those of a stretch of the file that is as it was, which is read no more otherwise."""
    kept = make()
    rows = [message(n, OLD, f"{n} {random.Random(n).randbytes(20).hex()}") for n in range(1, 4_001)]
    kept.night(rows, ago(3))
    assert kept.rows("SELECT count(*) FROM sync_snapshot WHERE blocks IS NOT NULL") == [1]
    kept.sweep()
    kept.reopen(message_content="forever")
    kept.sweep()
    assert kept.rows("SELECT name FROM sqlite_master WHERE name LIKE '%_swept_%'") == []
    kept.night([*rows, message(4_001, RECENT, "new")], ago(1))
    assert kept.rows("SELECT content FROM message ORDER BY id") == [row["content"] for row in rows] + ["new"]


def test_search_and_the_pages_of_the_database_lose_the_texts(make: Make) -> None:
    kept = make(message_content="12 months")
    secret = "Zaunkoenigin " * 20  # long enough to lie in a page of its own once in a while
    kept.night([*(message(n, OLD, f"{secret} {n}") for n in range(1, 200)), message(200, RECENT, "zzlast")], ago(2))
    kept.receive("console/log", log(0) | {"message": secret * 2_000}, ago(70))
    kept.receive("console/log", log(1), ago(1))
    kept.sweep()
    found = "SELECT count(*) FROM message_fts WHERE message_fts MATCH ?"
    assert kept.rows(found, "Zaunkoenigin") == [0]
    assert kept.rows("SELECT count(*) FROM message, message_fts_docsize d WHERE d.id = message.id") == [200]
    path = kept.engine.mirror.path
    kept.close()
    content = (path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()).lower()
    assert b"zaunkoenig" not in content and b"zzlast" in content
    kept.open()


def test_the_file_grows_no_more_once_as_much_goes_as_comes(make: Make) -> None:
    """Pages that were freed are used again."""
    kept = make(events="3 days", console_log="3 days")
    pages = []
    for day in range(16):
        kept.now = NOW + day * DAY
        lines = [
            kept.line("console/log", log(n) | {"message": "x" * 3_000}, iso_micros(kept.now + n)) for n in range(60)
        ]
        kept.bring(lines)
        kept.sweep()
        pages += kept.rows("PRAGMA page_count")
    assert pages[3] > pages[0] + 3 * 60
    assert pages[-1] < pages[7] + 60


def test_a_file_that_is_mostly_free_becomes_smaller(make: Make) -> None:
    kept = make(events="7 days", console_log="7 days")
    text = {"message": "x" * 3_000}
    kept.bring([kept.line("console/log", log(n) | text, iso_micros(NOW - 20 * DAY + n)) for n in range(600)])
    kept.receive("console/log", log(0), ago(1))
    (before,) = kept.rows("PRAGMA page_count")
    steps: list[int] = []
    kept.sweep(lambda step, done, total: steps.append(done) if step == "giving back space" else None)
    assert len(steps) > 3 and max(b - a for a, b in pairwise([0, *steps])) <= 100
    assert kept.rows("PRAGMA freelist_count") == [0]
    assert kept.engine.mirror.path.stat().st_size < before * 4_096 / 2
    assert kept.rows("PRAGMA integrity_check") == ["ok"]


def test_deliveries_are_stored_between_slices(make: Make) -> None:
    kept = make(events="7 days")
    lines = [kept.line("console/log", log(n), iso_micros(NOW - 20 * DAY + n)) for n in range(3_000)]
    kept.bring(lines)
    kept.receive("console/log", log(0), ago(1))
    seen: list[int] = []

    def between(_step: str, done: int, _total: int) -> None:
        store = lambda connection: insert_event(connection, Delivery("console/log", json.dumps(log(1))), NOW)  # noqa: E731
        kept.engine.mirror.writer.run(store, Lane.DELIVERY)
        seen.append(done)

    assert kept.sweep(between)["events"] == 3_000
    steps = [b - a for a, b in pairwise([0, *seen]) if b > a]
    assert steps[0] <= 200 and len(steps) > 2
    assert all(later <= 4 * earlier for earlier, later in pairwise(steps))
    assert kept.rows("SELECT count(*) FROM sync_event WHERE state = 'pending'") == [len(seen)]


def test_killed_in_the_middle_the_next_run_takes_the_rest(make: Make) -> None:
    kept, whole = make("killed"), make("whole")
    rows = [message(n, OLD, f"text {n}") for n in range(1, 1_001)]
    for one in (kept, whole):
        one.night(rows, ago(2))

    class Killed(BaseException):
        pass

    def kill(step: str, done: int, _total: int) -> None:
        if done:
            raise Killed

    with pytest.raises(Killed):
        kept.sweep(kill)
    left = kept.rows("SELECT count(*) FROM message WHERE content IS NOT NULL")[0]
    assert 0 < left < 1_000
    kept.reopen()
    assert kept.look()["message_content"] == left
    kept.night(rows, ago(1))  # nothing comes back meanwhile
    assert kept.sweep()["message_content"] <= left
    whole.sweep()
    whole.night(rows, ago(1))
    state = "SELECT id, content, segments, _absent_since FROM message ORDER BY id"
    assert kept.rows(state) == whole.rows(state)
    assert kept.rows("SELECT count(*) FROM message WHERE content IS NOT NULL") == [0]


def test_killed_before_the_index_was_rewritten_the_next_run_does_it(make: Make) -> None:
    kept = make()
    kept.night([message(n, OLD, f"zaunkoenig {n}") for n in range(1, 100)], ago(2))

    class Killed(BaseException):
        pass

    def kill(step: str, done: int, total: int) -> None:
        if step.startswith("sweeping texts") and done == total:
            raise Killed

    with pytest.raises(Killed):
        kept.sweep(kill)
    kept.reopen()
    assert kept.sweep()["message_content"] == 0
    path = kept.engine.mirror.path
    kept.close()
    assert b"zaunkoenig" not in path.read_bytes()
    kept.open()


@pytest.mark.parametrize(
    ("zone", "first_kept"), [("UTC", "2026-10-29T00:00"), ("Pacific/Auckland", "2026-10-29T11:00")]
)
def test_days_are_those_of_the_mirror(make: Make, zone: str, first_kept: str) -> None:
    """In Auckland it is the 29th already, in summer time then and now."""
    kept = make(zone=zone, console_log="30 days")
    first = parse_iso(f"{first_kept}:00Z")
    kept.receive("console/log", log(1), iso_micros(first - MICROS))
    kept.receive("console/log", log(2), iso_micros(first))
    assert kept.sweep()["console_log"] == 1
    assert kept.rows("SELECT message FROM console_log") == ["line 2"]


def test_copies_of_files_go_but_for_those_whose_rejects_wait(make: Make) -> None:
    kept = make()
    done = kept.folder / "drop" / "done" / "sub"
    done.mkdir(parents=True)
    good = kept.night_file(done, [message(1, OLD, "a")], ago(40))
    bad = kept.night_file(done, [message(2, OLD, "a"), message(3, OLD, "b", segments="many")], ago(39))
    kept.now = NOW - 35 * DAY
    for path in (good, bad):
        (report,) = kept.engine.load([LoadRequest(path, "drop", accept=True)])
    assert report.rejected == 1
    kept.now = NOW
    assert kept.look()["done_files"] == 1
    assert kept.sweep()["done_files"] == 1
    assert not good.exists() and bad.exists()
    assert kept.rows("SELECT name FROM sync_file ORDER BY id") == [good.name, bad.name]
    kept.now = NOW + 60 * DAY
    assert kept.look()["done_files"] == 1  # its rejects are as old
    kept.sweep()
    assert not done.exists() and done.parent.is_dir()


def test_nothing_costs_while_texts_are_kept_for_ever(make: Make) -> None:
    kept = filled(make(message_content="forever"))
    kept.sweep()
    assert kept.rows("SELECT name FROM sqlite_master WHERE name LIKE '%_swept_%'") == []
    assert kept.engine.mirror.swept.texts(kept.engine.mirror.schema["message"]) is None


def test_a_name_that_nothing_is_kept_by_is_refused_with_all_there_are(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"console_logs.*did you mean 'console_log'") as refused:
        make("wrong", console_logs="3 days")
    assert all(key in str(refused.value) for key in ("events", "message_status", "qlara_message_body"))


def plugin_table(kept: Kept_ | None, role: Role = Role.MIRROR) -> Table:
    fixed = [Column(name, Kind.INTEGER, "") for name in ("event_id", "item", "org_id")]
    said = (Column("at", Kind.TIME, "", "facts"), Column("text", Kind.TEXT, "", "facts"))
    if role is Role.HAPPENED:
        return Table("calls", "Calls.", ("event_id", "item"), (*fixed, *said), role)
    return Table("calls", "Calls.", ("id",), (Column("id", Kind.INTEGER, ""), fixed[2], *said), kept=kept)


def with_table(table: Table) -> Schema:
    return extended(declared_schema(), {"phone": ([table], {})}, observed=False)


def test_a_plugins_table_can_be_kept_for_a_limited_time_too(tmp_path: Path) -> None:
    periods = {"calls": "1 year", "calls_text": "1 month"}
    for table, key in (
        (plugin_table(None, Role.HAPPENED), "calls"),
        (plugin_table(Kept_("calls_text", "at", ("text",))), "calls_text"),
    ):
        check_retention(Config.read({"retention": {key: periods[key]}}, tmp_path), with_table(table))
    for kept in (("content", "at", ("text",)), ("calls", "text", ("text",)), ("calls", "at", ("id",)), ("calls", "at")):
        with pytest.raises(ConfigError, match="kept must name a time and texts"):
            with_table(plugin_table(Kept_(*kept)))


def test_an_instant_is_old_the_moment_its_day_is(make: Make) -> None:
    """The boundary itself is kept: a period is never cut short."""
    kept = make(message_content="24 months")
    edge = parse_iso("2024-11-28T00:00:00Z")
    kept.night([message(1, iso_millis(edge - 1_000), "before"), message(2, iso_millis(edge), "at")], ago(1))
    kept.sweep()
    assert kept.rows("SELECT content FROM message ORDER BY id") == [None, "at"]


async def test_a_clock_that_jumps_ahead_sweeps_nothing_for_half_a_day(make: Make) -> None:
    """By which everything is too old. One that is put right meanwhile has cost nothing."""
    kept = filled(make())

    async def swept_after(hours: float) -> bool:
        kept.now += int(hours * 3_600 * MICROS)
        before = kept.rows("SELECT id FROM sync_event")
        said = await retention_task(kept.engine).run()
        assert not isinstance(said, Later) or kept.rows("SELECT id FROM sync_event") == before
        return not isinstance(said, Later)

    assert not await swept_after(24 * 365 * 14)
    assert not await swept_after(6)
    kept.now = NOW  # put right
    before = kept.look()
    assert await swept_after(0)
    assert sum(before.values()) and not sum(kept.look().values())
    assert await swept_after(24)
    assert not await swept_after(24 * 60)  # the machine was off for two months
    assert not await swept_after(11)
    assert await swept_after(2)


@given(st.lists(st.integers(0, 400), max_size=20), st.integers(0, 30))
def test_a_clock_is_believed_that_goes_on_as_clocks_do(hours: list[int], jump: int) -> None:
    """Whatever it showed before: within eight days of looks each day it is; ahead by more, after twelve hours of it."""
    hour, seen = 3_600 * MICROS, ClockSeen(NOW)
    for ahead in hours:
        seen, believed = judge_clock(seen, NOW + ahead * hour)
        assert believed or NOW + ahead * hour > seen.at + 8 * DAY
    now = max(seen.at, seen.ahead_since or 0) + jump * 24 * hour
    found = [judge_clock(seen, now)]
    for later in range(1, 13):
        found.append(judge_clock(found[-1][0], now + later * hour))
    assert found[-1][1]
