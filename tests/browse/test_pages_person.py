"""Person: the conversation whole and in order over its pages, found in, saved; the facts; the states of consent."""

import re
from dataclasses import replace

import pytest
from account import NOW, Lived, Row
from browse_sample import ask
from looking import links, page, sheet, words

from promptsync.browse.serve import build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.config import Config
from promptsync.daemon.retention import Retention
from promptsync.testing import Kit, kit

__all__ = ["kit"]


def of(lived: Lived, person: Row, table: str = "message") -> list[Row]:
    rows = [row for row in lived.account.tables[table] if row["contact_id"] == person["id"]]
    return sorted(rows, key=lambda row: (row["created_timestamp"], row["id"]))


def busiest(lived: Lived) -> Row:
    return max(lived.account.tables["contact"], key=lambda person: len(of(lived, person)))


def shown(html: str) -> list[int]:
    return [int(found) for found in re.findall(r'<li class="(?:in|out|note)[^>]* id="m(\d+)"', html)]


async def test_every_message_stands_once_and_in_order_over_all_pages(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.person.PAGE", 7)
    person = busiest(lived)
    expected = [row["id"] for row in of(lived, person)]
    for kind, path in (
        ("before=", f"/-/contact/{person['id']}"),
        ("after=", f"/-/contact/{person['id']}?on=2000-01-01"),
    ):
        seen: list[int] = []
        while path:
            html = await page(lived.site, path)
            seen = [*shown(html), *seen] if kind == "before=" else [*seen, *shown(html)]
            path = next((link for link in links(html) if kind in link), "")
        assert seen == expected and len(seen) > 14


async def test_a_message_says_who_wrote_it_and_why_it_failed(lived: Lived) -> None:
    tables = lived.account.tables
    failed = next(row for row in tables["message"] if not row["is_successful"])
    html = await page(lived.site, f"/-/contact/{failed['contact_id']}?at={failed['id']}")
    bubble = re.search(f'(?s)<li class="out failed" id="m{failed["id"]}">.*?</li>', html)
    assert bubble and "Not delivered: The number does not exist (30005)" in words(bubble[0])
    assert f"/-/broadcast/{failed['broadcast_id']}" in links(bubble[0])
    note = next(row for row in tables["message"] if row["is_whisper"])
    assert "Note, not sent" in words(await page(lived.site, f"/-/contact/{note['contact_id']}?at={note['id']}"))


async def test_words_are_found_in_one_persons_messages_only(lived: Lived) -> None:
    person = busiest(lived)
    html = await page(lived.site, f"/-/contact/{person['id']}?find=GRACIAS")
    assert shown(html) == [row["id"] for row in of(lived, person) if "Gracias" in row["content"]][-50:] != []
    assert "No message has these words" in words(await page(lived.site, f"/-/contact/{person['id']}?find=100%25"))


async def test_a_day_is_gone_to(lived: Lived) -> None:
    person = busiest(lived)
    html = await page(lived.site, f"/-/contact/{person['id']}?on=2026-11-20")
    assert shown(html) == [row["id"] for row in of(lived, person) if row["created_timestamp"] >= "2026-11-20T08"][:50]
    for nonsense in ("?on=yesterday", "?on=0001-01-01", "?on=9999-12-31", "?before=x", "?after=9~~~1", "?at=-1"):
        assert (await ask(lived.site, f"/-/contact/{person['id']}{nonsense}", "sam")).status_code == 200


async def test_consent_and_facts_are_said_first(lived: Lived) -> None:
    tables = lived.account.tables
    for person in (tables["contact"][0], tables["contact"][9], tables["contact"][1]):
        text = words(await page(lived.site, f"/-/contact/{person['id']}"))
        out = next((row for row in tables["opt_out"] if row["contact_id"] == person["id"]), None)
        how = {"CONTACT": "by writing STOP", "MANAGED": "by staff or automatically"}[out["type"]] if out else ""
        state = f"Opted out yesterday, 06:30, {how}. Texts to them" if how else "May be texted."
        assert state.partition(" yesterday, 06:30")[0] in text and state.rpartition(", ")[2] in text
        assert "Pickup site St. Brendan's" in text and f"({person['phone'][2:5]}) {person['phone'][5:8]}" in text
        tags = {row["name"] for row in of(lived, person, "contact_tag") if not row["deleted_timestamp"]}
        assert set(re.findall("Tags ((?:Spanish |Volunteer )*)", text)[0].split() if tags else []) == tags


async def test_a_conversation_is_saved_whole(lived: Lived) -> None:
    person = busiest(lived)
    found = await sheet(lived.site, f"/-/contact/{person['id']}.csv")
    assert [line["Text"] for line in found] == [row["content"] for row in of(lived, person)]
    assert next(iter(found[0])) == "When (America/Los_Angeles)"
    assert {line["Direction"] for line in found} <= {"from them", "from us", "note, not sent"}


async def test_who_is_known_by_messages_alone_has_a_page_and_nobody_has_none(
    kit: Kit, settings: BrowseSettings
) -> None:
    body = {"message": {"id": 1, "userType": "CUSTOMER", "body": "hi"}, "customerChannel": "+14155550123", "orgId": 7}
    kit.post("message/added", {**body, "interaction": {"id": 5, "customerId": 99}}, at="2026-11-27T20:10:00Z")
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    text = words(await page(site, "/-/contact/99"))
    assert "Whether they may be texted is not known yet" in text and "1 from them, 0 from us" in text
    assert (await ask(site, "/-/conversation/5", "sam")).headers["location"] == "/-/contact/99"
    for path in ("/-/contact/123456789", "/-/contact/99999999999999999999999", "/-/conversation/77"):
        assert (await ask(site, path, "sam")).status_code == 404
    close(site)


async def test_a_text_that_was_swept_is_said_to_be_removed(kit: Kit, settings: BrowseSettings) -> None:
    for id_, created in ((1, 1_600_000_000_000), (2, 1_795_000_000_000)):
        user = {"userType": "CUSTOMER", "userId": 99, "createdTimestamp": created}
        kit.post("message/added", {"orgId": 7, "message": {"id": id_, "content": f"text {id_}", **user}})
    kit.engine.config = Config.read({"retention": {"message_content": "24 months"}}, kit.folder)
    Retention(kit.engine).run()
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    text = words(await page(site, "/-/contact/99"))
    assert "Text removed after 24 months" in text and "text 2" in text and "text 1" not in text
    found = await sheet(site, "/-/contact/99.csv")
    assert [line["Text"] for line in found] == ["Text removed after 24 months", "text 2"]
    close(site)
