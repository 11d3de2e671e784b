"""One odd value costs no other: what can be read is read, what cannot is named, and nothing else is lost."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from event_bench import Bench, Tables
from event_rows import RECEIVED
from event_samples import CUSTOMER, ORG, SAMPLES, path_of
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.events.fields import Fields
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

FREE = {
    *("parameters", "channelApps", "twilioModel", "instantAppSchema", "notificationGroups", "newValues", "oldValues"),
    *("value", "values", "writeValues", "code", "context", "botResponse"),
}
"""Anything may stand here: it is kept as JSON."""
DIGITS = "a number of 5,000 digits"
NAMES = st.sampled_from(sorted(SAMPLES))

Path = tuple[Any, ...]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    mirror = Mirror(tmp_path_factory.mktemp("tolerance") / "mirror.db", declared_schema())
    yield Bench(mirror)
    mirror.close()


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


HOSTILE = [
    *(
        "cut \ud83d",
        "\udc00",
        "a\0b",
        "NaN",
        "",
        " ",
        "9" * 400,
        "2.5.",
        "0x1f",
        "½",
        "true-ish",
        "2026-13-45T00:00:00Z",
    ),
    *(10**30, -(10**30), 2**63, 2.5, -5, 0, 1e300, float("inf"), float("-inf"), True, False, None, DIGITS),
    *([], {}, [["odd"]], {"a": {"b": "\ud83d"}}, [float("nan")], deep(600)),
]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    elif value is not None:
        yield path


@cache
def leaves_of(name: str) -> list[Path]:
    return list(leaves(SAMPLES[name]))


def bent(body: Any, path: Path, value: Any) -> Any:
    """A copy with another value at a path."""
    body = copy.deepcopy(body)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


def text_of(body: Any) -> str:
    return json.dumps(body).replace(json.dumps(DIGITS), "7" * 5_000)


def applied(bench: Bench, name: str, body: Any) -> tuple[Tables, str, str]:
    rows, told = bench.rows([[(path_of(name), text_of(body), RECEIVED)]])
    return rows, told[0][0], told[0][1]


def cells(bench: Bench, rows: Tables) -> set[Any]:
    """Every value with its row's key."""
    keys = {name: len(bench.mirror.schema[name].key) - ("event_id" in bench.mirror.schema[name].key) for name in rows}
    return {
        (table, row[: keys[table]], column, value)
        for table, found in rows.items()
        for row in found
        for column, value in zip(bench.columns[table], row, strict=True)
    }


@settings(max_examples=400, deadline=None)
@given(name=NAMES, data=st.data())
def test_one_hostile_value_costs_no_other(name: str, data: st.DataObject, bench: Bench) -> None:
    path = data.draw(st.sampled_from(leaves_of(name)))
    value = data.draw(st.sampled_from(HOSTILE))
    rows, state, error = applied(bench, name, bent(SAMPLES[name], path, value))
    if path == ("orgId",):
        assert state == "failed" and "orgId" in error
        return
    whole, without = SAMPLES[name], bent(SAMPLES[name], path, None)
    independent = cells(bench, applied(bench, name, whole)[0]) & cells(bench, applied(bench, name, without)[0])
    assert state == "applied"
    assert independent <= cells(bench, rows)


def respelled(value: Any, spell: Callable[[Any], Any], name: str = "") -> Any:
    """The same body with every leaf written in another way, but for what is kept as JSON."""
    if name in FREE:
        return value
    if isinstance(value, dict):
        return {key: respelled(item, spell, key) for key, item in value.items()}
    return [respelled(item, spell) for item in value] if isinstance(value, list) else spell(value)


def as_strings(value: Any) -> Any:
    return value if isinstance(value, str) or value is None else json.dumps(value)


def as_reals(value: Any) -> Any:
    return float(value) if isinstance(value, int) else value


def as_padded(value: Any) -> Any:
    return f" {value}.0 " if type(value) is int else str(value).upper() if isinstance(value, bool) else value


