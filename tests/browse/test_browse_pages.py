"""What the pages show: hidden columns, hostile text, labels, search, CSV."""

import csv
import io
import re
import sqlite3
from pathlib import Path

import pytest
from browse_sample import EMOJI, FORMULA, LONG, SCRIPT, ask

from promptsync.browse.mirror import open_read_only
from promptsync.browse.serve import MirrorDatasette
from promptsync.errors import Unavailable


async def page(site: MirrorDatasette, path: str, user: str = "sam") -> str:
    answer = await ask(site, path, user)
    assert answer.status_code == 200, answer.text
    return answer.text


async def rows(site: MirrorDatasette, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(await page(site, path))))


@pytest.mark.parametrize(
    "path", ["/mirror/message", "/mirror/message.json?_shape=array", "/mirror/message/10", "/mirror"]
)
async def test_hidden_columns_stay_hidden(site: MirrorDatasette, path: str) -> None:
    text = await page(site, path)
    assert not re.search("_rev|_facts_at|987654321", text)
    assert "_nocol" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/mirror/message?_col=_facts_at",
        "/mirror/message?_sort_desc=_facts_at&_size=2",
        "/mirror/message?_facts_at__gt=1",
        "/mirror/message.csv?_col=_facts_at",
        "/mirror/message/10?_col=_facts_at",
        "/mirror/message/10.json",
    ],
)
async def test_hidden_columns_show_when_asked_for(site: MirrorDatasette, path: str) -> None:
    assert "987654321" in await page(site, path)


async def test_csv_has_no_hidden_columns(site: MirrorDatasette) -> None:
    assert {name for name in (await rows(site, "/mirror/message.csv"))[0] if name.startswith("_")} == {"_absent_since"}


async def test_absence_is_said_in_words_where_it_is_so(site: MirrorDatasette) -> None:
    words = "no longer in the export since"
    assert words in await page(site, "/mirror/contact")
    assert words in await page(site, "/mirror/contact/3")
    assert words not in await page(site, "/mirror/contact/1")
    assert "_absent_since" not in re.sub("(?s)<dl>.*</dl>", "", await page(site, "/mirror/message"))


