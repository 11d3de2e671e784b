"""Freshness: what is answered to people and to monitors, by what the copy holds and by what the service found."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from account import NOW, Account, Lived, LocalKit, iso, load
from browse_sample import SCRIPT, ask
from looking import page, planning, words

from promptsync.browse.queries import freshness as queries
from promptsync.browse.queries.freshness import found_by_service
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.store.ledger import keep_status

_FINE: dict[str, Any] = {"problems": [], "places": [{"name": "s3://exports", "last_success": iso(NOW)}]}


class Watched:
    """An account whose service says something now and then. ``now``: the present of its pages."""

    def __init__(self, folder: Path, settings: BrowseSettings) -> None:
        self.kit, self.now = LocalKit(folder), NOW
        load(self.kit, Account(7, seed=3, first=0))
        own = replace(settings, database=self.kit.config.mirror.database)
        self.site = build_datasette(own, present=lambda: self.now)

    def says(self, at: datetime = NOW, **found: Any) -> None:
        row = {"at": iso(at), **_FINE, **found}
        self.kit.engine.mirror.writer.run(lambda connection: keep_status(connection, row))

    async def answers(self) -> tuple[int, str, str]:
        """To a monitor: status and answer; to people: the beginning of the page."""
        answer = await ask(self.site, "/-/freshness.json", "sam")
        text = words(await page(self.site, "/-/freshness")).partition("Is this copy current? ")[2]
        found = json.loads(answer.text)
        assert found["fresh"] == (answer.status_code == 200) == (found["answer"] != "no")
        assert text.partition(" ")[2].startswith(found["sentence"])
        return answer.status_code, found["answer"], text


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Watched]:
    made = Watched(tmp_path_factory.mktemp("watched"), settings)
    yield made
    close(made.site)
    made.kit.restart()


async def test_it_is_current_as_long_as_exports_come_and_nothing_is_wrong(watched: Watched) -> None:
    watched.says()
    watched.now = NOW
    status, answer, text = await watched.answers()
    assert (status, answer) == (200, "yes") and text.startswith("Yes. This copy is up to date.")
    assert "What needs somebody Nothing." in text and "s3://exports: last reached today, 12:30" in text


async def test_a_problem_makes_it_mostly_and_says_what_to_do(watched: Watched) -> None:
    problem = f"a.csv is held ({SCRIPT}); look at it, then load it again."
    watched.says(problems=[problem])
    watched.now = NOW
    status, answer, text = await watched.answers()
    assert (status, answer) == (200, "mostly") and problem in text
    assert SCRIPT not in await page(watched.site, "/-/freshness")


async def test_a_service_that_is_silent_is_not_taken_for_a_quiet_one(watched: Watched) -> None:
    watched.says(NOW - timedelta(minutes=40))
    watched.now = NOW
    status, answer, text = await watched.answers()
    assert (status, answer) == (200, "mostly") and "silent since today, 11:50, 40 minutes ago" in text


async def test_an_old_copy_is_refused_to_monitors(watched: Watched) -> None:
    watched.now = NOW + timedelta(hours=30)
    watched.says(watched.now)
    status, answer, text = await watched.answers()
    assert (status, answer) == (503, "no") and text.startswith("No. This copy is out of date")


@pytest.mark.parametrize("value", ["", "{", "[]", '{"at": 1}', '{"at": "x", "problems": 3, "places": []}', "null"])
async def test_what_the_service_said_may_be_anything(watched: Watched, value: str) -> None:
    sql = "INSERT INTO sync_state VALUES ('status', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    watched.kit.engine.mirror.writer.run(lambda connection: connection.execute(sql, (value,)) and None)
    watched.now = NOW
    assert (await watched.answers())[:2] == (200, "mostly")


async def test_every_table_says_what_it_is_a_copy_of(lived: Lived) -> None:
    text = words(await page(lived.site, "/-/freshness"))
    people = len(lived.account.tables["contact"])
    assert "People Today, 00:00 " in text and f" {people} {people} 0 0 " in text
    assert "contact" not in text.lower().replace("contacts", "")


async def test_nothing_yet_is_no(nothing_yet: MirrorDatasette) -> None:
    assert (await ask(nothing_yet, "/-/freshness.json", "sam")).status_code == 503
    assert "No. This copy is still empty." in words(await page(nothing_yet, "/-/freshness"))


async def test_nobody_gets_an_answer_without_a_right(lived: Lived) -> None:
    for path in ("/-/freshness", "/-/freshness.json"):
        assert (await ask(lived.site, path, None)).status_code != 200


def test_a_handful_of_look_ups(lived: Lived) -> None:
    with planning(lived.kit.config.mirror.database) as reader:
        found_by_service(reader)
        queries.nightly(reader, [7])
        queries.other_files(reader)
        queries.waiting(reader)
        assert not reader.scans()
        assert not [plan for plan in reader.plans.values() if any("B-TREE FOR ORDER" in line for line in plan)]
