"""A large delivery, applied in parts: as one would have it, whatever happens in between, and nobody waits for it."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.errors import Unavailable
from promptsync.events import merge_claims
from promptsync.events.apply import EventApplier
from promptsync.model import delivery as delivery_module
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS

NOW = 1_780_000_000_000_000


def _customer(id_: int, tags: list[int], lists: list[int]) -> dict[str, Any]:
    return {
        "id": id_,
        "firstName": f"name of {id_}",
        "createdTimestamp": "2025-01-01T00:00:00Z",
        "tags": [{"id": tag, "name": f"tag {tag}"} for tag in tags],
        "contactLists": [{"id": one, "name": f"list {one}"} for one in lists],
    }


_CUSTOMERS = st.lists(
    st.builds(
        _customer,
        st.integers(1, 12),
        st.lists(st.integers(1, 5), max_size=4, unique=True),
        st.lists(st.integers(1, 3), max_size=2, unique=True),
    ),
    max_size=9,
)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    yield mirror
    mirror.close()


@pytest.fixture
def in_tiny_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "LARGE", 0)
    monkeypatch.setattr(merge_claims, "_FIRST", 2)
    monkeypatch.setattr(merge_claims, "_LEAST", 1)
    monkeypatch.setattr(merge_claims, "_MOST", 3)


def _store(mirror: Mirror, *deliveries: tuple[str, Any]) -> None:
    for n, (type_, body) in enumerate(deliveries):
        delivery = Delivery(type_, json.dumps(body))
        mirror.writer.run(partial(insert_event, delivery=delivery, received_at=NOW + n))


def _dump(mirror: Mirror) -> dict[str, list[str]]:
    """Every row of every table, but of which revision it is, and in which order rejects were found."""
    found = {}
    with mirror.reading() as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if "_fts" not in name and name not in ("sync_state", "_sqlite_migrations"):
                cursor = connection.execute(f'SELECT * FROM "{name}"')
                columns = [column for column, *_ in cursor.description]
                apart = {"_rev"} | ({"id", "original"} if name == "sync_reject" else set())
                rows = [{c: v for c, v in zip(columns, row, strict=True) if c not in apart} for row in cursor]
                found[name] = sorted(map(repr, rows))
    return found


@pytest.mark.usefixtures("in_tiny_parts")
def test_in_parts_it_is_as_in_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["customer/modified", "customer/added", "odd"]), st.integers(1, 2), _CUSTOMERS),
            min_size=1,
            max_size=4,
        )
    )
    def compare(told: list[tuple[str, int, list[dict[str, Any]]]]) -> None:
        deliveries = [(type_, {"orgId": org, "customers": customers}) for type_, org, customers in told]
        folder = tmp_path_factory.mktemp("case")
        dumps = []
        for name in ("one", "parts"):
            mirror = Mirror(folder / name / "mirror.db", declared_schema())
            _store(mirror, *deliveries)
            applier = EventApplier(mirror, HANDLERS)
            while mirror.writer.run(applier.apply_some) if name == "one" else applier.apply_next():
                pass
            dumps.append(_dump(mirror))
            mirror.close()
        assert dumps[1] == dumps[0]

    compare()


@pytest.mark.usefixtures("in_tiny_parts")
@pytest.mark.parametrize("parts", [0, 1, 3])
def test_killed_in_the_middle_it_is_applied_after_the_restart(mirror: Mirror, tmp_path: Path, parts: int) -> None:
    customers = [_customer(n, [n % 3 + 1, 4], [1]) for n in range(1, 12)]
    _store(mirror, ("customer/modified", {"orgId": 1, "customers": customers}))
    submit, left = mirror.writer.submit, iter(range(parts))

    def until(*args: Any, **how: Any) -> "Future[Any]":
        if next(left, None) is None:
            raise Unavailable("the end")
        return submit(*args, **how)

    mirror.writer.submit = until  # type: ignore[method-assign]
    with suppress(Unavailable):
        EventApplier(mirror, HANDLERS).apply_next()
    mirror.close()
    again, whole = (Mirror(path / "mirror.db", declared_schema()) for path in (tmp_path, tmp_path / "whole"))
    with again.reading() as connection:
        assert connection.execute("SELECT state FROM sync_event").fetchall() == [("pending",)]
        assert (connection.execute("SELECT count(*) FROM contact").fetchone()[0] > 0) == (parts > 0)
    assert EventApplier(again, HANDLERS).apply_next() == 1
    _store(whole, ("customer/modified", {"orgId": 1, "customers": customers}))
    whole.writer.run(EventApplier(whole, HANDLERS).apply_some)
    assert _dump(again) == _dump(whole)
    again.close()
    whole.close()


@pytest.mark.parametrize(
    "customers",
    [
        [_customer(n, [1, 2, 3], [1, 2]) for n in range(1, 2_000)],
        [_customer(1, [*range(1, 6_000)], [])],
    ],
    ids=["many contacts", "many tags of one"],
)
def test_others_are_stored_in_between_and_none_waits_long(mirror: Mirror, customers: list[dict[str, Any]]) -> None:
    """Measured in CPU time of the writer's thread: what a turn takes, whoever else uses the machine."""
    _store(mirror, ("customer/modified", {"orgId": 1, "customers": customers}))
    holds: list[float] = []
    submit = mirror.writer.submit

    def timed(work: Any, *args: Any, **how: Any) -> Any:
        def turn(connection: Any) -> Any:
            started = time.thread_time()
            try:
                return work(connection)
            finally:
                holds.append(time.thread_time() - started)

        return submit(turn, *args, **how)

    mirror.writer.submit = timed  # type: ignore[method-assign]
    applying = threading.Thread(target=EventApplier(mirror, HANDLERS).apply_next)
    seen: set[Any] = set()
    revision = "SELECT value FROM sync_state WHERE name = 'revision'"
    applying.start()
    while applying.is_alive():
        seen.add(mirror.writer.run(lambda connection: connection.execute(revision).fetchone(), Lane.DELIVERY))
        time.sleep(0.001)
    with mirror.reading() as connection:
        assert connection.execute("SELECT state, attempts FROM sync_event").fetchall() == [("applied", 1)]
    assert len(seen) > 5
    assert max(holds) < 0.05
