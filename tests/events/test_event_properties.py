"""Whatever a sender sends, reading never fails and what can be read is applied; and order does not matter."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from event_bench import Bench, Given
from event_rows import RECEIVED
from event_samples import SAMPLES, path_of
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.events.reading import Reading, read
from promptsync.model.delivery import StoredEvent
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.event_types import type_of_path
from promptsync.vendors.prompt.events import HANDLERS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "key", "é"]), inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(sorted(SAMPLES))
_DISPATCH = {"message", "messages", "optOutType", "customers"}
"""Fields that say which shape the body has: without them it is read as another."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    mirror = Mirror(tmp_path_factory.mktemp("properties") / "mirror.db", declared_schema())
    yield Bench(mirror)
    mirror.close()


def reading(name: str, text: str) -> Reading:
    path = path_of(name)
    return read(StoredEvent(1, type_of_path(path), path, text, RECEIVED), HANDLERS)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


@cache
def places_of(name: str) -> list[tuple[Any, ...]]:
    return list(places(SAMPLES[name]))


def rows_of(found: Reading) -> set[tuple[str, tuple[Any, ...]]]:
    return {(row.table, row.key) for row in found.claims.rows} if found.claims else set()


@settings(max_examples=400, deadline=None)
@given(data=st.data(), name=NAMES)
def test_any_value_in_any_place_is_read_as_far_as_it_goes(data: st.DataObject, name: str, bench: Bench) -> None:
    path = data.draw(st.sampled_from(places_of(name)))
    body, rest = copy.deepcopy(SAMPLES[name]), {key: value for key, value in SAMPLES[name].items() if key != path[0]}
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    if data.draw(st.booleans()):
        place[path[-1]] = data.draw(ANYTHING)
    else:
        del place[path[-1]]
    found = reading(name, json.dumps(body))
    assert (found.state, found.claims is None) in {("applied", False), ("failed", True)}
    if found.state == "failed":
        assert path == ("orgId",)
        assert found.error
    elif path[0] not in _DISPATCH:
        assert rows_of(found) >= rows_of(reading(name, json.dumps(rest)))
    _, told = bench.rows([[(path_of(name), body, RECEIVED)]])
    assert told[0][0] == found.state


@settings(max_examples=300, deadline=None)
@given(name=NAMES, text=st.text(max_size=8) | ANYTHING.map(json.dumps))
def test_any_text_is_answered_in_words(name: str, text: str) -> None:
    found = reading(name, text)
    assert found.state == "applied" or found.error


_TIMES = {"timestamp", "lastUpdatedTimestamp", "globalOptOutTimestamp"}
_FIXED = {"key", "type", "identityType", "userType", "optOutType", "status"}


def variant(value: Any, n: int, name: str = "") -> Any:
    """The same delivery saying something else, at another time. Keys stay."""
    if isinstance(value, dict):
        return {key: variant(item, n, key) for key, item in value.items()}
    if isinstance(value, list):
        return [variant(item, n, name) for item in value][: None if n < 2 else 1]
    if isinstance(value, bool):
        return value ^ (n == 1)
    if isinstance(value, str):
        return value if name in _FIXED else f"{value}{n}"
    return value + (n - 1) * 1_000 if name in _TIMES else value


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_and_batching_of_the_same_deliveries_gives_the_same_rows(data: st.DataObject, bench: Bench) -> None:
    drawn = data.draw(st.lists(st.tuples(NAMES, st.integers(0, 2)), min_size=2, max_size=9))
    told: list[Given] = [
        (path_of(name), variant(SAMPLES[name], n), RECEIVED + place * 1000) for place, (name, n) in enumerate(drawn)
    ]
    again = data.draw(st.permutations(told))
    cut = data.draw(st.integers(0, len(told)))
    whole, _ = bench.rows([told])
    parts, states = bench.rows([again[:cut], again[cut:]])
    assert parts == whole
    assert {state for state, _ in states} == {"applied"}
