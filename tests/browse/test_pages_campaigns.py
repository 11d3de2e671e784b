"""Campaigns: numbers counted again from rows made at random, their lists, hostile names, and the plans."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from account import NOW, Account, Lived, LocalKit, load
from browse_sample import FORMULA, SCRIPT, ask
from campaign_rows import KNOWN, UNKNOWN, Metrics, fill
from looking import links, page, planning, sheet, words

from promptsync.browse.queries import campaigns as queries
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[tuple[Lived, Metrics]]:
    account, kit = Account(7, seed=9, first=0), LocalKit(tmp_path_factory.mktemp("mailing"))
    load(kit, account)
    with sqlite3.connect(kit.config.mirror.database) as connection:
        metrics = fill(connection)
    connection.close()
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site), metrics
    close(site)
    kit.restart()


@pytest.mark.parametrize("id_", [UNKNOWN, KNOWN])
async def test_numbers_are_those_of_the_rows_and_of_their_lists(mailing: tuple[Lived, Metrics], id_: int) -> None:
    site, expected = mailing[0].site, mailing[1][id_]
    html = await page(site, f"/-/campaign/{id_}")
    found = dict(re.findall(rf'href="/-/campaign/{id_}/([a-z-]+)">(\d+)</a>', html))
    assert {name: int(n) for name, n in found.items()} == {name: len(ids) for name, ids in expected.items()}
    assert len(found) == 8
    for name, ids in expected.items():
        assert len(await sheet(site, f"/-/campaign/{id_}/{name}.csv")) == len(ids)
    days = html.partition('id="h-days"')[2]
    assert sum(map(int, re.findall(r'class="n">(\d+)<', days))) == len(expected["sent"])


async def test_a_list_holds_each_delivery_once(mailing: tuple[Lived, Metrics], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.browse.pages.campaigns.PAGE", 4)
    path, lines = f"/-/campaign/{KNOWN}/sent", 0
    while path:
        html = await page(mailing[0].site, path)
        lines += html.count('<th scope="row"')
        path = next((link for link in links(html) if "after=" in link), "")
    assert lines == len(mailing[1][KNOWN]["sent"]) > 8


async def test_they_are_linked_named_and_harmless(mailing: tuple[Lived, Metrics], nothing_yet: MirrorDatasette) -> None:
    site = mailing[0].site
    for path in ("/mirror", "/-/broadcasts"):
        assert "/-/campaigns" in links(await page(site, path))
        assert "/-/campaigns" not in links(await page(nothing_yet, path))
    html = await page(site, "/-/campaigns")
    assert SCRIPT not in html and SCRIPT in words(html) and f"Campaign {UNKNOWN}" in html
    html = await page(site, f"/-/campaign/{KNOWN}/sent")
    assert SCRIPT not in html and SCRIPT in words(html)
    people = {line["Person"] for line in await sheet(site, f"/-/campaign/{KNOWN}/sent.csv")}
    assert people == {SCRIPT, "p0", f"'{FORMULA}"}
    assert "nothing yet" in words(await page(nothing_yet, "/-/campaigns"))
    for key in ("0", "9" * 30, "9223372036854775807"):
        assert (await ask(site, f"/-/campaign/{key}", "sam")).status_code == 404


def test_they_are_read_by_index(mailing: tuple[Lived, Metrics]) -> None:
    with planning(mailing[0].kit.config.mirror.database) as reader:
        assert queries.campaign(reader, KNOWN) and queries.counts(reader, KNOWN) and queries.mirrored(reader)
        queries.sent_minutes(reader, KNOWN)
        queries.deliveries(reader, KNOWN, "opened", ("d1", 1), 50)
        lines = [line for plan in reader.plans.values() for line in plan]
        assert any("cio_deliveries_campaign_id (campaign_id=?" in line for line in lines)
        assert {line for line in lines if line.startswith("SEARCH m ")} <= {
            "SEARCH m USING INDEX cio_metrics_delivery_id (delivery_id=? AND workspace_id=?)"
        }
        assert not any("SCAN d" in line or "SCAN m" in line or "SCAN p" in line for line in lines)
        assert not any("ORDER BY" in line for line in reader.plans[list(reader.plans)[-1]])
