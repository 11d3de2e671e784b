"""Home: its numbers counted again from the rows, its links, and how the mirror is asked."""

import re
from datetime import datetime, timedelta

import pytest
from account import NOW, ZONE, Lived, Row
from looking import asks, links, page, planning, words

from promptsync.browse.queries import home as queries
from promptsync.browse.queries.consent import newest_opt_outs


def week(row: Row, column: str = "created_timestamp") -> bool:
    """Within the last seven local days, today included."""
    day = datetime.fromisoformat(row[column]).astimezone(ZONE).date()
    today = NOW.astimezone(ZONE).date()
    return today - timedelta(days=6) <= day <= today


def counted(lived: Lived, org: int | None = None) -> dict[str, int]:
    tables = [one.tables for one in lived.accounts if org in (None, one.org)]
    messages = [row for one in tables for row in one["message"] if week(row)]
    ours = [row for row in messages if row["is_outgoing"] and not row["is_whisper"]]
    return {
        "people wrote to us": len({row["contact_id"] for row in messages if not row["is_outgoing"]}),
        "messages from them": sum(not row["is_outgoing"] for row in messages),
        "messages we sent": len(ours),
        "did not arrive": sum(not row["is_successful"] for row in ours),
        "opted out": sum(week(row) for one in tables for row in one["opt_out"]),
    }


def tiles(html: str) -> dict[str, int]:
    found = re.findall("(?s)<dt>(.*?)</dt><dd>(.*?)</dd>", html)
    return {words(name): int(words(value).split()[0].replace(",", "")) for name, value in found}


@pytest.mark.parametrize("org", [7, 8])
async def test_the_numbers_are_those_of_the_rows(both: Lived, org: int) -> None:
    html = await page(both.site, f"/?org={org}")
    assert tiles(html) == counted(both, org)
    assert all(counted(both, org).values())


async def test_each_of_several_organisations_has_a_section_of_its_own(both: Lived, lived: Lived) -> None:
    html = await page(both.site, "/")
    sections = re.findall(r'(?s)<section class="organisation".*?</section>', html)
    assert [links(section)[0] for section in sections] == ["/?org=7", "/?org=8"]
    for account, section in zip(both.accounts, sections, strict=True):
        assert tiles(section) == counted(both, account.org)
        own = {row["id"] for table in ("contact", "broadcast") for row in account.tables[table]}
        named = {int(found) for found in re.findall(r"/-/(?:contact|broadcast)/(\d+)", section)}
        assert named and named <= own
        lists = [asks(link) for link in links(section) if link.startswith(("/-/people", "/-/messages"))]
        assert len(lists) == 5 and {one["org"] for one in lists} == {str(account.org)}
    assert 'class="organisation"' not in await page(lived.site, "/")


@pytest.mark.parametrize(
    "path", ["/-/people", "/-/broadcasts", "/-/opt-outs", "/-/delivery", "/-/sending", "/-/team", "/-/search?q=a"]
)
async def test_the_organisation_is_kept_from_page_to_page(both: Lived, path: str) -> None:
    html = await page(both.site, f"{path}{'&' if '?' in path else '?'}org=8")
    kept = [link for link in links(html) if link.startswith("/-/") and "logout" not in link]
    others = re.search('(?s)<nav class="orgs".*?</nav>', html)
    assert others and all(asks(link)["org"] == "8" for link in kept if link not in links(others[0]))
    contacts = {row["id"] for row in both.accounts[0].tables["contact"]}
    assert not contacts & {int(found) for found in re.findall(r"/-/contact/(\d+)", html)}


async def test_every_number_links_to_its_week(lived: Lived) -> None:
    html = await page(lived.site, "/")
    tile = re.search('(?s)<dl class="tiles">.*?</dl>', html)
    assert tile
    for link in links(tile[0]):
        assert (asks(link)["from"], asks(link)["to"]) == ("2026-11-21", "2026-11-27")


async def test_who_wrote_last_stands_once_and_first(lived: Lived) -> None:
    text = words(await page(lived.site, "/"))
    rows = sorted(lived.account.tables["message"], key=lambda row: row["created_timestamp"], reverse=True)
    newest = next(row for row in rows if not row["is_outgoing"])
    name = {row["id"]: row["display_name"] for row in lived.account.tables["contact"]}
    assert text.partition("Newest replies ")[2].startswith(name[newest["contact_id"]])


async def test_an_opt_out_says_how_and_after_which_broadcast(lived: Lived) -> None:
    text = words(await page(lived.site, "/")).partition("Opted out, newest first")[2]
    assert re.search(r"wrote STOP yesterday, 06:30 · last got Drive \d+, \d+ (hours|days) before", text), text


def test_the_week_is_asked_by_index(lived: Lived) -> None:
    with planning(lived.kit.config.mirror.database) as reader:
        queries.week(reader, ("2026-11-21", "2026-11-27"), ("2026-11", "2026-12"), None)
        queries.newest_day(reader, "2026-12", None)
        queries.newest_replies(reader, "2026-10", "2026-12", None)
        queries.newest_broadcasts(reader, "2026-12", None)
        newest_opt_outs(reader, "2026-11", "2026-12", None, 5)
    assert not reader.scans()
    wrote = next(plan for sql, plan in reader.plans.items() if "json_group_array" in sql)
    assert any("COVERING INDEX message_inbound" in line for line in wrote), wrote
    outs = next(plan for sql, plan in reader.plans.items() if "UNION ALL" in sql)
    for index in ("opt_out_created_timestamp", "contact_opted_out", "channel_opt_out_at"):
        assert any(index in line for line in outs), outs