def as_bits(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


@pytest.mark.parametrize("spell", [as_strings, as_reals, as_padded, as_bits])
@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("error/")])
def test_other_spellings_of_the_same_values_are_the_same(name: str, spell: Callable[[Any], Any], bench: Bench) -> None:
    assert applied(bench, name, respelled(SAMPLES[name], spell)) == applied(bench, name, SAMPLES[name])


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("error/")])
def test_times_as_iso_texts_are_the_same(name: str, bench: Bench) -> None:
    def dated(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {key: dated(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [dated(item) for item in value]
        if key.endswith("imestamp") or key == "deliverOn":
            seconds, millis = divmod(value, 1000)
            minutes = seconds // 60 - 1_780_000_000 // 60
            return f"2026-05-28 {20 + (26 + minutes) // 60}:{(26 + minutes) % 60}:{seconds % 60:02d}.{millis:03d}+00:00"
        return value

    assert applied(bench, name, dated(SAMPLES[name])) == applied(bench, name, SAMPLES[name])


@pytest.mark.parametrize("org", ["1287", 1287.0, " 1287 ", "1287.0"])
def test_an_organization_may_be_spelled_otherwise(org: Any, bench: Bench) -> None:
    rows, state, error = applied(bench, "customer/added", {"orgId": org, "customer": {"id": 5}})
    assert (state, error) == ("applied", None)
    assert dict(zip(bench.columns["contact"], rows["contact"][0], strict=True))["org_id"] == 1287


@pytest.mark.parametrize(
    ("value", "kept", "named"),
    [
        ("see you \ud83d", "see you \ufffd", True),
        ("a\0b", "a\ufffdb", True),
        ("\ud83d\ude00", "\U0001f600", False),
        (1287, "1287", False),
        (True, "true", False),
        ({"text": "hi \ud83d"}, '{"text":"hi \\ud83d"}', True),
        ([1, float("inf")], "[1,null]", True),
        (float("inf"), None, True),
        ("", None, False),
    ],
)
def test_what_can_be_kept_of_a_text_is_kept(value: Any, kept: str | None, named: bool, bench: Bench) -> None:
    body = bent(SAMPLES["message/added"], ("message", "content"), value)
    rows, _, error = applied(bench, "message/added", body)
    content = bench.columns["message"].index("content")
    assert {row[0]: row[content] for row in rows["message"]}[9001] == kept
    assert (error is not None and "message.content" in error) is named


def test_levels_too_deep_are_null_in_what_is_kept() -> None:
    problems: list[str] = []
    kept = Fields({"value": {"near": 1, "far": deep(200_000)}}, problems).json("value")
    assert isinstance(kept, str)
    assert json.loads(kept)["near"] == 1
    assert "bottom" not in kept and "null" in kept
    assert problems == ["value cannot be kept whole, null stands for what is too large or deep"]


@pytest.mark.parametrize("odd", [5, "x", [], True, None])
@pytest.mark.parametrize("name", SAMPLES)
def test_one_odd_item_of_a_list_costs_no_other(name: str, odd: Any, bench: Bench) -> None:
    def mixed(value: Any, key: str = "") -> Any:
        if key in FREE:
            return value
        if isinstance(value, dict):
            return {key: mixed(item, key) for key, item in value.items()}
        return [*map(mixed, value), odd] if isinstance(value, list) else value

    body = SAMPLES[name] if name.startswith("error/") else mixed(SAMPLES[name])
    assert applied(bench, name, body)[:2] == applied(bench, name, SAMPLES[name])[:2]


@pytest.mark.parametrize("odd", [5, "x", {"id": [6]}, {"id": "sixty"}])
@pytest.mark.parametrize("name", ["tags", "contactLists"])
def test_what_a_list_cannot_tell_of_is_not_removed(name: str, odd: Any, bench: Bench) -> None:
    """The item that cannot be read may be the very one that is not there otherwise."""
    table = {"tags": "contact_current_tag", "contactLists": "contact_list_member"}[name]
    first = ("customer/added", {"orgId": ORG, "customer": CUSTOMER}, RECEIVED)

    def removed(items: list[Any]) -> Any:
        later = {"orgId": ORG, "customer": {**CUSTOMER, name: items}}
        rows, _ = bench.rows([[first, ("customer/added", later, RECEIVED + 1_000_000)]])
        return dict(zip(bench.columns[table], rows[table][0], strict=True))["removed_at"]

    assert removed([]) is not None
    assert removed([None]) is not None
    assert removed([odd]) is None


@pytest.mark.parametrize("odd", [5, {"type": "SMS", "key": ["+1"], "identityType": "SMS"}])
@pytest.mark.parametrize(("name", "table"), [("identities", "contact_identity"), ("channels", "contact_channel")])
def test_nor_is_an_identity_or_a_channel(name: str, table: str, odd: Any, bench: Bench) -> None:
    first = ("customer/added", {"orgId": ORG, "customer": CUSTOMER}, RECEIVED)
    later = {"orgId": ORG, "customer": {**CUSTOMER, name: [odd]}}
    rows, _ = bench.rows([[first, ("customer/added", later, RECEIVED + 1_000_000)]])
    assert dict(zip(bench.columns[table], rows[table][0], strict=True))["removed_at"] is None


def test_one_object_in_place_of_a_list_is_read(bench: Bench) -> None:
    body = {**SAMPLES["customer/modified"], "customers": CUSTOMER}
    rows, _, error = applied(bench, "customer/modified", body)
    assert rows == applied(bench, "customer/modified", SAMPLES["customer/modified"])[0]
    assert error == "customers is not a list"


def test_a_problem_is_named_once(bench: Bench) -> None:
    body = bent(SAMPLES["message/added"], ("interaction", "lastUpdatedTimestamp"), "lately")
    assert applied(bench, "message/added", body)[2] == "interaction.lastUpdatedTimestamp is not a time in milliseconds"
