"""Pages of a sorted table: every row once in one order, whatever is blank or tied, and read along an index."""

import re
from typing import Any

import pytest
from account import Lived
from browse_sample import ask
from looking import links, page, words

from promptsync.browse import mirror
from promptsync.browse.mirror import MirrorDatabase
from promptsync.browse.row_paging import pages


async def _walk(lived: Lived, path: str) -> list[list[Any]]:
    """All rows of a table, page after page."""
    rows: list[list[Any]] = []
    while path:
        answer = await ask(lived.site, path, "sam")
        assert answer.status_code == 200, answer.text[:200]
        found = answer.json()
        rows += found["rows"]
        path = (found["next_url"] or "").partition("//")[2].partition("/")[2]
        path = f"/{path}" if path else ""
    return rows


@pytest.mark.parametrize("sort", ["_sort", "_sort_desc"])
@pytest.mark.parametrize(
    ("table", "column", "filters"),
    [
        ("message", "created_timestamp", ""),
        ("message", "broadcast_id", ""),
        ("message", "error_code", "&is_outgoing=1&content__contains=a"),
        ("message", "id", "&is_outgoing__exact=1"),
        ("contact_data", "key", ""),
        ("contact", "opt_out_timestamp", ""),
    ],
)
async def test_all_pages_together_are_the_table_in_order(
    lived: Lived, table: str, column: str, filters: str, sort: str
) -> None:
    path = f"/mirror/{table}.json?{sort}={column}&_size=19&_shape=arrays{filters}"
    rows = await _walk(lived, path)
    names = (await ask(lived.site, path, "sam")).json()["columns"]
    keys = [names.index(name) for name in lived.kit.engine.mirror.schema[table].key]
    shown = [tuple(row[key] for key in keys) for row in rows]
    count = (await ask(lived.site, f"{path}&_shape=object", "sam")).json()["filtered_table_rows_count"]
    assert len(shown) == len(set(shown)) == count > 19
    values = [row[names.index(column)] for row in rows]
    full, blank = [value for value in values if value is not None], [None] * values.count(None)
    down = sort == "_sort_desc"
    assert values == (sorted(full, reverse=True) + blank if down else blank + sorted(full))


async def test_the_next_page_of_messages_is_read_along_the_index(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    execute = mirror.Database.execute

    async def kept(self: MirrorDatabase, sql: str, *args: Any, **options: Any) -> Any:
        asked.append(sql)
        return await execute(self, sql, *args, **options)

    html = await page(lived.site, "/mirror/message?_size=50")
    monkeypatch.setattr(mirror.Database, "execute", kept)
    (following,) = [link for link in links(html) if "_next=" in link]
    await page(lived.site, following.removeprefix("http://localhost"))
    (sql,) = [sql for sql in asked if re.search(r"order by created_timestamp desc, id desc limit 51$", sql)]
    with lived.kit.engine.mirror.reading() as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", {"p0": "1", "p1": "2026"})]
    assert plan == ["SEARCH message USING INDEX message_created_timestamp (created_timestamp<?)"]


def test_what_is_no_page_of_a_table_stays_as_it_is() -> None:
    for sql in (
        "select count(*) from message",
        "select a, count(*) as n from t group by a order by n desc, a limit 31",
        "select 1 order by x, y limit 3",
    ):
        assert pages(sql, ("id",)) == ([sql], 0)
    assert pages("select a from t order by a limit 5", ())[1] == 0


async def test_of_a_large_table_nothing_is_counted_unasked(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = "/mirror/contact?_facet=phone"
    few = [words(await page(lived.site, path)) for path in ("/mirror/contact", asked)]
    monkeypatch.setattr(mirror, "MOST_COUNTED", 20)
    many = [words(await page(lived.site, path)) for path in ("/mirror/contact", asked)]
    assert all("60 rows" in text and "Opted out" in text for text in few)
    assert all("Many rows" in text and "took too long" not in text for text in many)
    counted = ["facet-results" in await page(lived.site, path) for path in ("/mirror/contact", asked)]
    assert counted == [False, True]


@pytest.mark.parametrize("path", ["/mirror/contact?_sort=display_name", "/mirror/contact/1"])
async def test_a_table_has_the_navigation_of_every_page(lived: Lived, path: str) -> None:
    own, html = await page(lived.site, "/mirror"), await page(lived.site, path)
    navigation = [re.search('(?s)<nav [^>]*aria-label="Main".*?</nav>', one) for one in (own, html)]
    assert navigation[0] and navigation[1] and len(links(navigation[1][0])) == 7
    assert links(navigation[0][0]) == links(navigation[1][0])
    assert re.findall('href="([^"]+)" aria-current="page"', html) == ["/mirror"]
    assert "sort" not in path or "sorted by Name" in words(html)
