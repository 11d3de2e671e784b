"""The largest deliveries: read without stopping anyone, few at a time, and kept once."""

import gc
import json
import threading
import time
from collections.abc import Iterator
from operator import sub
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptsync.events import bodies as body_module
from promptsync.events.apply import EventApplier
from promptsync.events.bodies import LARGE, parse_body
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event, pending
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS

NOW = 1_780_000_000_000_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(params=["in one", "in steps"])
def each_way(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in steps":
            patch.setattr(body_module, "LARGE", -1)
        yield


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A JSON text, now and then with a character dropped, changed or put in."""
    indent, ascii_ = draw(st.sampled_from([None, 0, 2])), draw(st.booleans())
    text = json.dumps(draw(VALUES), indent=indent, ensure_ascii=ascii_)
    if draw(st.booleans()):
        return f"{draw(st.sampled_from(['', ' ', chr(10)]))}{text}\t"
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(["", '"', "]", "}", ",", ":", "1", "x", "\0"])) + text[at + 1 :]


def parsed(parse: Any, text: str) -> Any:
    try:
        return repr(parse(text))
    except ValueError:
        return None
    except RecursionError:
        return RecursionError


@pytest.mark.usefixtures("each_way")
@given(texts())
@example("")
@example("[")
@example('{"a"')
@example('{"a":')
@example("[1,]")
@example('{"a":1,}')
@example('{"a":1, "a":2}')
@example("[] x")
@example("[NaN, Infinity, -Infinity, 1e400, -1e400, 1e-400, -0, -0.0]")
@example("[9223372036854775807, 9223372036854775808, -9223372036854775809, 18446744073709551616, 9007199254740993.0]")
@example("[2.2250738585072011e-308, 4.9e-324, 0.30000000000000004, 123456789012345678.9]")
@example('["cut \\ud83d", "\\udc00\\ud83d", "\\ud83d\\ude00", "\\u0000"]')
@example('["\ud83d"]')
@example('["\x01"]')
@example("\ufeff1")
@example("[" * 100_000)
@example("[" * 100_000 + "]" * 100_000)
def test_a_body_is_what_python_reads(text: str) -> None:
    assert parsed(parse_body, text) == parsed(json.loads, text)


@pytest.mark.parametrize("much", ["", " " * LARGE])
def test_a_number_of_many_digits_costs_only_itself(much: str) -> None:
    digits = "9" * 5_000
    assert parse_body(f'{{"a": {digits}, {much} "b": [-{digits}, 12]}}') == {
        "a": float("inf"),
        "b": [float("-inf"), 12],
    }


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Whoever listens to the collector runs amid a parser that would stop everyone."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_others_go_on_while_a_large_body_is_read() -> None:
    """Not that it is quick, but that it stops nobody: the longest stop is a small part of it all."""
    row = '{"rowNumber": 1, "values": ["Jane Doe", "+15551234567", "Active", "a note about this person"]}'
    text = f'{{"orgId": 1, "readValues": [{", ".join([row] * 120_000)}]}}'
    reading = threading.Thread(target=parse_body, args=(text,))
    reading.start()
    times = [time.perf_counter()]
    while reading.is_alive():
        time.sleep(0.001)
        times.append(time.perf_counter())
    assert max(map(sub, times[1:], times)) < (times[-1] - times[0]) / 2


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    yield mirror
    mirror.close()


def store(mirror: Mirror, *bodies: Any) -> None:
    for n, body in enumerate(bodies):
        delivery = Delivery("customer/modified", json.dumps(body))
        mirror.writer.run(lambda c, d=delivery, at=NOW + n: insert_event(c, d, at) and None)  # type: ignore[misc]


def test_long_deliveries_are_applied_few_at_a_time_and_a_large_one_by_itself(mirror: Mirror) -> None:
    long, large = ({"orgId": 1, "customers": [{"id": 1, "displayName": "x" * size}]} for size in (40_000, 400_000))
    store(mirror, *[long] * 4, large, long)
    applied, taken = 0, []
    while applied < 6:
        with mirror.reading() as connection:
            taken.append(len(pending(connection, 50)))
        applied += EventApplier(mirror, HANDLERS).apply_next()
    assert taken == [3, 1, 1, 1]


def test_a_large_delivery_is_kept_once_however_many_of_its_rows_collide(mirror: Mirror) -> None:
    theirs = [{"id": n, "displayName": "theirs"} for n in range(1, 30)]
    ours = [{"id": n, "displayName": "x" * 4_000} for n in range(1, 30)]
    store(mirror, {"orgId": 1, "customers": theirs}, {"orgId": 2, "customers": ours})
    while EventApplier(mirror, HANDLERS).apply_next():
        pass
    with mirror.reading() as connection:
        (body,) = connection.execute("SELECT body FROM sync_event WHERE org_id = 2").fetchone()
        found = connection.execute("SELECT original FROM sync_reject WHERE event_id = 2 ORDER BY id").fetchall()
    assert found == [(body.encode(),), *[(None,)] * 28]
