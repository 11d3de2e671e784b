"""Broadcasts: parts that add up, lists that are exactly the number's people, replies and opt-outs that belong to it."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from account import NOW, Account, Lived, LocalKit, Row, iso, load
from browse_sample import ask
from looking import links, page, planning, sheet, words

from promptsync.browse.queries import broadcast_people, broadcasts
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings


def numbers(html: str) -> dict[str, int]:
    """The numbers of the report's two tables, by what they count."""
    rows = re.findall(r'(?s)<tr><th scope="row">(.*?)</th><td class="n">([\d,]+)</td>', html)
    return {words(name): int(n.replace(",", "")) for name, n in rows}


def truth(lived: Lived, cast: Row) -> dict[str, set[int]]:
    """Who is behind each number, told from the rows."""
    tables = lived.account.tables
    sent = [row for row in tables["message"] if row["broadcast_id"] == cast["id"] and row["is_outgoing"]]
    reached = {row["contact_id"] for row in sent if row["is_successful"]}
    replied = {row["contact_id"] for row in tables["message"] if row["broadcast_id"] == cast["id"]} & {
        row["contact_id"] for row in tables["message"] if row["broadcast_id"] == cast["id"] and not row["is_outgoing"]
    }
    return {
        "reached": reached,
        "failed": {row["contact_id"] for row in sent if not row["is_successful"]},
        "replied": replied,
        "silent": reached - replied,
        "opted-out": {row["contact_id"] for row in tables["opt_out"] if _after(lived, cast, row)},
        "clicked": set(),
    }


def _after(lived: Lived, cast: Row, out: Row) -> bool:
    start, at = datetime.fromisoformat(cast["start_timestamp"]), datetime.fromisoformat(out["created_timestamp"])
    got = [
        row
        for row in lived.account.tables["message"]
        if row["contact_id"] == out["contact_id"]
        and row["is_broadcast"]
        and row["created_timestamp"] <= out["created_timestamp"]
    ]
    last = max(got, key=lambda row: row["created_timestamp"], default=None)
    return start <= at < start + timedelta(hours=72) and bool(last) and last["broadcast_id"] == cast["id"]


async def test_the_parts_of_every_broadcast_add_up_and_are_those_of_the_rows(lived: Lived) -> None:
    for cast in lived.account.tables["broadcast"]:
        found = numbers(await page(lived.site, f"/-/broadcast/{cast['id']}"))
        parts = ("Got it", "Messages that did not arrive", "Skipped by the sender")
        assert sum(found.get(name, 0) for name in parts) == found["Together"] == cast["num_contacts"]
        expected = truth(lived, cast)
        assert (found["Got it"], found["Replied"]) == (len(expected["reached"]), len(expected["replied"]))
        assert found["Got it and did not reply"] == len(expected["silent"])
        assert found["Opted out afterwards"] == len(expected["opted-out"])


