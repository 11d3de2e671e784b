"""What ``status`` and ``doctor`` say of Customer.io's tables."""

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from changes_home import SEQUENCE, ChangesHome, content
from click.testing import CliRunner

from promptsync.cli import main
from promptsync.clock import MICROS, iso_millis
from promptsync.daemon.metrics import mirror_metrics
from promptsync.engine.engine import Engine
from promptsync.fetch.run import record_run
from promptsync.fetch.sources import source_names, sources_of
from promptsync.status.facts import Expectations, Status
from promptsync.status.status import read_status
from promptsync.store.overview import change_set_states
from promptsync.store.spelling_counts import change_set_names
from promptsync.vendors.customerio.checks import said_of_names


def looked(home: ChangesHome, engine: Engine) -> Status:
    (source,) = sources_of(engine.config)
    record_run(engine, source, home.fetch(engine), iso_millis(home.now))
    return status(home, engine)


def status(home: ChangesHome, engine: Engine) -> Status:
    expected = Expectations(timedelta(hours=36), ZoneInfo("UTC"), source_names(engine.config))
    with engine.mirror.reading() as connection:
        return read_status(connection, engine.mirror.schema, expected, home.now)


def test_it_knows_the_newest_sequence_its_age_and_what_waits(tmp_path: Path) -> None:
    home = ChangesHome(tmp_path, 'skip = []\ncontent_budget = "50 kB"')
    _, newest = home.put_metrics(1, 4)
    for number in (2, 3):
        home.put("delivery_content", number, content(f"d{number}", 30_000))
    home.now = newest.stat().st_mtime_ns // 1000 + 6 * 3600 * MICROS
    with home.engine() as engine:
        found = looked(home, engine)
        states = {state.table: state for state in found.change_sets}
        assert (states["cio_metrics"].newest, states["cio_metrics"].age_hours) == (str(SEQUENCE + 4), 6.0)
        assert (states["cio_delivery_content"].newest, states["cio_delivery_content"].over_budget) == (
            str(SEQUENCE + 2),
            1,
        )
        assert found.problems == ()
        assert "content_budget" in found.sources[0].notes[0]
        with engine.mirror.reading() as connection:
            said = said_of_names(change_set_names(connection))
        assert "v5; delivery_content, metrics; 3 with one sequence number, 0 with two" in said.says
        home.now += 40 * 3600 * MICROS
        (problem,) = status(home, engine).problems
        assert "could last be looked at" in problem


def test_monitoring_sees_places_and_tables(tmp_path: Path) -> None:
    home = ChangesHome(tmp_path)
    home.put_metrics(1, 2)[0].write_bytes(b"no parquet")
    home.put("delivery_content", 3, content("d", 10))
    with home.engine() as engine:
        looked(home, engine)
        home.now += 90 * MICROS
        with engine.mirror.reading() as connection:
            samples = [one for family in mirror_metrics(connection, home.now) for one in family.samples]
        found = {(one.name, *one.labels.values()): one.value for one in samples}
        (name,) = source_names(engine.config)
    states = {key[2]: value for key, value in found.items() if key[0] == "promptsync_place_files" and key[1] == name}
    assert states == {"held": 1, "loaded": 1, "skipped": 1}
    ages = "promptsync_last_success_age_seconds"
    assert found[ages, "change_set", "cio_metrics"] == found[ages, "task", f"fetch {name}"] == 90
    assert (ages, "change_set", "cio_delivery_content") not in found


def test_a_held_file_needs_a_person(tmp_path: Path) -> None:
    home = ChangesHome(tmp_path)
    home.put_metrics(1)[0].write_bytes(b"no parquet")
    with home.engine() as engine:
        looked(home, engine)
    result = CliRunner().invoke(main, ["--config", str(home.file), "status", "--json"], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert (result.exit_code, said["change_sets"][0]["held"], said["change_sets"][0]["newest"]) == (1, 1, None)


def test_rows_of_a_time_to_come_are_counted(tmp_path: Path) -> None:
    """Seconds are two clocks that differ; what happened once is only counted."""
    home = ChangesHome(tmp_path)
    home.put_metrics(1)
    day = 86_400 * MICROS
    home.now = 1_800_000_000 * MICROS
    people = {"internal_customer_id": ["a", "b", "c"], "updated_at": [home.now + n * day // 2 for n in (0, 1, 4)]}
    events = {"event_id": ["a", "b"], "timestamp": [home.now + n * 900 * day for n in (0, 1)]}
    home.put("people", 2, pa.table(people))
    home.put("events", 3, pa.table(events))
    with home.engine() as engine:
        found = looked(home, engine)
        assert {state.table: (state.later, state.latest) for state in found.change_sets} == {
            "cio_events": (1, iso_millis(home.now + 900 * day)),
            "cio_metrics": (0, None),
            "cio_people": (2, iso_millis(home.now + 2 * day)),
        }
        (problem,) = found.problems
        assert "2 rows of cio_people" in problem and "promptsync reset cio_people" in problem
        home.now += day
        assert status(home, engine).problems == ()
        assert sum(state.later for state in status(home, engine).change_sets) == 2


def test_they_are_counted_by_an_index(tmp_path: Path) -> None:
    asked: list[str] = []
    with ChangesHome(tmp_path).engine() as engine, engine.mirror.reading() as connection:
        connection.set_trace_callback(asked.append)
        list(change_set_states(connection, engine.mirror.schema, 1))
        connection.set_trace_callback(None)
        plans = {
            sql: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in asked
            if "GROUP BY +" in sql
        }
    large = {sql: plan for sql, plan in plans.items() if "cio_broadcasts" not in sql and "cio_object_types" not in sql}
    assert len(large) == 6
    assert all(plan[0].startswith("SEARCH ") for plan in large.values()), large
