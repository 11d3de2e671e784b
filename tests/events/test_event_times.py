"""No time that a delivery states for itself is believed further than its receipt; its columns keep what it said."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from event_bench import Bench, Given
from event_rows import RECEIVED
from event_samples import CUSTOMER, ORG, SAMPLES, path_of
from hypothesis import example, given
from hypothesis import strategies as st

from promptsync.clock import MAX_MICROS, iso_micros, iso_millis, micros_of
from promptsync.events.reading import read
from promptsync.model.delivery import StoredEvent
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.event_types import type_of_path
from promptsync.vendors.prompt.events import HANDLERS

AHEAD = 300_000_000
IN_2062 = 2_926_000_000_000
IN_SECONDS = RECEIVED // 1_000_000
"""Seconds where milliseconds are wanted: a day in January 1970."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    mirror = Mirror(tmp_path_factory.mktemp("times") / "mirror.db", declared_schema())
    yield Bench(mirror)
    mirror.close()


@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_written_as_the_calendar_has_it(when: datetime) -> None:
    text = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert iso_micros(micros_of(when)) == text
    assert iso_millis(micros_of(when)) == f"{text[:-4]}Z"


@given(st.integers())
@example(-1)
@example(MAX_MICROS + 1)
def test_no_time_is_outside_the_calendar(micros: int) -> None:
    assert "1970-01-01T00:00:00.000000Z" <= iso_micros(micros) <= "9999-12-31T23:59:59.999999Z"


def timed(value: Any, millis: int, key: str = "") -> Any:
    """The same body, every time in it another."""
    if isinstance(value, dict):
        return {key: timed(item, millis, key) for key, item in value.items()}
    if isinstance(value, list):
        return [timed(item, millis) for item in value]
    return millis if key.endswith("imestamp") or key == "deliverOn" else value


def times(name: str, millis: int) -> list[int]:
    """Every time that a delivery's claims are ordered by."""
    path = path_of(name)
    body = json.dumps(timed({"timestamp": millis, **SAMPLES[name]}, millis))
    claims = read(StoredEvent(1, type_of_path(path), path, body, RECEIVED), HANDLERS).claims
    assert claims is not None
    return [claims.at, *(at for row in claims.rows for at in row.times()), *(at for _, _, at in claims.full_lists)]


@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_a_delivery_says_its_claims_are_of_its_receipt_or_earlier(name: str) -> None:
    assert max(times(name, IN_2062)) == RECEIVED + AHEAD
    just, beyond = (RECEIVED + AHEAD) // 1000, (RECEIVED + AHEAD) // 1000 + 1
    assert max(times(name, just)) == max(times(name, beyond)) == RECEIVED + AHEAD
    assert max(times(name, just - 1)) == RECEIVED + AHEAD - 1000


@pytest.mark.parametrize("name", SAMPLES)
def test_a_time_before_2000_is_none(name: str) -> None:
    found = times(name, IN_SECONDS)
    assert found[0] == RECEIVED
    assert set(found) <= {RECEIVED, 1}  # 1: a customer's creation, the weakest claim there is
    assert set(times(name, 946_684_800_000)) == {946_684_800_000_000}


def rows_after(bench: Bench, table: str, *given: Given) -> list[dict[str, Any]]:
    rows, _ = bench.rows([given])
    return [dict(zip(bench.columns[table], row, strict=True)) for row in rows[table]]


def test_an_opt_out_is_not_lost_to_a_wrong_year(bench: Bench) -> None:
    optin = {**SAMPLES["customer/optOut global"], "optOut": False, "timestamp": IN_2062}
    out = {**SAMPLES["customer/optOut global"], "timestamp": (RECEIVED + 2 * AHEAD) // 1000}
    first, second = ("customer/optOut", optin, RECEIVED), ("customer/optOut", out, RECEIVED + 2 * AHEAD)
    for order in ([first, second], [second, first]):
        assert [row["is_opted_out"] for row in rows_after(bench, "contact", *order)] == [1]


def test_columns_keep_what_was_sent_and_the_delivery_says_so(bench: Bench) -> None:
    customer = {**CUSTOMER, "globalOptOutTimestamp": IN_2062}
    given = ("customer/added", {"orgId": ORG, "customer": customer}, RECEIVED)
    (row,) = rows_after(bench, "contact", given)
    assert (row["is_opted_out"], row["opt_out_timestamp"]) == (1, iso_millis(IN_2062 * 1000))
    _, told = bench.rows([[given]])
    assert told == [
        ("applied", "customer.globalOptOutTimestamp is later than the delivery's receipt, so it counts as no later")
    ]
