"""Search and messages: what is found and where it leads, and that numbers of messages are their lists."""

from datetime import datetime

import pytest
from account import NOW, ZONE, Lived, Row
from browse_sample import ask
from looking import asks, links, page, planning, sheet, words

from promptsync.browse.queries import messages, search


def hits(html: str) -> list[int]:
    return [int(asks(link)["at"]) for link in links(html) if "at=" in link]


async def every(lived: Lived, path: str) -> list[int]:
    """The messages of a list over all its pages."""
    found: list[int] = []
    while path:
        html = await page(lived.site, path)
        found += hits(html)
        path = next((link for link in links(html) if "after=" in link or "before=" in link), "")
    return found


async def test_words_are_found_newest_first_over_all_pages_and_lead_to_the_message(lived: Lived) -> None:
    found = await every(lived, "/-/search?q=See+YOU")
    expected = [row["id"] for row in lived.account.tables["message"] if "See you" in row["content"]]
    assert found == sorted(expected, reverse=True) and len(found) > 100
    html = await page(lived.site, "/-/search?q=See+YOU")
    leads = next(link for link in links(html) if "at=" in link)
    assert f'id="m{found[0]}"' in await page(lived.site, leads)


async def test_a_beginning_is_found_where_whole_words_find_little(lived: Lived) -> None:
    assert await every(lived, "/-/search?q=remem") == await every(lived, "/-/search?q=remember") != []
    assert await every(lived, "/-/search?q=re") == []


async def test_people_come_first_and_are_found_by_number_too(lived: Lived) -> None:
    person: Row = lived.account.tables["contact"][20]
    for typed in (
        person["phone"].replace("+", "%2B"),
        f"({person['phone'][2:5]})+{person['phone'][5:8]}-{person['phone'][8:]}",
    ):
        text = words(await page(lived.site, f"/-/search?q={typed}")).partition("People")[2]
        assert person["display_name"] in text and "last message" in text
    assert len([link for link in links(await page(lived.site, "/-/search?q=lima")) if "/-/contact/" in link]) == 20


@pytest.mark.parametrize(
    "text", ["", "%22", "*", "NEAR(", "a%20OR", "😀", "-", "%00", "'", "x" * 3000, "content:x", "^a", "(((("]
)
async def test_nothing_that_can_be_typed_fails(lived: Lived, text: str) -> None:
    for path in ("/-/search", "/-/people", "/-/messages"):
        assert (await ask(lived.site, f"{path}?q={text}", "sam")).status_code == 200


@pytest.mark.parametrize("way", ["", "in", "out", "failed"])
async def test_a_list_of_messages_is_complete_and_in_order(
    lived: Lived, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.messages.PAGE", 60)
    rows = [row for row in lived.account.tables["message"] if _is(row, way)]
    rows.sort(key=lambda row: (row["created_timestamp"], row["id"]), reverse=True)
    assert await every(lived, f"/-/messages?way={way}") == [row["id"] for row in rows] != []
    assert len(await sheet(lived.site, f"/-/messages.csv?way={way}")) == len(rows)


def _is(row: Row, way: str) -> bool:
    ours = row["is_outgoing"] and not row["is_whisper"]
    wanted = {"in": not row["is_outgoing"], "out": ours, "failed": ours and not row["is_successful"]}
    return bool(wanted.get(way, not row["is_whisper"]))


async def test_numbers_of_messages_on_home_are_the_length_of_their_lists(lived: Lived) -> None:
    html = await page(lived.site, "/")
    for link in [link for link in links(html) if link.startswith("/-/messages?")]:
        shown = html[html.index(link.replace("&", "&amp;")) :].partition(">")[2].partition("<")[0]
        assert len(await sheet(lived.site, link.replace("messages?", "messages.csv?"))) == int(shown.replace(",", ""))
    days = {line["When (America/Los_Angeles)"][:10] for line in await sheet(lived.site, link.replace("?", ".csv?"))}
    assert days and max(days) <= NOW.astimezone(ZONE).date().isoformat()
    assert min(days) >= datetime(2026, 11, 21).date().isoformat()


async def test_messages_of_a_broadcast(lived: Lived) -> None:
    cast = lived.account.tables["broadcast"][0]
    rows = [row for row in lived.account.tables["message"] if row["broadcast_id"] == cast["id"]]
    assert sorted(await every(lived, f"/-/messages?broadcast={cast['id']}")) == [row["id"] for row in rows]
    assert cast["description"] in words(await page(lived.site, f"/-/messages?broadcast={cast['id']}"))


def test_they_are_asked_by_index(lived: Lived) -> None:
    with planning(lived.kit.config.mirror.database) as reader:
        for way in ("", "in", "out", "failed"):
            for broadcast in (None, 1):
                wanted = messages.Wanted(way, "2026-11", "2026-12", broadcast)
                messages.page_of(reader, wanted, ("2026-11-20", 5), 50)
                messages.count_of(reader, wanted)
        for text in ("ana", "0056", "see you at"):
            search.people_by(reader, text, None)
            search.messages_by(reader, text, None, None)
            search.messages_by(reader, text, 400, 7)
    assert not reader.scans()
    lists = {sql: plan for sql, plan in reader.plans.items() if "ORDER BY m.created_timestamp" in sql}
    assert len(lists) == 4
    for plan in lists.values():
        assert len(plan) == 1 and "message_" in plan[0] and "TEMP B-TREE" not in plan[0], plan
    assert any("contact_phone_end" in line for plan in reader.plans.values() for line in plan)
