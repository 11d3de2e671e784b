"""Opt-outs: everyone once, counted again from the rows, by week and by how; the list, its sheet and its plans."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from account import NOW, ZONE, Account, Lived, LocalKit, Row, iso, load
from browse_sample import SCRIPT, ask
from looking import links, page, planning, sheet, words

from promptsync.browse.queries import opt_outs as queries
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings

_HOW = {"CONTACT": "By writing STOP", "MANAGED": "By staff or automatically"}
_LIVE, _PROVIDER = "Not known how", "At one of our numbers"


class Leaving(Account):
    """People who leave in every way, some of them twice or only as deliveries have it."""

    def __init__(self) -> None:
        super().__init__(7, seed=6, first=0)
        people = self.tables["contact"]
        for place, person in enumerate(people[1:40:3]):
            at = NOW - timedelta(days=12 * place, hours=place)
            if place % 3 == 0:  # live alone
                person.update(is_opted_out=1, opt_out_timestamp=iso(at))
            else:  # twice, and known to the second by its state
                for days, type_ in ((30, "MANAGED"), (0, "CONTACT")):
                    row = {"contact_id": person["id"], "type": type_}
                    self.add("opt_out", created_timestamp=iso(at - timedelta(days=days)), **row)
                out = place % 3 == 1
                person.update(is_opted_out=int(out), opt_out_timestamp=iso(at + timedelta(seconds=2)) if out else None)
        people[4]["display_name"] = SCRIPT
        times = zip((people[50], people[52], people[4]), (3, 40, 1), strict=True)  # the last had written STOP before
        self.stopped_at_one_number = {one["id"]: iso(NOW - timedelta(days=days)) for one, days in times}

    def expected(self) -> dict[int, tuple[str, str]]:
        """By person: when and how they opted out last."""
        found: dict[int, tuple[str, str]] = {}
        for row in self.tables["opt_out"]:
            found[row["contact_id"]] = max(
                found.get(row["contact_id"], ("", "")), (row["created_timestamp"], _HOW[row["type"]])
            )
        for person in self.tables["contact"]:
            if person["is_opted_out"] and person["id"] not in found:
                found[person["id"]] = (person["opt_out_timestamp"], _LIVE)
        return found | {id_: (at, _PROVIDER) for id_, at in self.stopped_at_one_number.items()}

    def last_cast(self, person: int, at: str) -> Row | None:
        got = [r for r in self.tables["message"] if r["contact_id"] == person and r["is_broadcast"]]
        return max((r for r in got if r["created_timestamp"] <= at), key=lambda r: r["created_timestamp"], default=None)


@pytest.fixture(scope="module")
def leaving(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    account = Leaving()
    kit = LocalKit(tmp_path_factory.mktemp("leaving"))
    load(kit, account)
    for person, at in account.stopped_at_one_number.items():
        body = {"orgId": 7, "customer": {"id": person}, "optOutType": "PHONE_PROVIDER", "optOut": True}
        millis = int(datetime.fromisoformat(at).timestamp() * 1000)
        kit.post("customer/optOut", {**body, "orgChannel": {"id": 21}, "timestamp": millis}, at)
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site)
    close(site)
    kit.restart()


def account_of(lived: Lived) -> Leaving:
    assert isinstance(lived.account, Leaving)
    return lived.account


def _local(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(ZONE)


async def test_everyone_stands_in_the_sheet_once_with_their_newest_opt_out(leaving: Lived) -> None:
    account = account_of(leaving)
    phones = {row["id"]: row["phone"] for row in account.tables["contact"]}
    casts = {row["id"]: row["description"] for row in account.tables["broadcast"]}
    lines = await sheet(leaving.site, "/-/opt-outs.csv")
    found = {line["Phone"]: (line["When (America/Los_Angeles)"], line["How"]) for line in lines}
    expected = account.expected()
    assert len(found) == len(lines) == len(expected)
    assert found == {phones[id_]: (f"{_local(at):%Y-%m-%d %H:%M}", how) for id_, (at, how) in expected.items()}
    got = {phones[id_]: account.last_cast(id_, at) for id_, (at, _) in expected.items()}
    assert {line["Phone"]: line["Broadcast they got last"] for line in lines} == {
        phone: casts[row["broadcast_id"]] if row else "" for phone, row in got.items()
    }


@pytest.mark.parametrize(
    ("by", "how"), [("stop", _HOW["CONTACT"]), ("staff", _HOW["MANAGED"]), ("automatic", _PROVIDER)]
)
async def test_how_they_left_divides_the_list(leaving: Lived, by: str, how: str) -> None:
    lines = await sheet(leaving.site, f"/-/opt-outs.csv?by={by}")
    assert {line["How"] for line in lines} <= {how}
    assert len(lines) == sum(one == how for _, one in account_of(leaving).expected().values())


async def test_weeks_are_local_begin_on_monday_and_add_up(leaving: Lived) -> None:
    html = await page(leaving.site, "/-/opt-outs")
    monday = NOW.astimezone(ZONE).date() - timedelta(days=NOW.astimezone(ZONE).weekday())
    expected: Counter[tuple[int, str]] = Counter()
    for at, how in account_of(leaving).expected().values():
        week = (monday - _local(at).date() + timedelta(days=_local(at).weekday())).days // 7
        expected[week, how] += 1
    table = html.partition("<details>")[2].partition("</table>")[0]
    rows = [list(map(int, re.findall(r'class="n">(\d+)<', row))) for row in table.split("<tr>")[2:]]
    ways = (*_HOW.values(), _PROVIDER, _LIVE)
    assert [row[:-1] for row in rows] == [[expected[n, how] for how in ways] for n in range(26)]
    assert all(sum(row[:-1]) == row[-1] for row in rows)
    assert f"{sum(n for (week, _), n in expected.items() if week < 26)} people in 26 weeks" in words(html)


async def test_pages_hold_everyone_once_newest_first(leaving: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.browse.pages.opt_outs.PAGE", 4)
    found, path = [], "/-/opt-outs"
    while path:
        html = await page(leaving.site, path)
        found += [int(link.rpartition("/")[2]) for link in links(html) if link.startswith("/-/contact/")]
        path = next((link for link in links(html) if "next=" in link), "")
    expected = account_of(leaving).expected()
    assert found == sorted(expected, key=lambda id_: (expected[id_][0], id_), reverse=True)


async def test_those_whom_a_broadcast_came_last_to(leaving: Lived) -> None:
    account = account_of(leaving)
    by_cast: dict[int, int] = Counter()
    for id_, (at, _) in account.expected().items():
        last = account.last_cast(id_, at)
        by_cast[last["broadcast_id"] if last else 0] += 1
    for cast in account.tables["broadcast"]:
        lines = await sheet(leaving.site, f"/-/opt-outs.csv?after={cast['id']}")
        assert len(lines) == by_cast[cast["id"]]
    text = words(await page(leaving.site, f"/-/opt-outs?after={account.tables['broadcast'][0]['id']}"))
    assert "whose last broadcast before it was “Drive 0”" in text
    assert "opted in again" in words(await page(leaving.site, "/-/opt-outs"))


@pytest.mark.parametrize("query", ["by=x&after=zz", "next=~~", "next=x~9", f"after={'9' * 25}", "by=stop&after=1"])
async def test_any_query_is_answered(leaving: Lived, query: str) -> None:
    assert SCRIPT not in await page(leaving.site, f"/-/opt-outs?{query}")


async def test_empty_and_closed(nothing_yet: MirrorDatasette, lived: Lived) -> None:
    assert "Nobody has opted out." in words(await page(nothing_yet, "/-/opt-outs"))
    for path in ("/-/opt-outs", "/-/opt-outs.csv"):
        assert (await ask(lived.site, path, None)).status_code != 200


def test_a_page_of_the_list_sorts_nothing_and_scans_nothing(leaving: Lived) -> None:
    with planning(leaving.kit.config.mirror.database) as reader:
        queries.page_of(reader, "", None, None, ("2026-11", 5), 50)
        queries.page_of(reader, "stop", 5, 7, None, 50)
        queries.by_week(reader, ["2026-05", "2026-06"], None)
        assert not reader.scans()
        listed = [plan for sql, plan in reader.plans.items() if "UNION ALL" in sql and "LIMIT" in sql]
        assert listed and not [line for plan in listed for line in plan if line == "USE TEMP B-TREE FOR ORDER BY"]
