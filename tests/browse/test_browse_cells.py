"""Cells as people see them, in pages and spreadsheets."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.browse.cells import cell, guarded, link, when
from promptsync.model import Column, Kind

ZONE = ZoneInfo("America/Los_Angeles")


def shown(kind: Kind, value: object, name: str = "c", unit: str = "") -> str | None:
    found = cell(name, Column(name, kind, "", unit=unit), value, ZONE)
    return None if found is None else str(found)


def test_times_are_in_the_zone_with_utc_in_the_title() -> None:
    assert shown(Kind.TIME, "2026-02-04T07:59:30.250Z") == (
        '<time datetime="2026-02-04T07:59:30.250Z" title="2026-02-04 07:59:30.250 UTC">3 Feb 2026, 23:59</time>'
    )
    assert "3 Feb 2026, 16:00" in str(shown(Kind.INTEGER, 1770163200000000, unit="microseconds since 1970, UTC"))
    assert "title" in str(shown(Kind.TEXT, "2026-02-04T07:59:30.250001Z", name="received_at"))


@pytest.mark.parametrize("bad", ["", "soon", "2026-13-01", "0001-01-01T00:00:00.000Z"])
def test_what_is_no_time_is_left_to_datasette(bad: str) -> None:
    assert shown(Kind.TIME, bad) is None


def test_times_beyond_the_calendar_are_left_to_datasette() -> None:
    assert when(10**30, ZONE) is None


def test_booleans_numbers_phones_and_json() -> None:
    assert (shown(Kind.BOOLEAN, 1), shown(Kind.BOOLEAN, 0), shown(Kind.BOOLEAN, 2)) == ("yes", "no", None)
    assert (shown(Kind.INTEGER, 1234567, unit="bytes"), shown(Kind.INTEGER, 1234567)) == ("1,234,567", None)
    assert shown(Kind.TEXT, "+14155550123", name="org_phone") == '<span class="phone">(415) 555-0123</span>'
    assert shown(Kind.JSON, '{"a":"<b>"}') == (
        '<pre class="json" tabindex="0">{\n  &#34;a&#34;: &#34;&lt;b&gt;&#34;\n}</pre>'
    )
    assert shown(Kind.JSON, '["Weekly pickup","<b>"]') == "Weekly pickup, &lt;b&gt;"
    assert shown(Kind.JSON, "{") is None
    assert shown(Kind.JSON, r'["cut \ud83d"]') == "cut \ufffd"
    assert "cut \ufffd" in (shown(Kind.JSON, r'{"note": "cut \ud83d"}') or "")
    assert shown(Kind.BLOB, b"\xff") is None


@given(st.sampled_from(Kind), st.sampled_from(["c", "phone", "x_at", "_absent_since"]), st.text())
def test_no_text_ever_becomes_markup(kind: Kind, name: str, text: str) -> None:
    html = shown(kind, f"<i>{text}") or ""
    assert "<i" not in html
    assert "<i" not in link("/a", f"<i>{text}", f"<i>{text}")


def test_links_are_named_by_label_else_by_key_and_cut() -> None:
    assert link("/mirror/contact/3", 3, None) == '<a href="/mirror/contact/3" title="3">3</a>'
    assert link("/mirror/contact/3", 3, " ") == '<a href="/mirror/contact/3" title="3">3</a>'
    assert len(link("", 3, "x" * 500)) < 100


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_formulas_get_an_apostrophe(start: str) -> None:
    assert guarded(f"{start}1+cmd") == f"'{start}1+cmd"


@pytest.mark.parametrize("fine", ["+14155550123", "Hello =1", "", -5, 1.5, None, b"=", "'=1"])
def test_everything_else_is_left_alone(fine: object) -> None:
    assert guarded(fine) == fine


def test_a_label_is_guarded_too() -> None:
    assert guarded({"value": 1, "label": "=1"}) == {"value": 1, "label": "'=1"}


def test_phones_among_other_addresses_are_grouped() -> None:
    assert shown(Kind.TEXT, "+14155550123", name="to") == '<span class="phone">(415) 555-0123</span>'
    assert shown(Kind.TEXT, "ana@harborstreet.example", name="to") is None
