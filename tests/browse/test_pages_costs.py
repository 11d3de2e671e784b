"""Costs: each number counted again from the rows, by local months and days, and how the mirror is asked."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import pytest
from account import ZONE, Lived
from browse_sample import ask
from looking import asks, links, page, planning, sheet, words

from promptsync.browse.queries import sending as queries
from promptsync.browse.serve import MirrorDatasette

_ASKED = {
    "Messages sent": lambda row: row["is_outgoing"],
    "Of them broadcasts": lambda row: row["is_outgoing"] and row["is_broadcast"],
    "Pictures sent": lambda row: row["is_outgoing"] and row["is_mms"],
    "Segments sent": lambda row: row["is_outgoing"] and row["segments"],
    "Segments charged": lambda row: row["is_billable"] and row["segments"],
    "Of them broadcasts, charged": lambda row: row["is_billable"] and row["is_broadcast"] and row["segments"],
    "Messages received": lambda row: not row["is_outgoing"],
    "Sent, segments not known yet": lambda row: row["is_outgoing"] and row["segments"] is None,
}


def counted(lived: Lived, length: int, org: int | None = None) -> dict[str, dict[str, str]]:
    """By month (``length`` 7) or day (10): every column of the sheet, counted from the rows without notes."""
    found: dict[str, Counter[str]] = {}
    for row in [row for one in lived.accounts if org in (None, one.org) for row in one.tables["message"]]:
        span = datetime.fromisoformat(row["created_timestamp"]).astimezone(ZONE).date().isoformat()[:length]
        if not row["is_whisper"]:
            found.setdefault(span, Counter()).update({name: int(say(row) or 0) for name, say in _ASKED.items()})
    return {span: {name: str(sums[name]) for name in _ASKED} for span, sums in found.items()}


def _without_span(lines: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {line[next(iter(line))]: {name: line[name] for name in _ASKED} for line in lines}


@pytest.mark.parametrize("org", [None, 8])
async def test_the_numbers_are_those_of_the_rows(both: Lived, org: int | None) -> None:
    query = f"?org={org}" if org else "?"
    months = counted(both, 7, org)
    assert _without_span(await sheet(both.site, f"/-/sending.csv{query}")) == months
    month = max(months)
    days = {day: sums for day, sums in counted(both, 10, org).items() if day.startswith(month)}
    assert _without_span(await sheet(both.site, f"/-/sending.csv{query}&month={month}")) == days


async def test_the_page_shows_the_sheet_and_their_sum(lived: Lived) -> None:
    text = words(await page(lived.site, "/-/sending"))
    months = counted(lived, 7)
    for sums in months.values():
        assert all(f" {int(value):,} " in f" {text} " for value in sums.values() if value != "0")
    total = sum(int(sums["Messages sent"]) for sums in months.values())
    assert f"Together {total:,} " in text and "charged too" in text


async def test_a_month_leads_to_its_days_and_numbers_to_their_messages(lived: Lived) -> None:
    html = await page(lived.site, "/-/sending")
    month = max(counted(lived, 7))
    assert f"/-/sending?month={month}" in links(html)
    days = await page(lived.site, f"/-/sending?month={month}")
    assert "All twelve months" in words(days)
    spans = [asks(link) for link in links(html) if link.startswith("/-/messages")]
    assert all(one["from"].endswith("-01") and one["from"][:7] == one["to"][:7] for one in spans)


@pytest.mark.parametrize("month", ["", "2026-13", "9999-12", "0001-01", "2026-1'", "<b>", "1999-02"])
async def test_any_month_is_answered(lived: Lived, month: str) -> None:
    html = await page(lived.site, f"/-/sending?month={month}")
    assert "<b>" not in html and ("Together" in html or "Nothing was sent" in html)


async def test_an_empty_copy_says_so_and_nobody_sees_it(nothing_yet: MirrorDatasette, lived: Lived) -> None:
    assert "Nothing was sent" in words(await page(nothing_yet, "/-/sending"))
    assert (await ask(lived.site, "/-/sending", None)).status_code != 200


def test_only_kept_numbers_are_read(lived: Lived) -> None:
    with planning(lived.kit.config.mirror.database) as reader:
        for org in (None, 7):
            queries.by_month(reader, "2025-12-01", "2026-12-01", org)
            queries.by_day(reader, "2026-11-01", "2026-12-01", org)
            queries.outcomes(reader, "2026-11-01", "2026-12-01", org)
        assert not reader.scans()
        plans: Mapping[str, list[str]] = reader.plans
        assert all(re.match(r"SEARCH day_count USING PRIMARY KEY \(day>\? AND day<\?\)", p[0]) for p in plans.values())