async def test_blank_columns_are_left_out_and_named(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror/contact?_all=1")
    assert re.search("Blank in all of these rows and not shown: [^<]*Time zone", text)
    assert 'data-column="timezone"' not in text
    assert "col-timezone" not in text
    assert "col-timezone" in await page(site, "/mirror/contact?_col=timezone")


async def test_an_organization_that_all_rows_have_is_said_once(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror/contact")
    assert re.search(
        'same in all of these rows and not shown: Organization <a href="/mirror/org/7"[^>]*>Kitchen &amp; Co', text
    )
    assert "col-org_id" not in text
    for path in ("/mirror/contact?_col=org_id", "/mirror/contact?_sort=org_id", "/mirror/broadcast"):
        assert "col-org_id" in await page(site, path), path  # asked for; one row


async def test_every_page_says_whose_times_they_are(site: MirrorDatasette) -> None:
    assert "times of America/Los_Angeles" in await page(site, "/mirror/message")


async def test_a_table_is_counted_for_longer_than_5_ms(site: MirrorDatasette, monkeypatch: pytest.MonkeyPatch) -> None:
    database, limits = site.databases["mirror"], set()
    execute = database.execute

    async def listening(sql: str, *args: object, **options: object) -> object:
        if sql.startswith("select count(*)"):
            limits.add(options.get("custom_time_limit"))
        return await execute(sql, *args, **options)

    monkeypatch.setattr(database, "execute", listening)
    await page(site, "/mirror.json")
    assert limits == {25}


@pytest.mark.parametrize("path", ["/mirror/message", "/mirror/message/11", "/mirror/contact/2", "/mirror/sync_event/1"])
async def test_hostile_text_is_escaped(site: MirrorDatasette, path: str) -> None:
    text = await page(site, path)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<b>" not in text


async def test_hostile_text_in_addresses_is_escaped(site: MirrorDatasette) -> None:
    for path in (f"/mirror/message?_search={SCRIPT}", f"/mirror/message?content={SCRIPT}"):
        assert SCRIPT not in await page(site, path)
    for path in (f"/mirror/{SCRIPT}", f"/mirror/message/{SCRIPT}", f"/mirror/message?_sort={SCRIPT}"):
        assert SCRIPT not in (await ask(site, path, "sam", follow_redirects=True)).text


async def test_long_text_is_cut_in_tables_only(site: MirrorDatasette) -> None:
    assert LONG not in await page(site, "/mirror/message")
    assert LONG in await page(site, "/mirror/message/13")
    assert EMOJI in await page(site, "/mirror/message")


@pytest.mark.parametrize("query", ["", "?_stream=on", "?_labels=on"])
async def test_csv_guards_formulas_and_leaves_phones(site: MirrorDatasette, query: str) -> None:
    found = {row["id"]: row for row in await rows(site, f"/mirror/message.csv{query}")}
    texts = [found[str(key)]["content"] for key in (12, 15, 16, 17)]
    assert texts == ["'" + FORMULA, "+14155550123", "'@SUM(1)", "'-2+3"]
    assert found["10"]["contact_phone"] == "+14155550123"
    assert len(found) == 8


async def test_csv_of_a_row_and_of_sql_is_guarded_too(site: MirrorDatasette) -> None:
    assert (await rows(site, "/mirror/message/12.csv"))[0]["content"] == "'" + FORMULA
    found = await page(site, "/mirror.csv?sql=select+content+as+'=x'+from+message+where+id=12", "ana")
    assert list(csv.reader(io.StringIO(found))) == [["'=x"], ["'" + FORMULA]]


async def test_csv_of_bytes_is_an_address(site: MirrorDatasette) -> None:
    found = await rows(site, "/mirror/sync_reject.csv?_col=original")
    assert found[0]["original"].endswith("/mirror/sync_reject/1.blob?_blob_column=original")


async def test_bytes_are_left_to_the_row_page_and_never_dumped(site: MirrorDatasette) -> None:
    assert "original" not in re.sub("(?s)<dl>.*</dl>", "", await page(site, "/mirror/sync_reject"))
    assert "Binary:&nbsp;7&nbsp;bytes" in await page(site, "/mirror/sync_reject/1")


async def test_search_finds_words(site: MirrorDatasette) -> None:
    found = (await ask(site, "/mirror/message.json?_search=hello&_shape=array", "sam")).json()
    assert [row["id"] for row in found] == [10]
    assert 'name="_search"' in await page(site, "/mirror/message")
    assert 'name="_search"' not in await page(site, "/mirror/contact")  # this mirror has no contact_fts


async def test_rows_link_by_name_and_newest_come_first(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror/message")
    assert '<a href="/mirror/contact/1" title="1">Ana Lima</a>' in text
    assert '<a href="/mirror/contact/3" title="3">3</a>' in text  # no name
    assert text.index("/mirror/message/17") < text.index("/mirror/message/10")
    row = await page(site, "/mirror/message/10")
    assert '<a href="/mirror/contact/1" title="1">Ana Lima</a>' in row
    assert "Messages: 8 rows" not in row
    assert "Messages: 3 rows" in await page(site, "/mirror/contact/1")


async def test_no_row_is_lost_between_pages_of_equal_values(site: MirrorDatasette) -> None:
    for order in ("_sort_desc=segments", "_sort=segments", "_sort_desc=created_timestamp"):
        found, following = [], ""
        while following is not None:
            answer = (await ask(site, f"/mirror/message.json?_size=3&{order}&_next={following}", "sam")).json()
            found += [row[answer["columns"].index("id")] for row in answer["rows"]]
            following = answer["next"]
        assert sorted(found) == list(range(10, 18))
        assert [row["id"] for row in await rows(site, f"/mirror/message.csv?_stream=on&{order}")] == list(
            map(str, found)
        )


async def test_a_stream_of_csv_goes_by_key_in_large_pages(
    site: MirrorDatasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "max_returned_rows", 3)
    database, asked = site.databases["mirror"], []
    execute = database.execute

    async def listening(sql: str, *args: object, **options: object) -> object:
        asked.append(sql)
        return await execute(sql, *args, **options)

    monkeypatch.setattr(database, "execute", listening)
    found = await rows(site, "/mirror/message.csv?_stream=on&_size=1")
    assert [row["id"] for row in found] == [str(key) for key in range(10, 18)]
    assert len([sql for sql in asked if sql.endswith(" limit 4")]) == 3


async def test_cells_and_facets_read_as_words(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror/message?_all=1&_facet=is_outgoing")
    assert 'title="2026-02-04 08:00:07.500 UTC">4 Feb 2026, 00:00</time>' in text
    assert "(415) 555-0123" in text
    assert re.search(r">yes</a> 4\s*</li>", text)


async def test_a_list_shows_few_columns_in_plain_words_until_it_is_asked_for_all(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror/message")
    heads = [head for head in re.findall(r'<th class="col-([^"]+)"', text) if head != "Link"]
    assert 4 < len(heads) <= 10 and "col-contact_phone" not in text
    assert re.search(r'class="col-is_outgoing"[^>]*><a [^>]*>Sent by us</a>', text) and "<h1>Messages</h1>" in text
    more = re.search(r'<a href="([^"]+)">Show all columns</a>', text)
    assert more
    every = await page(site, more[1].replace("&amp;", "&"))
    assert "col-contact_phone" in every and "Show fewer columns" in every
    assert (
        "_all" not in (await rows(site, "/mirror/message.csv"))[0]
        and "segments" in (await rows(site, "/mirror/message.csv"))[0]
    )
    assert '<details class="fold"><summary>' in text  # filters are folded until there is one
    assert '<details class="fold" open>' in await page(site, "/mirror/message?is_outgoing=1")


async def test_no_table_counts_its_values_unasked(site: MirrorDatasette) -> None:
    assert "facet-results" not in await page(site, "/mirror/message")


async def test_tables_are_grouped_and_internal_ones_left_out(site: MirrorDatasette) -> None:
    text = await page(site, "/mirror")
    assert text.index("People, messages and broadcasts") < text.index("How this copy is kept")
    assert text.count('href="/mirror/message"') == 1
    for name in ("sync_state", "message_fts", "_sqlite_migrations", "message_fts_data"):
        assert f"/mirror/{name}" not in text


async def test_pages_have_headings_labels_and_a_language(site: MirrorDatasette) -> None:
    for path in ("/", "/mirror", "/mirror/message", "/mirror/message/10"):
        text = await page(site, path)
        assert '<html lang="en">' in text
        assert len(re.findall("<h1[ >]", text)) == 1
        for control in re.findall("<(?:select|input)[^>]*>", text):
            labelled = "aria-label" in control or re.search('type="(hidden|submit|checkbox)"', control)
            identifier = re.search(' id="([^"]+)"', control)
            assert labelled or (identifier and f'for="{identifier[1]}"' in text), control


async def test_failures_are_words_and_leave_nothing_on_standard_error(
    site: MirrorDatasette, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = await ask(site, "/mirror/message/999?who=Ana", "sam")
    wrong = await ask(site, "/mirror.json?sql=select+no_such_thing&who=Ana", "ana")
    assert (gone.status_code, "Not found" in gone.text) == (404, True)
    assert wrong.status_code == 400
    assert capfd.readouterr() == ("", "")


async def test_a_mirror_that_cannot_be_read_is_said(site: MirrorDatasette, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_args: object, **_options: object) -> None:
        raise Unavailable("Ana's phone")

    monkeypatch.setattr(site.databases["mirror"], "execute", fail)
    answer = await ask(site, "/mirror/message", "sam")
    assert (answer.status_code, "Ana" in answer.text) == (503, False)


async def test_nothing_writes(site: MirrorDatasette) -> None:
    with pytest.raises(Exception, match="read-only"):
        await site.get_database("mirror").execute_write("delete from contact")
    answer = await ask(site, "/mirror.json?sql=delete+from+contact", "ana")
    assert answer.status_code == 400


def test_a_connection_can_neither_write_nor_attach(mirror: Path) -> None:
    connection = open_read_only(mirror)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(sqlite3.OperationalError, match="too many attached"):
        connection.execute("ATTACH ':memory:' AS other")
    connection.close()


async def test_the_list_of_tables_asks_next_to_nothing(site: MirrorDatasette, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Datasette's questions about each table, nor any count."""
    database, asked = site.databases["mirror"], []

    async def listening(sql: str, *args: object, **options: object) -> object:
        asked.append(sql)
        raise AssertionError(sql)

    monkeypatch.setattr(database, "execute", listening)
    text = await page(site, "/mirror")
    assert not asked and "All data" in text and ">People</a>" in text
    assert "Run SQL" not in text and "Run SQL" in (await ask(site, "/mirror", "ana")).text
