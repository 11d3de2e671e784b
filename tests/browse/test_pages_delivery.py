"""Delivery: its numbers counted again from the rows, reasons in words, numbers that never work, and the plans."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from account import NOW, ZONE, Account, Lived, LocalKit, Row, load
from browse_sample import SCRIPT, ask
from looking import links, page, planning, sheet, words

from promptsync.browse.failures import LASTING
from promptsync.browse.queries import delivery as queries
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings


def recent(row: Row, days: int) -> bool:
    """Within the last local days, today included."""
    day = datetime.fromisoformat(row["created_timestamp"]).astimezone(ZONE).date()
    return NOW.astimezone(ZONE).date() - timedelta(days=days - 1) <= day <= NOW.astimezone(ZONE).date()


class Failing(Account):
    """An account in which messages fail for every sort of reason."""

    def __init__(self) -> None:
        super().__init__(7, seed=5, first=0)
        codes = [*LASTING, "21610", "30003", "99999", None]
        for place, person in enumerate(self.tables["contact"][:40]):
            for n in range(1 + place % 3):
                at = NOW - timedelta(days=25 + 3 * place if place % 5 == 4 else place, hours=n)
                text = SCRIPT if place % 2 else "Carrier says no"
                code = codes[place % len(codes)]
                self.message(person, at, "x", 1, is_successful=0, error_code=code, error_message=text)

    def failed(self, days: int) -> list[Row]:
        ours = [row for row in self.tables["message"] if row["is_outgoing"] and not row["is_whisper"]]
        return [row for row in ours if not row["is_successful"] and recent(row, days)]

    def never(self) -> dict[str, int]:
        """Phone to failed messages, counted person by person."""
        found = {}
        for person in self.tables["contact"]:
            theirs = [r for r in self.tables["message"] if r["contact_id"] == person["id"] and recent(r, 90)]
            lasting = [r for r in theirs if r in self.failed(90) and r.get("error_code") in LASTING]
            proof = [r for r in theirs if r["is_successful"] or not r["is_outgoing"]]
            if len(lasting) >= 2 and not proof:
                found[person["phone"]] = len(lasting)
        return found


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    account = Failing()
    quiet = {row["id"] for row in account.tables["contact"][1:40:2]}
    account.tables["message"] = [
        row for row in account.tables["message"] if row["contact_id"] not in quiet or not row["is_successful"]
    ]
    folder: Path = tmp_path_factory.mktemp("failing")
    kit = LocalKit(folder)
    load(kit, account)
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site)
    close(site)
    kit.restart()


@pytest.mark.parametrize("days", [7, 30, 90])
async def test_the_numbers_are_those_of_the_rows_and_add_up(failing: Lived, days: int) -> None:
    account = failing.account
    assert isinstance(account, Failing)
    html = await page(failing.site, f"/-/delivery?days={days}")
    tiles = re.findall("(?s)<dt>(.*?)</dt><dd>(.*?)</dd>", html)
    found = {words(name): int(words(value).split()[0].replace(",", "")) for name, value in tiles}
    sent = [r for r in account.tables["message"] if r["is_outgoing"] and not r["is_whisper"] and recent(r, days)]
    assert found["messages we sent"] == len(sent)
    assert found["did not arrive"] == len(account.failed(days)) > 0
    assert found["messages we sent"] == found["arrived"] + found["did not arrive"] + found.get("not known yet", 0)


async def test_reasons_add_up_to_what_did_not_arrive(failing: Lived) -> None:
    account = failing.account
    assert isinstance(account, Failing)
    html = await page(failing.site, "/-/delivery")
    table = html.partition('id="h-why"')[2].partition("</table>")[0]
    found = Counter[str]()
    for row in re.findall("(?s)<tr><th.*?</tr>", table)[1:]:
        cells = [words(cell) for cell in re.findall("(?s)<td.*?</td>", row)]
        found[cells[3]] += int(cells[1])
    expected = Counter(str(row.get("error_code") or "none") for row in account.failed(30))
    assert found == expected
    refused = {row["contact_id"] for row in account.failed(30) if row.get("error_code") == "21610"}
    assert f"We tried to text {len(refused)} people who had opted out." in words(html)


async def test_a_number_that_never_works_is_one_without_any_proof(failing: Lived) -> None:
    account = failing.account
    assert isinstance(account, Failing)
    lines = await sheet(failing.site, "/-/delivery.csv")
    assert {line["Phone"]: int(line["Failed messages"]) for line in lines} == account.never() != {}
    text = words(await page(failing.site, "/-/delivery")).partition("Numbers that never work")[2]
    assert all(line["Name"] in text for line in lines)


async def test_pages_of_numbers_hold_each_once(failing: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.browse.pages.delivery.PAGE", 2)
    account = failing.account
    assert isinstance(account, Failing)
    found, path = [], "/-/delivery"
    while path:
        html = await page(failing.site, path)
        found += [link for link in links(html) if link.startswith("/-/contact/")]
        path = next((link for link in links(html) if "after=" in link), "")
    assert len(found) == len(set(found)) == len(account.never()) > 2


async def test_an_unknown_code_is_said_in_the_vendors_words_and_harmless(failing: Lived) -> None:
    html = await page(failing.site, "/-/delivery?days=90")
    assert SCRIPT not in html and SCRIPT in words(html) and "99999" in words(html)


async def test_empty_and_closed(nothing_yet: MirrorDatasette, lived: Lived) -> None:
    text = words(await page(nothing_yet, "/-/delivery?days=x&after=~~"))
    assert "Nothing was sent" in text and "No such numbers" in text
    assert (await ask(lived.site, "/-/delivery.csv", None)).status_code != 200


def test_failures_are_read_from_their_own_index(lived: Lived) -> None:
    with planning(lived.kit.config.mirror.database) as reader:
        queries.reasons(reader, "2026-11", "2026-12", None)
        queries.refused(reader, [{}] * queries.REASONS, "21610", "2026-11", "2026-12", None)
        queries.never_working(reader, "2026-08", None, ("2026-11", 5), 50)
        plans = list(reader.plans.values())
        assert plans[0][0].startswith("SEARCH message USING COVERING INDEX message_failed (created_timestamp>?")
        assert all(any("message_failed" in line for line in plan) for plan in plans if "message" in str(plan))
        proof = [line for plan in plans for line in plan if line.startswith("SEARCH m ")]
        assert proof == [
            "SEARCH m USING INDEX message_contact_id_created_timestamp (contact_id=? AND created_timestamp>?)"
        ]
        assert {line for lines in reader.scans().values() for line in lines} <= {"SCAN f"}