@pytest.mark.parametrize("which", broadcast_people.WHICH)
async def test_a_list_and_its_sheet_are_exactly_the_people_of_the_number(
    lived: Lived, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.broadcast.PAGE", 4)
    monkeypatch.setattr("promptsync.browse.pages.broadcast._CHUNK", 3)
    phones = {row["id"]: row["phone"] for row in lived.account.tables["contact"]}
    outs = {row["phone"] for row in lived.account.tables["contact"] if row["is_opted_out"]}
    some = 0
    for cast in lived.account.tables["broadcast"]:
        expected, seen = truth(lived, cast)[which], []
        path = f"/-/broadcast/{cast['id']}/{which}"
        lines = await sheet(lived.site, f"{path}.csv")
        while path:
            html = await page(lived.site, path)
            seen += [int(link.rpartition("/")[2]) for link in links(html) if link.startswith("/-/contact/")]
            path = next((link for link in links(html) if "after=" in link), "")
        assert seen == sorted(expected)
        assert [line["Phone"] for line in lines] == [phones[id_] for id_ in sorted(expected)]
        assert {line["Phone"] for line in lines if line["Opted out"] == "yes"} == {phones[i] for i in expected} & outs
        some += len(expected)
    assert some or which == "clicked"


async def test_reasons_say_what_to_do_and_count_all_that_failed(lived: Lived) -> None:
    cast = next(row for row in lived.account.tables["broadcast"] if row["num_errors"])
    text = words(await page(lived.site, f"/-/broadcast/{cast['id']}"))
    assert f"The number does not exist {cast['num_errors']} Ask for the right number." in text


async def test_the_list_of_broadcasts_has_all_of_them_newest_first(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.broadcasts.PAGE", 2)
    seen, path = [], "/-/broadcasts"
    while path:
        html = await page(lived.site, path)
        seen += [int(link.rpartition("/")[2]) for link in links(html) if link.startswith("/-/broadcast/")]
        path = next((link for link in links(html) if "after=" in link), "")
    casts = sorted(lived.account.tables["broadcast"], key=lambda row: row["start_timestamp"], reverse=True)
    assert seen == [cast["id"] for cast in casts]
    lines = await sheet(lived.site, "/-/broadcasts.csv")
    assert [int(line["Got it"]) for line in lines] == [cast["num_sent"] for cast in casts]


@pytest.fixture
def told(tmp_path, settings: BrowseSettings):  # type: ignore[no-untyped-def]
    """A site over an account whose broadcasts are as a test wants them."""
    kit = LocalKit(tmp_path)
    sites: list[MirrorDatasette] = []

    def make(**changes: object) -> tuple[MirrorDatasette, Account, LocalKit]:
        account = Account(7, seed=3, first=0)
        account.tables["broadcast"][-1].update(changes)
        load(kit, account)
        sites.append(build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW))
        return sites[0], account, kit

    yield make
    close(sites[0])
    kit.restart()


async def test_numbers_that_contradict_each_other_are_shown_without_shares(told) -> None:  # type: ignore[no-untyped-def]
    site, account, _ = told(num_contacts=3)
    html = await page(site, f"/-/broadcast/{account.tables['broadcast'][-1]['id']}")
    assert "do not add up" in words(html)
    assert "%" not in words(html).partition("Did it arrive?")[2].partition("What came of it?")[0]


async def test_without_numbers_of_the_export_the_messages_are_counted(told) -> None:  # type: ignore[no-untyped-def]
    blank = dict.fromkeys(("num_contacts", "num_sent", "num_errors", "num_responded", "num_skipped"))
    site, account, _ = told(**blank)
    cast = account.tables["broadcast"][-1]
    html = await page(site, f"/-/broadcast/{cast['id']}")
    sent = [row for row in account.tables["message"] if row["broadcast_id"] == cast["id"] and row["is_outgoing"]]
    assert numbers(html)["Together"] == len(sent) and "Prompt's own numbers come with" in words(html)


async def test_a_live_reply_counts_before_the_export_says_so_and_only_if_nothing_was_sent_between(told) -> None:  # type: ignore[no-untyped-def]
    start = NOW - timedelta(hours=10)
    site, account, kit = told(start_timestamp=iso(start))
    cast = account.tables["broadcast"][-1]
    asked = [row for row in account.tables["message"] if row["broadcast_id"] == cast["id"] and row["is_outgoing"]]
    heard = {row["contact_id"] for row in account.tables["message"] if row["created_timestamp"] > iso(start)}
    quiet = [row for row in asked if row["is_successful"] and row["contact_id"] not in heard]
    before = numbers(await page(site, f"/-/broadcast/{cast['id']}"))["Replied"]
    later = [row["contact_id"] for row in quiet][:2]
    for number, contact in enumerate(later):
        _post(kit, 900 + number, contact, NOW - timedelta(minutes=20), "CUSTOMER")
    _post(kit, 950, later[1], NOW - timedelta(minutes=30), "TEAM_MEMBER")
    after = numbers(await page(site, f"/-/broadcast/{cast['id']}"))["Replied"]
    assert after == before + 1
    assert len(await sheet(site, f"/-/broadcast/{cast['id']}/replied.csv")) == after


async def test_replies_and_opt_outs_belong_to_the_last_broadcast_before_them(
    tmp_path: Path, settings: BrowseSettings
) -> None:
    kit = LocalKit(tmp_path)
    night, person = "2026-11-27T08:00:00Z", {"id": 1, "display_name": "Ana", "phone": "+14155550101"}
    starts = {5: iso(NOW - timedelta(hours=40)), 6: iso(NOW - timedelta(hours=20))}
    kit.load("contact", [person | {"is_opted_out": False}], org=7, as_of=night)
    kit.load("broadcast", [{"id": n, "start_timestamp": at} for n, at in starts.items()], org=7, as_of=night)
    sent = {"contact_id": 1, "is_outgoing": True, "is_successful": True, "is_broadcast": True, "segments": 1}
    rows = [sent | {"id": n, "created_timestamp": at, "broadcast_id": n} for n, at in starts.items()]
    kit.load("message", rows, org=7, as_of=night)
    _post(kit, 1, 1, NOW - timedelta(hours=2), "CUSTOMER")
    body = {"customers": [{"id": 1}], "optOutType": "GLOBAL", "optOut": True, "orgId": 7}
    kit.post("customer/optOut", body, at=iso(NOW - timedelta(hours=1)))
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    for id_, n in ((5, 0), (6, 1)):
        found = numbers(await page(site, f"/-/broadcast/{id_}"))
        assert (found["Replied"], found["Opted out afterwards"]) == (n, n)
        assert len(await sheet(site, f"/-/broadcast/{id_}/opted-out.csv")) == n
    close(site)
    kit.restart()


def _post(kit: LocalKit, id_: int, contact: int, at: datetime, who: str) -> None:
    message = {"id": 10**6 + id_, "userType": who, "body": "ok", "createdTimestamp": iso(at)}
    talk = {"interaction": {"id": contact, "customerId": contact}, "orgId": 7}
    kit.post("message/added", {"message": message, **talk}, at=iso(at))


async def test_no_such_broadcast(lived: Lived) -> None:
    for path in ("/-/broadcast/123456789", "/-/broadcast/99999999999999999999", "/-/broadcast/1/nobody"):
        assert (await ask(lived.site, path, "sam")).status_code in (404, 403)


def test_broadcasts_are_asked_by_index(lived: Lived) -> None:
    cast = lived.account.tables["broadcast"][0]
    with planning(lived.kit.config.mirror.database) as reader:
        broadcasts.page_of(reader, ("2026", 1), 50, None)
        broadcasts.before(reader, "2026-12", None)
        broadcasts.neighbours(reader, cast)
        broadcasts.reasons(reader, cast["id"])
        broadcasts.example(reader, cast["id"])
        broadcasts.clicks(reader, cast["id"])
        broadcasts.people_reached(reader, cast["id"])
        broadcast_people.reply_hours(reader, cast["id"], "2026")
        broadcast_people.live_replies(reader, cast["id"], "2026-11-27", "2026-12")
        for which in broadcast_people.WHICH:
            ids = broadcast_people.ids_of(reader, cast["id"], which, [1], 0, 50)
            broadcast_people.described(reader, cast["id"], which, ids, {})
        counted = broadcasts.arrived(reader, cast["id"])
    assert not reader.scans() and counted["total"]
    sums = next(plan for sql, plan in reader.plans.items() if "AS total" in sql)
    counts = [step for step in sums if step.startswith("SEARCH")]
    assert counts and all("COVERING INDEX message_broadcast" in step for step in counts), sums
