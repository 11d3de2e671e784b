"""People: whom a list holds, the spreadsheet that must not hurt anyone, and how the mirror is asked."""

import io
import re
import zipfile
from dataclasses import replace

import pytest
from account import NOW, Lived, Row
from browse_sample import FORMULA, ask
from looking import links, page, planning, sheet, words

from promptsync.browse.queries import people as queries
from promptsync.browse.serve import build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.testing import Kit, kit

__all__ = ["kit"]


def tagged(lived: Lived, tag: str, *, out: bool = False) -> set[str]:
    """The numbers of those who have a tag now; opted-out people only with ``out``."""
    tables = lived.account.tables
    ids = {row["contact_id"] for row in tables["contact_tag"] if row["name"] == tag and not row["deleted_timestamp"]}
    return {p["phone"] for p in tables["contact"] if p["id"] in ids and (out or not p["is_opted_out"])}


async def listed(lived: Lived, query: str) -> list[str]:
    """The people of a list, by the links to them, over all its pages."""
    found, path = [], f"/-/people?{query}"
    while path:
        html = await page(lived.site, path)
        found += [link.partition("?")[0] for link in links(html) if link.startswith("/-/contact/")]
        path = next((link for link in links(html) if "after=" in link), "")
    return found


@pytest.mark.parametrize("sort", ["name", "new", "active"])
async def test_a_list_holds_everyone_once_over_all_pages(
    lived: Lived, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.people.PAGE", 9)
    everyone = [f"/-/contact/{row['id']}" for row in lived.account.tables["contact"]]
    found = await listed(lived, f"out=include&sort={sort}&days=365")
    wrote = [row["contact_id"] for row in lived.account.tables["message"] if not row["is_outgoing"]]
    if sort == "active":
        everyone = [link for link in everyone if int(link.rpartition("/")[2]) in wrote]
    assert sorted(found) == sorted(everyone) and len(set(found)) == len(found)
    if sort == "new":
        assert found == everyone[::-1]
    if sort == "active":
        numbers = [wrote.count(int(link.rpartition("/")[2])) for link in found]
        assert numbers == sorted(numbers, reverse=True)


async def test_a_sheet_of_a_tag_has_no_removed_tag_and_nobody_who_opted_out(lived: Lived) -> None:
    found = await sheet(lived.site, "/-/people.csv?tag=Volunteer")
    assert {line["Phone"] for line in found} == tagged(lived, "Volunteer") != tagged(lived, "Volunteer", out=True)
    assert {line["Opted out"] for line in found} == {"no"}
    assert all("Volunteer" in line["Tags"] for line in found)
    assert {line["Pickup site"] for line in found} == {"St. Brendan's"}
    assert "left out" in words(await page(lived.site, "/-/people?tag=Volunteer"))


async def test_opted_out_people_are_in_only_if_asked_for(lived: Lived) -> None:
    found = await sheet(lived.site, "/-/people.csv?tag=Volunteer&out=include")
    assert {line["Phone"] for line in found} == tagged(lived, "Volunteer", out=True)
    outs = {row["phone"] for row in lived.account.tables["contact"] if row["is_opted_out"]}
    assert {line["Phone"] for line in found if line["Opted out"] == "yes"} == outs & tagged(
        lived, "Volunteer", out=True
    )
    assert {line["Phone"] for line in await sheet(lived.site, "/-/people.csv?out=only")} == outs


async def test_a_workbook_has_the_same_cells_as_text(lived: Lived) -> None:
    answer = await ask(lived.site, "/-/people.xlsx?tag=Volunteer", "sam")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        content = book.read("xl/worksheets/sheet1.xml").decode()
    assert set(re.findall(r'<c [^>]*?t="(\w+)"', content)) == {"inlineStr"}
    texts = set(re.findall("<t[^>]*>([^<]*)</t>", content))
    assert tagged(lived, "Volunteer") <= texts


@pytest.mark.parametrize("query", ["q=lim", "q=ANA+li", "q=Peña", "q=pena"])
async def test_a_part_of_a_name_finds_people(lived: Lived, query: str) -> None:
    words_ = query.removeprefix("q=").casefold().replace("ñ", "n").split("+")
    names = {f"/-/contact/{row['id']}": row["display_name"].casefold() for row in lived.account.tables["contact"]}
    plain = {link: name.replace("ñ", "n").split() for link, name in names.items()}
    expected = {link for link, name in plain.items() if all(any(n.startswith(w) for n in name) for w in words_)}
    assert set(await listed(lived, f"out=include&{query}")) == expected != set()


@pytest.mark.parametrize("typed", ["{0}", "({1}) {2}-{3}", "{1}{2}{3}", "{1}.{2}.{3}", "1 {1} {2} {3}", "{3}"])
async def test_a_number_is_found_however_it_is_typed(lived: Lived, typed: str) -> None:
    person: Row = lived.account.tables["contact"][17]
    phone = person["phone"]
    text = typed.format(phone, phone[2:5], phone[5:8], phone[8:]).replace("+", "%2B")
    assert await listed(lived, f"out=include&q={text}") == [f"/-/contact/{person['id']}"]


async def test_numbers_of_home_lead_to_exactly_these_people(lived: Lived) -> None:
    html = await page(lived.site, "/")
    for link in [link for link in links(html) if link.startswith("/-/people?") and "from=" in link]:
        out = "out=only" if "out=only" in link else f"{link.partition('?')[2]}&out=include"
        query = link.partition("?")[2] if "out=only" in link else out
        shown = html[html.index(link.replace("&", "&amp;")) :].partition(">")[2].partition("<")[0]
        assert len(await listed(lived, query)) == int(shown)


async def test_names_and_fields_of_strangers_are_harmless_in_a_sheet(kit: Kit, settings: BrowseSettings) -> None:
    kit.load("contact", [{"id": 1, "display_name": FORMULA, "phone": "+14155550123", "is_opted_out": False}])
    kit.load("contact_data", [{"id": 1, "managed": False, "contact_id": 1, "key": "@bad_key", "value": "+1-2"}])
    site = build_datasette(replace(settings, database=kit.config.mirror.database))
    (line,) = await sheet(site, "/-/people.csv")
    assert (line["Name"], line["Phone"], line["'@bad key"]) == ("'" + FORMULA, "+14155550123", "'+1-2")
    close(site)


async def test_who_may_not_be_texted_leaves_the_sheet_within_seconds_however_it_is_told(
    kit: Kit, settings: BrowseSettings
) -> None:
    rows = [{"id": n, "display_name": f"P{n}", "phone": f"+1415555010{n}", "is_opted_out": False} for n in range(1, 6)]
    kit.load("contact", rows, org=1, as_of="2026-11-26T08:00:00Z")
    kit.load("contact", rows[:4], org=1, as_of="2026-11-27T08:00:00Z")
    live = "2026-11-27T20:10:00Z"
    kit.post("customer/optOut", {"customers": [{"id": 1}], "optOutType": "GLOBAL", "optOut": True, "orgId": 1}, at=live)
    one_channel = {"customer": {"id": 2}, "orgChannel": {"id": 9}, "optOutType": "PHONE_PROVIDER", "optOut": True}
    kit.post("customer/optOut", {**one_channel, "orgId": 1}, at=live)
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    assert [line["Name"] for line in await sheet(site, "/-/people.csv")] == ["P3", "P4"]
    assert [line["Opted out"] for line in await sheet(site, "/-/people.csv?out=include")] == ["yes", "yes", "no", "no"]
    assert "P5 (415) 555-0105 may be texted no longer exported" in words(await page(site, "/-/people"))
    text = words(await page(site, "/"))
    assert "opted out 2 In the last seven days" in text and "P2 opted out at one of our numbers today, 12:10" in text
    close(site)


def test_lists_are_asked_by_index(lived: Lived) -> None:
    every = [
        queries.Wanted(),
        queries.Wanted(sort="new", out="include"),
        queries.Wanted(tag="x"),
        queries.Wanted(list="x", sort="new"),
        queries.Wanted(q="ana"),
        queries.Wanted(wrote=True, since="2026-11"),
        queries.Wanted(out="only", since="2026-11"),
    ]
    with planning(lived.kit.config.mirror.database) as reader:
        for wanted in every:
            queries.page_of(reader, wanted, ("=a", 1), 50)
        queries.tag_names(reader)
        queries.field_names(reader)
        ids = [1, 2, 3]
        for query in (queries.tags_of, queries.lists_of, queries.fields_of, queries.last_message):
            query(reader, ids)
    assert not reader.scans()
