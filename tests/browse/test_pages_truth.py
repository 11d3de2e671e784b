"""The pages of a mirror that days of exports and webhooks made, held against the truth about them, counted apart.

The simulated account of the demonstration is lived through by the real loader and inbox, with deliveries that are late,
doubled and lost. Its truth says what each row must be; the numbers of the pages are counted from these rows here, in
plain Python: every broadcast, every week of opt-outs, every month, the week at home, people sampled.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from account import ZONE, LocalKit, Row
from looking import page, sheet, words
from test_pages_broadcast import numbers
from test_pages_home import tiles

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.clock import MICROS
from promptsync.demo.prompt.days import EVERYTHING, Night, simulate
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.truth.compare import compare, deliveries, truth
from promptsync.demo.truth.knowledge import Knowledge
from promptsync.demo.world.world import DAY, World
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.vendors.prompt.event_types import type_of_path

_LIVED = 2  # days
_SAMPLED = 12
_THREE_DAYS = timedelta(hours=72)


@dataclass(frozen=True)
class Known:
    """The rows that the mirror must hold, by table, and a site over it."""

    tables: dict[str, list[Row]]
    site: MirrorDatasette
    now: datetime

    def messages(self, **wanted: object) -> list[Row]:
        """Messages with these cells, in order of time."""
        rows = [row for row in self.tables["message"] if all(row[name] == value for name, value in wanted.items())]
        return sorted(rows, key=lambda row: (row["created_timestamp"], row["id"]))

    def day(self, at: str) -> datetime:
        """The local midnight that a time's day begins with."""
        return local(at).replace(hour=0, minute=0, second=0, microsecond=0)

    def last_cast(self, person: int, at: str) -> Row | None:
        """The message of the broadcast that somebody got last."""
        got = [m for m in self.messages(contact_id=person, is_outgoing=1) if m["broadcast_id"] is not None]
        return next((m for m in reversed(got) if m["created_timestamp"] <= at), None)


def local(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(ZONE)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Known]:
    folder = tmp_path_factory.mktemp("truth")
    kit, world, knowledge = LocalKit(folder), World(21, contacts=150, messages=1_500), Knowledge()
    informed = live(kit, world, folder, knowledge)
    with kit.engine.mirror.reading() as connection:
        received = deliveries(connection)
        for id_, informs in sorted(informed.items()):
            informs(knowledge, received[id_][0])
        expected = truth(world, knowledge)
        assert [one for one in compare(expected, connection) if not one.equal] == []
    now = datetime.fromtimestamp(world.end / MICROS, UTC)
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: now)
    yield Known({name: [*rows.values()] for name, rows in expected.rows.items()}, site, now)
    close(site)
    kit.restart()


def live(kit: LocalKit, world: World, folder: Path, knowledge: Knowledge) -> dict[int, object]:
    """Load the nights and apply the deliveries of some days. Returns what each delivery informs of, by its id."""
    informed, begin = {}, world.end - _LIVED * DAY
    for action in simulate(world, begin, world.end, replace(EVERYTHING, missing_nights=frozenset())):
        if isinstance(action, Night):
            for path in write_night(world, folder, action.as_of):
                assert kit.load_file(path).state == "merged"
            knowledge.night(action.as_of)
            continue
        delivery = Delivery(action.path, action.text, {}, action.arrives, type_of_path(action.path))
        at = action.arrives
        id_ = kit.engine.mirror.writer.run(lambda c, one=delivery, at=at: insert_event(c, one, at))
        informed[id_] = action.informs
    kit.engine.apply_pending()
    return informed


