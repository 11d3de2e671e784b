"""Every page of ours, reached by its links, over a mirror full of what strangers and faults can bring.

What is crawled is what a person could click: nothing is executed, nothing unescaped, nothing fails.
"""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from account import NOW, Account, Lived, LocalKit, load
from browse_sample import FORMULA, ask
from looking import links, words

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings

TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "x" * 10_000,
    "line\n" * 200,
    "\u202eevil\u2066 turned \u2069around\u200f",
    "bell\x07 and \x1b[31mred",
    "Z" + "\u0300\u0301\u0302" * 40,
    "{{ 7*7 }} {% raw %} ${7*7} %s {0}",
    FORMULA,
    "javascript:alert(1)//",
    "👩\u200d👩\u200d👧 ¡Hola! שלום",
    "' OR 1=1 --",
    " ",
)
TIMES = (
    None,
    "",
    "0000-00-00T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "-4713-01-01",
    "yesterday",
    "2026-02-30T99:99:99Z",
)
_TURNING = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_OURS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link body a header form label input button div nav ul ol li p strong b i em span small "
        "main footer h1 h2 h3 dl dt dd section aside time table thead tbody tfoot tr th td select option details "
        "summary br pre code blockquote figure figcaption svg desc line text rect",
    )
)


class Tags(HTMLParser):
    """What a browser would make of a page: fails at a tag or an attribute that is not ours."""

    def __init__(self, link: str) -> None:
        super().__init__()
        self._link, self._text = link, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _OURS, (self._link, tag)
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("style", "srcdoc"), (self._link, tag, name)
            if name in ("href", "src", "action"):
                elsewhere = tag == "a" and self._link.startswith("/-/help/") and (value or "").startswith("https://")
                assert elsewhere or re.match(r"/|#|tel:\+?\d+$", value or ""), (self._link, value)
        self._text = "" if tag == "a" else self._text

    def handle_data(self, data: str) -> None:
        self._text += data.strip()

    def handle_endtag(self, tag: str) -> None:
        assert tag != "a" or self._text, (self._link, "a link without a word")


def _spoil(database: Path) -> None:
    """Texts and times of strangers wherever the tables can hold them, past all that the loader would refuse."""
    connection = sqlite3.connect(database)
    for table, column in (
        ("contact", "display_name"),
        ("contact", "phone"),
        ("message", "content"),
        ("message", "error_message"),
        ("message", "error_code"),
        ("contact_tag", "name"),
        ("contact_data", "key"),
        ("contact_data", "value"),
        ("broadcast", "description"),
        ("org", "name"),
    ):
        for place, text in enumerate(TEXTS):
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE id % 29 = ?", (text, place))
    for table, column in (
        ("message", "created_timestamp"),
        ("contact", "created_timestamp"),
        ("contact", "opt_out_timestamp"),
        ("broadcast", "start_timestamp"),
        ("broadcast", "finish_timestamp"),
        ("opt_out", "created_timestamp"),
    ):
        for place, at in enumerate(TIMES):
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE id % 23 = ?", (at, place))
    for id_, name in enumerate(TEXTS[:2], 1):
        connection.execute("INSERT INTO team_member (id, org_id, display_name) VALUES (?, 7, ?)", (id_, name))
    for place, text in enumerate(TEXTS):
        keys = (f"{text}{place}", place % 5, text)
        connection.execute(
            "INSERT INTO cio_deliveries (workspace_id, delivery_id, campaign_id, internal_customer_id) "
            "VALUES (1, ?, ?, ?)",
            keys,
        )
        connection.execute(
            "INSERT INTO cio_metrics (workspace_id, event_id, delivery_id, metric, created_at) "
            "VALUES (1, ?, ?, 'sent', ?)",
            (str(place), keys[0], TIMES[place % len(TIMES)]),
        )
        connection.execute(
            "INSERT INTO cio_campaigns (workspace_id, campaign_id, version, name) VALUES (1, ?, ?, ?)",
            (place % 5, place, text),
        )
    connection.execute("UPDATE message SET contact_id = NULL WHERE id % 31 = 0")
    connection.execute("UPDATE message SET contact_id = 4611686018427387904 WHERE id % 37 = 0")
    connection.execute("UPDATE message SET broadcast_id = 9223372036854775807 WHERE id % 41 = 0")
    contradicting = "num_contacts = -5, num_sent = 9000, contact_list_ids = ',x,99999999999999999999,1'"
    connection.execute(f"UPDATE broadcast SET {contradicting} WHERE id % 2 = 0")
    connection.execute("UPDATE contact SET is_opted_out = NULL WHERE id % 7 = 0")
    connection.commit()
    connection.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[MirrorDatasette]:
    kit = LocalKit(tmp_path_factory.mktemp("hostile"))
    load(kit, Account(7, seed=4, first=0), Account(8, seed=5, first=100_000))
    _spoil(kit.config.mirror.database)
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield site
    close(site)
    kit.restart()


