"""Pages of Customer.io's tables and views, over a mirror as the daemon makes it: links across composite keys."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from browse_sample import SCRIPT, ask

from promptsync.browse.links import address, incoming
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.merge.sql import names
from promptsync.model import Schema
from promptsync.store.mirror import Mirror

ODD = "a/b,c %é"
ROWS: dict[str, list[dict[str, object]]] = {
    "cio_people": [
        {"workspace_id": 7, "internal_customer_id": ODD, "customer_id": "ana", "deleted": 0, "suppressed": 1},
        {"workspace_id": 7, "internal_customer_id": SCRIPT, "customer_id": "sam", "deleted": 0, "suppressed": 0},
    ],
    "cio_subjects": [{"workspace_id": 7, "subject_name": "s1", "internal_customer_id": SCRIPT, "campaign_id": 5}],
    "cio_deliveries": [
        {"workspace_id": 7, "delivery_id": "d1", "internal_customer_id": ODD, "subject_id": "s1"}
        | {"campaign_id": 5, "action_id": 50, "created_at": "2026-02-04T08:00:00.000Z"},
        {"workspace_id": 7, "delivery_id": "d2", "internal_customer_id": None, "newsletter_id": 9}
        | {"created_at": "2026-02-03T08:00:00.000Z"},
    ],
    "cio_metrics": [{"workspace_id": 7, "event_id": "m1", "delivery_id": "d1", "metric": "opened", "machine": 0}],
    "cio_outputs": [{"workspace_id": 7, "output_id": "o1", "action_id": 50}],
    "cio_campaigns": [
        {"workspace_id": 7, "campaign_id": 5, "version": version, "name": f"Spring {version}"} for version in (1, 2)
    ],
    "cio_actions": [
        {"workspace_id": 7, "campaign_id": campaign, "action_id": 50, "version": version, "name": f"Step {version}"}
        for campaign in (5, 6)
        for version in (1, 2)
    ],
    "cio_broadcasts": [
        {"workspace_id": 7, "broadcast_id": 9, "updated_at": f"2026-02-0{day}T00:00:00.000Z", "name": f"News {day}"}
        for day in (1, 2)
    ],
    "cio_attributes": [
        {"workspace_id": 7, "internal_customer_id": ODD, "attribute_name": "city", "attribute_value": city}
        | {"timestamp": f"2026-02-0{day}T00:00:00.000Z"}
        for day, city in enumerate(("Rome", "Oslo"), 1)
    ],
}


@pytest.fixture(scope="module")
def cio_site(tmp_path_factory: pytest.TempPathFactory, schema: Schema) -> Iterator[MirrorDatasette]:
    """Datasette over a mirror that is open for writing, without a login."""
    path = tmp_path_factory.mktemp("cio") / "mirror.db"
    mirror = Mirror(path, schema)
    for table, rows in ROWS.items():
        for row in rows:
            sql = f"INSERT INTO {table} ({names(row)}) VALUES ({', '.join('?' * len(row))})"
            mirror.writer.run(lambda connection, sql=sql, row=row: connection.execute(sql, tuple(row.values())))
    datasette = build_datasette(BrowseSettings(Path(path), schema, ZoneInfo("UTC"), anonymous=True))
    yield datasette
    close(datasette)
    mirror.close()


async def page(site: MirrorDatasette, path: str) -> str:
    answer = await ask(site, path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.text


def led_to(html: str, column: str) -> list[str]:
    """Where the cells of a column link to."""
    cells = re.findall(
        rf'(?:<td class="col-{column} .*?|<th scope="row">{column}</th>\s*<td[^>]*)>(.*?)</td>', html, re.S
    )
    return [unescape(found) for cell in cells for found in re.findall(r'<a href="([^"]*)"', cell)]


@pytest.mark.parametrize(
    ("start", "column", "shows"),
    [
        ("cio_deliveries", "internal_customer_id", "ana"),
        ("cio_deliveries/7,d1", "internal_customer_id", "ana"),
        ("cio_deliveries", "subject_id", "s1"),
        ("cio_deliveries", "campaign_id", "Spring 2"),
        ("cio_deliveries", "action_id", "Step 2"),
        ("cio_deliveries", "newsletter_id", "News 2"),
        ("cio_subjects", "internal_customer_id", "sam"),
        ("cio_metrics?metric=opened", "delivery_id", "4 Feb 2026, 08:00"),
        ("cio_attributes_current", "internal_customer_id", "ana"),
        ("cio_actions_current?campaign_id=5", "campaign_id", "Spring 2"),
        ("cio_actions_current?campaign_id=5", "action_id", "Step 2"),
        ("cio_people_gone", "internal_customer_id", "ana"),
    ],
)
async def test_a_link_leads_to_what_it_names(cio_site: MirrorDatasette, start: str, column: str, shows: str) -> None:
    (target,) = led_to(await page(cio_site, f"/mirror/{start}"), column)
    assert shows in await page(cio_site, target)


async def test_a_link_to_versions_shows_the_newest_of_the_one_meant(cio_site: MirrorDatasette) -> None:
    (step,) = led_to(await page(cio_site, "/mirror/cio_deliveries"), "action_id")
    assert step == "/mirror/cio_actions_current?workspace_id=7&campaign_id=5&action_id=50"
    text = await page(cio_site, step)
    assert "1 row" in text and "Step 1" not in text
    (step,) = led_to(await page(cio_site, "/mirror/cio_outputs"), "action_id")
    assert step == "/mirror/cio_actions_current?workspace_id=7&action_id=50"


async def test_a_row_says_what_refers_to_it(cio_site: MirrorDatasette) -> None:
    (person,) = led_to(await page(cio_site, "/mirror/cio_people_gone"), "internal_customer_id")
    text = await page(cio_site, person)
    found = {unescape(link): said for link, said in re.findall(r'<li><a href="([^"]*)">([^<]+: \d+ rows?)</a>', text)}
    assert sorted(found.values()) == [
        "Attributes of people, every change: 2 rows",
        "Messages sent by Customer.io: 1 row",
    ]
    for link, said in found.items():
        assert f"{said.partition(': ')[2]} " in await page(cio_site, link)
    campaign = await page(cio_site, "/mirror/cio_campaigns/7,5,1")
    assert "Messages sent by Customer.io: 1 row" in campaign and "Journeys of people: 1 row" in campaign
    assert "Steps of campaigns, every version: 2 rows" in campaign
    assert "What refers to it" not in await page(cio_site, "/mirror/cio_metrics/7,m1")


async def test_views_are_listed_described_and_shown_without_hidden_columns(
    cio_site: MirrorDatasette, schema: Schema
) -> None:
    listed = await page(cio_site, "/mirror")
    assert "Other tables" not in listed
    for view in schema.views:
        assert f'href="/mirror/{view.name}">' in listed and view.about in unescape(listed)
        text = await page(cio_site, f"/mirror/{view.name}")
        assert view.about in unescape(text)
        assert not re.search("_row_at|_rev", text)
    text = await page(cio_site, "/mirror/cio_attributes_current")
    assert "Oslo" in text and "Rome" not in text
    gone = await page(cio_site, "/mirror/cio_people_gone")
    assert "ana" in gone and "sam" not in gone and "yes" in gone


async def test_hostile_ids_stay_text(cio_site: MirrorDatasette) -> None:
    for path in ("/mirror/cio_subjects", "/mirror/cio_subjects/7,s1", "/mirror/cio_people"):
        assert "<script" not in await page(cio_site, path)


@pytest.mark.parametrize("path", ["cio_people_gone/7,ana", "cio_people/7", "cio_people/7,nobody", "cio_people_none"])
async def test_what_has_no_page_is_not_found(cio_site: MirrorDatasette, path: str) -> None:
    assert (await ask(cio_site, f"/mirror/{path}")).status_code == 404


async def test_versions_of_bytes_stay_out_of_csv(cio_site: MirrorDatasette) -> None:
    for name in ("cio_people", "cio_people_gone"):
        assert "_row_at" not in await page(cio_site, f"/mirror/{name}.csv?_stream=on")


class _Addresses:
    def row(self, database: str, table: str, path: str) -> str:
        return f"/{database}/{table}/{path}"

    def table(self, database: str, table: str) -> str:
        return f"/{database}/{table}"


def test_a_link_needs_the_columns_that_make_its_key(schema: Schema) -> None:
    def led(table: str, column: str, **row: object) -> str | None:
        return address(_Addresses(), schema, table, column, row)

    person = {"internal_customer_id": "a/b"}
    assert led("cio_events", "internal_customer_id", workspace_id=1, **person) == "/mirror/cio_people/1,a~2Fb"
    assert led("cio_events", "internal_customer_id", **person) is None
    assert led("cio_events", "internal_customer_id", workspace_id=1, internal_customer_id=None) is None
    assert led("cio_people_gone", "internal_customer_id", **person) is None
    assert led("cio_subjects", "campaign_id", workspace_id=1, campaign_id=5) == (
        "/mirror/cio_campaigns_current?workspace_id=1&campaign_id=5"
    )
    assert led("cio_subjects", "campaign_id", campaign_id=5) == "/mirror/cio_campaigns_current?campaign_id=5"
    assert led("message", "contact_id", contact_id=5) is led("nothing", "id", id=5) is None


def test_backwards_is_followed_only_what_an_index_or_a_key_answers(schema: Schema) -> None:
    found = {(table.name, columns[-1]) for table, columns in incoming(schema, "cio_deliveries")}
    assert found == {("cio_metrics", "delivery_id"), ("cio_delivery_content", "delivery_id")}


async def test_a_key_of_several_columns_is_not_said_twice(cio_site: MirrorDatasette) -> None:
    text = await page(cio_site, "/mirror/cio_deliveries")
    assert 'href="/mirror/cio_deliveries/7,d1" title="7,d1" aria-label="open 7,d1">open</a>' in text
    assert "not shown: Workspace 7</p>" in text
    assert SCRIPT not in await page(cio_site, "/mirror/cio_people")
    assert "a view" in await page(cio_site, "/mirror")