async def test_every_broadcast(known: Known) -> None:
    phones = {row["id"]: row["phone"] for row in known.tables["contact"]}
    replied_to = 0
    for cast in known.tables["broadcast"]:
        sent = known.messages(broadcast_id=cast["id"], is_outgoing=1)
        expected = {
            "reached": {row["contact_id"] for row in sent if row["is_successful"] == 1},
            "failed": {row["contact_id"] for row in sent if row["is_successful"] == 0},
            "replied": replies(known, cast) if cast["start_timestamp"] else set(),
            "opted-out": left_after(known, cast) if cast["start_timestamp"] else set(),
        }
        expected["silent"] = expected["reached"] - expected["replied"]
        found = numbers(await page(known.site, f"/-/broadcast/{cast['id']}"))
        if not sent:
            continue
        names = {"reached": "Got it", "replied": "Replied", "silent": "Got it and did not reply"}
        for which, people in expected.items():
            lines = await sheet(known.site, f"/-/broadcast/{cast['id']}/{which}.csv")
            assert {line["Phone"] for line in lines} == {phones[id_] or "" for id_ in people}, (cast["id"], which)
            assert which not in names or found.get(names[which], 0) == len(people), (cast["id"], which)
        assert found["Opted out afterwards"] == len(expected["opted-out"])
        assert found.get("Messages that did not arrive", 0) == sum(row["is_successful"] == 0 for row in sent)
        replied_to += bool(expected["replied"])
    assert len(known.tables["broadcast"]) > 5 and replied_to > 3


def replies(known: Known, cast: Row) -> set[int]:
    """Whose reply carries its number, or came since the last export, nothing else having been sent to them since."""
    found = {row["contact_id"] for row in known.messages(broadcast_id=cast["id"], is_outgoing=0)}
    start = datetime.fromisoformat(cast["start_timestamp"])
    for row in known.messages(is_outgoing=0, broadcast_id=None, segments=None):
        before = [
            one
            for one in known.messages(contact_id=row["contact_id"], is_outgoing=1)
            if one["created_timestamp"] <= row["created_timestamp"] and one["is_whisper"] != 1
        ]
        within = start <= datetime.fromisoformat(row["created_timestamp"]) < start + _THREE_DAYS
        if within and before and before[-1]["broadcast_id"] == cast["id"]:
            found.add(row["contact_id"])
    return found - {None}


def left_after(known: Known, cast: Row) -> set[int]:
    """Who opted out within three days of it, having got no other broadcast in between."""
    start = datetime.fromisoformat(cast["start_timestamp"])
    first: dict[int, str] = {}
    for person, at, _ in opt_outs(known):
        if start <= datetime.fromisoformat(at) < start + _THREE_DAYS:
            first[person] = min(at, first.get(person, at))
    last = {person: known.last_cast(person, at) for person, at in first.items()}
    return {person for person, one in last.items() if one and one["broadcast_id"] == cast["id"]}


def opt_outs(known: Known) -> Iterator[tuple[int, str, str]]:
    """Every opt-out that is known: who, when, and how it reads on the page."""
    how = {"CONTACT": "By writing STOP", "MANAGED": "By staff or automatically"}
    yield from ((row["contact_id"], row["created_timestamp"], how[row["type"]]) for row in known.tables["opt_out"])
    states = [row for row in known.tables["contact"] if row["is_opted_out"] == 1 and row["opt_out_timestamp"]]
    yield from ((row["id"], row["opt_out_timestamp"], "Not known how") for row in states)
    stops = [row for row in known.tables["channel_opt_out"] if row["opted_out"] == 1]
    yield from ((row["contact_id"], row["at"], "At one of our numbers") for row in stops)


async def test_every_week_of_opt_outs_and_everyone_in_them(known: Known) -> None:
    newest: dict[int, tuple[str, str]] = {}
    for person, at, how in opt_outs(known):  # a state is the same event as a row within a day of it
        before = newest.get(person)
        same = how == "Not known how" and before and local(at) <= local(before[0]) + timedelta(days=1)
        if before is None or (at > before[0] and not same):
            newest[person] = at, how
    lines = await sheet(known.site, "/-/opt-outs.csv")
    found = {line["Phone"]: (line["When (America/Los_Angeles)"], line["How"]) for line in lines}
    phones = {row["id"]: row["phone"] for row in known.tables["contact"]}
    assert found == {phones[id_]: (f"{local(at):%Y-%m-%d %H:%M}", how) for id_, (at, how) in newest.items()}
    html = await page(known.site, "/-/opt-outs")
    rows = [re.findall(r'class="n">(\d+)<', row) for row in html.partition("<details>")[2].split("<tr>")[2:28]]
    monday = known.now.astimezone(ZONE).date() - timedelta(days=known.now.astimezone(ZONE).weekday())
    weeks = Counter(
        (monday - local(at).date() + timedelta(days=local(at).weekday())).days // 7 for at, _ in newest.values()
    )
    assert [int(row[-1]) for row in rows] == [weeks[n] for n in range(26)] and sum(weeks.values()) > 3