def _ours(link: str) -> bool:
    return link.startswith("/") and not link.startswith(("/mirror", "/-/log"))


def _kind(link: str) -> tuple[str, ...]:
    """Links that differ in numbers and values alone are of one kind."""
    parts = urlsplit(link)
    return (re.sub(r"\d+", "N", parts.path), *sorted(re.findall(r"(?:^|&)(\w+)=", parts.query)))


async def crawl(site: MirrorDatasette, user: str, of_a_kind: int) -> dict[str, str]:
    """Pages by their address, from home on, at most so many of a kind. Fails at a page that does not answer."""
    found: dict[str, str] = {}
    kinds: dict[tuple[str, ...], int] = {}
    waiting = ["/"]
    while waiting:
        link = waiting.pop(0).partition("#")[0]
        kinds[_kind(link)] = kinds.get(_kind(link), 0) + 1
        if link in found or kinds[_kind(link)] > of_a_kind:
            continue
        answer = await ask(site, link, user)
        told = link.startswith("/-/freshness.json") and answer.status_code == 503  # that the copy is out of date
        assert told or answer.status_code == 200, (link, answer.status_code, words(answer.text)[:200])
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        found[link] = answer.text if "html" in answer.headers["content-type"] else ""
        waiting += [one for one in links(found[link]) if _ours(one)]
    return found


@pytest.mark.slow
async def test_every_link_of_a_hostile_mirror_answers_and_nothing_is_unescaped(hostile: MirrorDatasette) -> None:
    found = await crawl(hostile, "sam", 4)
    assert len(found) > 70 and {"/-/people", "/-/broadcasts", "/-/team"} <= found.keys()
    for link, html in found.items():
        Tags(link).feed(html)
        assert not _TURNING.search(html), link
    every = "\n".join(found.values())
    assert "{{ 7*7 }}" in every and "&lt;script&gt;" in every and "49" not in re.findall(r"\{\{[^}]*\}\}", every)


async def test_a_hostile_sheet_holds_no_formula(hostile: MirrorDatasette) -> None:
    for path in ("/-/people.csv?out=include", "/-/messages.csv", "/-/broadcasts.csv", "/-/opt-outs.csv", "/-/team.csv"):
        text = (await ask(hostile, path, "sam")).content.decode("utf-8-sig")
        assert not re.search(r'(?:^|,|")[=@\t](?!")', text, re.MULTILINE), path
        assert "\u202e" not in text and "\x07" not in text


@pytest.mark.parametrize(
    "address", ["/-/contact/{}", "/-/broadcast/{}", "/-/broadcast/{}/failed", "/-/contact/{}.csv", "/-/conversation/{}"]
)
async def test_impossible_keys_are_not_there(hostile: MirrorDatasette, address: str) -> None:
    for key in ("0", "9223372036854775808", "9" * 30, "00000000000000000001x", "-1", "1e3"):
        assert (await ask(hostile, address.format(key), "sam")).status_code in (403, 404), key


async def test_every_page_answers_an_administrator_and_nobody_else_sees_it(lived: Lived) -> None:
    for link in await crawl(lived.site, "ana", 2):
        assert (await ask(lived.site, link)).status_code in (302, 403), link


@pytest.mark.slow
async def test_every_page_of_two_organisations_answers(both: Lived) -> None:
    found = await crawl(both.site, "sam", 2)
    assert any("org=8" in link for link in found)
    other = {row["id"] for row in both.accounts[0].tables["contact"]}
    for link, html in found.items():
        if "org=8" in link and link.startswith(("/-/people", "/-/messages", "/?")):
            assert not other & {int(key) for key in re.findall(r"/-/contact/(\d+)", html)}, link


async def test_an_empty_mirror_answers_everywhere(nothing_yet: MirrorDatasette) -> None:
    await crawl(nothing_yet, "sam", 2)
    for link in (
        "/-/people.csv",
        "/-/people.xlsx",
        "/-/messages.csv",
        "/-/opt-outs.csv",
        "/-/delivery.xlsx",
        "/-/team.csv",
    ):
        assert (await ask(nothing_yet, link, "sam")).status_code == 200, link
