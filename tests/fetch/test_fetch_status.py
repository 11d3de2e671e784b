"""Which nights a place owes."""

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fetch_home import Home

from promptsync.clock import MICROS, iso_millis
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.time import midnight
from promptsync.engine.engine import Engine
from promptsync.fetch.expected import missing_nights
from promptsync.fetch.run import record_run
from promptsync.fetch.sources import source_names, sources_of
from promptsync.loading.files import LoadRequest
from promptsync.status.sources import SourceState, source_problems, source_states
from promptsync.store.place_state import instants_by_series

ZONE = ZoneInfo("America/Los_Angeles")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def state(engine: Engine, now: int) -> SourceState:
    with engine.mirror.reading() as connection:
        (found,) = source_states(connection, source_names(engine.config), ZONE, timedelta(hours=36), now)
    return found


def look(home: Home, engine: Engine) -> None:
    (source,) = sources_of(engine.config)
    record_run(engine, source, home.fetch(engine), iso_millis(home.now))


def test_a_night_is_missing_until_it_comes_from_anywhere(home: Home, tmp_path: Path) -> None:
    home.night(4)
    home.night(6, ("contact",))
    with home.engine() as engine:
        home.now = midnight(date(2026, 2, 6)) + 3 * 3600 * MICROS
        look(home, engine)
        found = state(engine, home.now)
        assert found.missing == ("2026-02-05", "2026-02-06 (opt_out of 1287)")
        assert found.newest_missing
        elsewhere = write_night(home.world, tmp_path / "mail", midnight(date(2026, 2, 5)), ("contact", "opt_out"))
        list(engine.load([LoadRequest(path, "load") for path in elsewhere]))
        home.night(6, ("opt_out",))
        look(home, engine)
        assert (state(engine, home.now).missing, state(engine, home.now).newest_missing) == ((), False)
        assert list(source_problems([state(engine, home.now)])) == []


def test_a_place_that_was_not_reached_for_long_is_stale_and_says_why(home: Home) -> None:
    with home.engine() as engine:
        (problem,) = source_problems([state(engine, home.now)])
        assert "Nothing has been fetched" in problem
        look(home, engine)
        home.place.rmdir()
        home.now += 40 * 3600 * MICROS
        look(home, engine)
        found = state(engine, home.now)
        assert (found.outcome, found.stale, found.age_hours) == ("problem", True, 40.0)
        (problem,) = source_problems([found])
        assert "is it mounted" in problem


def test_only_the_last_sixty_nights_and_known_series_count(home: Home) -> None:
    home.night(4, ("contact",))
    with home.engine() as engine:
        home.fetch(engine)
        with engine.mirror.reading() as connection:
            have = instants_by_series(connection, str(home.place))
            assert instants_by_series(connection, "elsewhere") == {}
    nights = missing_nights(have, ZONE, date(2026, 12, 31))
    assert len(nights) == 60
    assert set(nights.values()) == {("everything",)}
    assert missing_nights(have, ZONE, date(2026, 2, 4)) == {}
    assert missing_nights({}, ZONE, date(2026, 12, 31)) == {}