async def test_every_month_and_the_last_thirty_days(known: Known) -> None:
    spoken = [row for row in known.messages() if row["is_whisper"] != 1]
    ours = [row for row in spoken if row["is_outgoing"] == 1]
    expected: dict[str, list[int]] = {}
    for row in spoken:
        month = expected.setdefault(f"{local(row['created_timestamp']):%Y-%m}", [0, 0, 0])
        month[0] += row["is_outgoing"] == 1
        month[1] += (row["segments"] or 0) * (row["is_billable"] == 1)
        month[2] += row["is_outgoing"] == 0
    lines = await sheet(known.site, "/-/sending.csv")
    names = ("Messages sent", "Segments charged", "Messages received")
    assert {line["Month (America/Los_Angeles)"]: [int(line[name]) for name in names] for line in lines} == expected
    begin = known.now.astimezone(ZONE).date() - timedelta(days=29)
    lately = [row for row in ours if local(row["created_timestamp"]).date() >= begin]
    text = words(await page(known.site, "/-/delivery?days=30"))
    failed = sum(row["is_successful"] == 0 for row in lately)
    assert f"messages we sent {len(lately):,} arrived" in text and re.search(rf"did not arrive {failed:,}\b", text)


async def test_the_week_at_home(known: Known) -> None:
    begin = known.now.astimezone(ZONE).date() - timedelta(days=6)
    week = [row for row in known.messages() if local(row["created_timestamp"]).date() >= begin]
    ours = [row for row in week if row["is_outgoing"] == 1 and row["is_whisper"] != 1]
    theirs = [row for row in week if row["is_outgoing"] == 0]
    assert tiles(await page(known.site, "/")) == {
        "people wrote to us": len({row["contact_id"] for row in theirs} - {None}),
        "messages from them": len(theirs),
        "messages we sent": len(ours),
        "did not arrive": sum(row["is_successful"] == 0 for row in ours),
        "opted out": len({person for person, at, _ in opt_outs(known) if local(at).date() >= begin}),
    }


async def test_people_sampled(known: Known) -> None:
    people = [row for row in known.tables["contact"] if known.messages(contact_id=row["id"])]
    for person in Random(3).sample(people, _SAMPLED):
        said = known.messages(contact_id=person["id"])
        lines = await sheet(known.site, f"/-/contact/{person['id']}.csv")
        assert [line["Text"] for line in lines] == [row["content"] or "[picture]" for row in said]
        assert [line["When (America/Los_Angeles)"] for line in lines] == [
            f"{local(row['created_timestamp']):%Y-%m-%d %H:%M}" for row in said
        ]
        text = words(await page(known.site, f"/-/contact/{person['id']}"))
        theirs = sum(row["is_outgoing"] == 0 for row in said)
        ours = sum(row["is_outgoing"] == 1 and row["is_whisper"] != 1 for row in said)
        assert f"{theirs} from them, {ours} from us" in text
        stopped = any(
            row["contact_id"] == person["id"] and row["opted_out"] == 1 for row in known.tables["channel_opt_out"]
        )
        assert ("Texts to them are not delivered" in text) == (stopped or person["is_opted_out"] == 1)
        tags = {
            r["name"]
            for r in known.tables["contact_tag"]
            if r["contact_id"] == person["id"] and not r["deleted_timestamp"]
        }
        assert all(tag in text for tag in tags)
