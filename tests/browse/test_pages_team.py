"""Team: who answered and who waits, followed again message by message; the lists behind the numbers; the plans."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median

import pytest
from account import NOW, ZONE, Account, Lived, LocalKit, Row, load
from browse_sample import ask
from looking import asks, links, page, planning, sheet, words

from promptsync.browse.queries import messages, people
from promptsync.browse.queries import team as queries
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings

NAMED = {1: "Rosa", 2: "Ida"}  # 3 is known by number only
AUTOMATIC = "Automatic, or by a program"
SINCE = "Waiting since (America/Los_Angeles)"


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    account, kit = Account(7, seed=9, first=0), LocalKit(tmp_path_factory.mktemp("staffed"))
    load(kit, account)
    with sqlite3.connect(kit.config.mirror.database) as connection:
        for id_, name in NAMED.items():
            connection.execute("INSERT INTO team_member (id, org_id, display_name) VALUES (?, 7, ?)", (id_, name))
    connection.close()
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site)
    close(site)
    kit.restart()


def label(member: int | None) -> str:
    return AUTOMATIC if member is None else NAMED.get(member, f"Team member {member}")


def answers(row: Row) -> bool:
    return bool(row["is_outgoing"] and not row["is_whisper"] and row["broadcast_id"] is None)


def lived_through(account: Account, days: int) -> Iterator[list[Row]]:
    """What each person wrote and was answered in these local days, in order."""
    first = NOW.astimezone(ZONE).date() - timedelta(days=days - 1)
    for person in account.tables["contact"]:
        rows = [r for r in account.tables["message"] if r["contact_id"] == person["id"]]
        rows = [r for r in rows if answers(r) or not r["is_outgoing"]]
        rows = [r for r in rows if datetime.fromisoformat(r["created_timestamp"]).astimezone(ZONE).date() >= first]
        yield sorted(rows, key=lambda row: (row["created_timestamp"], -row["is_outgoing"]))


def expected(account: Account, days: int) -> tuple[dict[str, list[int]], dict[str, list[float]]]:
    """By who answered: how many people and messages; the seconds to each first answer."""
    counts: dict[str, tuple[set[int], list[int]]] = {}
    waits: dict[str, list[float]] = {}
    for rows in lived_through(account, days):
        begin: datetime | None = None
        for row in rows:
            at = datetime.fromisoformat(row["created_timestamp"])
            if not row["is_outgoing"]:
                begin = begin or at
                continue
            name = label(row.get("team_member_id"))
            who, sent = counts.setdefault(name, (set(), []))
            who.add(row["contact_id"])
            sent.append(row["id"])
            if begin:
                waits.setdefault(name, []).append((at - begin).total_seconds())
            begin = None
    return {name: [len(who), len(sent)] for name, (who, sent) in counts.items()}, waits


def waits_for_us(account: Account, days: int) -> dict[str, tuple[str, int]]:
    """By phone, since when and how many messages; people who have opted out left out."""
    out = {person["id"]: person["is_opted_out"] for person in account.tables["contact"]}
    found = {}
    for rows in lived_through(account, days):
        while rows and any(row["is_outgoing"] for row in rows):
            rows.pop(0)
        if rows and not out[rows[0]["contact_id"]]:
            at = datetime.fromisoformat(rows[0]["created_timestamp"]).astimezone(ZONE)
            found[rows[0]["contact_phone"]] = (at.strftime("%Y-%m-%d %H:%M"), len(rows))
    return found


@pytest.mark.parametrize("days", [7, 30])
async def test_who_answered_is_counted_message_by_message(staffed: Lived, days: int) -> None:
    html = await page(staffed.site, f"/-/team?days={days}")
    table = html.partition('id="h-members"')[2].partition("</table>")[0]
    shown = [[words(cell) for cell in re.findall("(?s)<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in table.split("<tr>")]
    found = {row[0]: row[1:] for row in shown[2:]}
    counts, waits = expected(staffed.account, days)
    assert {name: [int(cell) for cell in row[:2]] for name, row in found.items()} == counts
    assert set(counts) == {"Rosa", "Ida", "Team member 3", AUTOMATIC}
    for name, row in found.items():
        number, unit = row[2].split()
        size = {"hour": 3600, "day": 86400}[unit.removesuffix("s")]
        assert abs(int(number) * size - median(waits[name])) <= size / 2, name


async def test_every_number_leads_to_what_it_counts(staffed: Lived) -> None:
    html = await page(staffed.site, "/-/team")
    found = 0
    for path, shown in re.findall(r'<a href="(/-/(?:people|messages)\?[^"]+)">([\d,]+)</a>', html):
        lines = await sheet(staffed.site, path.replace("&amp;", "&").replace("?", ".csv?", 1))
        assert len(lines) == int(shown) > 0, path
        found += 1
        member = int(next(iter({asks(path.replace("&amp;", "&")).get(key) for key in ("helped", "member")} - {None})))
        assert label(member or None) in words(await page(staffed.site, path.replace("&amp;", "&")))
    assert found == 8


@pytest.mark.parametrize("days", [7, 30])
async def test_whoever_wrote_last_waits_oldest_first(staffed: Lived, days: int) -> None:
    lines = await sheet(staffed.site, f"/-/team.csv?days={days}")
    found = {line["Phone"]: (line[SINCE], int(line["Messages since then"])) for line in lines}
    assert found == waits_for_us(staffed.account, days) != {}
    assert [line[SINCE] for line in lines] == sorted(line[SINCE] for line in lines)
    text = words(await page(staffed.site, f"/-/team?days={days}"))
    assert f"{len(lines)} people wrote and have not been answered since." in text


async def test_pages_hold_everyone_once(staffed: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.browse.pages.team.PAGE", 5)
    found, path = [], "/-/team"
    while path:
        html = await page(staffed.site, path)
        found += [link for link in links(html) if link.startswith("/-/contact/")]
        path = next((link for link in links(html) if "after=" in link), "")
    assert len(found) == len(set(found)) == len(waits_for_us(staffed.account, 30)) > 5


async def test_each_organisation_is_counted_alone(both: Lived) -> None:
    own = both.accounts[1]
    lines = await sheet(both.site, "/-/team.csv?org=8")
    assert {line["Phone"] for line in lines} == set(waits_for_us(own, 30))
    html = await page(both.site, "/-/team?org=8")
    assert f">{expected(own, 30)[0]['Team member 3'][1]}</a>" in html


async def test_nobody_answered_yet_and_too_much_to_tell(
    nothing_yet: MirrorDatasette, staffed: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = words(await page(nothing_yet, "/-/team?days=x&after=~~"))
    assert "Nobody has answered" in text and "Nobody waits" in text
    waits = len(await sheet(staffed.site, "/-/team.csv"))
    monkeypatch.setattr("promptsync.browse.queries.reader.Reader.within", lambda *_: None)
    text = words(await page(staffed.site, "/-/team?days=90"))
    assert text.count("Choose fewer days") == 2 and "Rosa" in text
    assert len(await sheet(staffed.site, "/-/team.csv")) == waits > 0, "a file cannot say what it lacks"
    monkeypatch.setattr("promptsync.browse.answering.TIME_LIMIT", 1e-9)
    answer = await ask(staffed.site, "/-/team.csv", "sam")
    assert answer.status_code == 400 and "too long" in answer.text
    assert (await ask(staffed.site, "/-/team", None)).status_code != 200  # type: ignore[arg-type]


async def test_it_is_linked(lived: Lived) -> None:
    for path in ("/", "/mirror"):
        assert "/-/team" in links(await page(lived.site, path))


def test_it_is_read_by_index(staffed: Lived) -> None:
    span = "2026-11", "2026-12"
    with planning(staffed.kit.config.mirror.database) as reader:
        queries.members(reader, *span, None)
        assert queries.activity(reader, *span, None)
        found = [line for plan in reader.plans.values() for line in plan if line.startswith(("SEARCH m ", "SEARCH i "))]
        assert {line for line in found if line.startswith("SEARCH i")} == {
            "SEARCH i USING COVERING INDEX message_inbound (created_timestamp>? AND created_timestamp<?)"
        }
        inside = "(team_member_id=? AND created_timestamp>? AND created_timestamp<?)"
        assert f"SEARCH m USING COVERING INDEX message_answered {inside}" in found
        assert all("USING COVERING INDEX" in line for line in found)
        read = {line for lines in reader.scans().values() for line in lines}
        assert read <= {f"SCAN {one}" for one in ("who", "w", "waiting", "said", "turns", "changes", "(subquery")}, read
    with planning(staffed.kit.config.mirror.database) as reader:
        for member in (0, 2):
            messages.page_of(reader, messages.Wanted("out", *span, member=member), None, 50)
            messages.count_of(reader, messages.Wanted("out", *span, member=member))
            people.count_of(reader, people.Wanted(helped=member, since=span[0], until=span[1]))
        plans = [line for plan in reader.plans.values() for line in plan if line.startswith("SEARCH m ")]
        assert len(plans) == 3 and all("INDEX message_answered (team_member_id=? AND" in line for line in plans)
        assert not reader.scans()
