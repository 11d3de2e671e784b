"""Every event type becomes the rows it must, its groups are whole, and every field it is documented to have is read."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from event_bench import Bench
from event_rows import RECEIVED, ROWS, whole
from event_samples import SAMPLES, TALK, Body, path_of

from promptsync.events.claims import Claims
from promptsync.events.reading import Reading, read
from promptsync.model import Role
from promptsync.model.delivery import StoredEvent
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt import tables_happened, tables_webhooks
from promptsync.vendors.prompt.event_types import EVENT_TYPES, type_of_path
from promptsync.vendors.prompt.events import HANDLERS

SCHEMA = declared_schema()
WEBHOOKS_ONLY = [
    "conversation",
    "conversation_member",
    "conversation_bot",
    "conversation_config",
    "team_member",
    "team_member_identity",
    "channel",
    "contact_channel",
    "contact_identity",
    "tag",
    "contact_current_tag",
    "contact_list",
    "contact_list_member",
    "channel_opt_out",
    "scheduled_message",
    "instant_app",
    "upload",
]
HAPPENED = [
    "message_status",
    "message_error",
    "opt_out_change",
    "conversation_change",
    "agent_activity",
    "instant_app_event",
    "broadcast_contact",
    "carrier_rejection",
    "broadcast_change",
    "notification",
    "notification_setting",
    "sheet_read",
    "sheet_write",
    "console_log",
    "smartlink_click",
    "alterra_error",
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    mirror = Mirror(tmp_path_factory.mktemp("types") / "mirror.db", SCHEMA)
    yield Bench(mirror)
    mirror.close()


def reading(name: str, body: Any) -> Reading:
    path = path_of(name)
    return read(StoredEvent(1, type_of_path(path), path, json.dumps(body), RECEIVED), HANDLERS)


def claims_of(name: str) -> Claims:
    claims = reading(name, SAMPLES[name]).claims
    assert claims is not None
    return claims


def test_every_type_has_a_handler_a_sample_and_a_home() -> None:
    assert len(EVENT_TYPES) == 48
    assert set(HANDLERS) == set(EVENT_TYPES) == {type_of_path(path_of(name)) for name in SAMPLES}
    assert set(ROWS) == set(SAMPLES)
    assert [table.name for table in tables_webhooks.TABLES] == WEBHOOKS_ONLY
    assert [table.name for table in tables_happened.TABLES] == HAPPENED
    assert all(SCHEMA[name].role is Role.HAPPENED for name in HAPPENED)


@pytest.mark.parametrize("name", SAMPLES)
def test_rows_of(name: str, bench: Bench) -> None:
    found, told = bench.rows([[(path_of(name), SAMPLES[name], RECEIVED)]])
    expected = {
        table: sorted((whole(bench.columns[table], row) for row in rows), key=repr)
        for table, rows in ROWS[name].items()
    }
    assert found == expected
    assert told == [("applied", None)]


@pytest.mark.parametrize("name", SAMPLES)
def test_declared_fields_and_table_are_what_is_there(name: str) -> None:
    declared = EVENT_TYPES[type_of_path(path_of(name))]
    fields = SAMPLES[name].keys() - {"orgId"}
    if not name.startswith(("error/alterra", "conversation/status")):
        assert fields <= set(declared.fields)
        shapes = [SAMPLES[other].keys() for other in SAMPLES if type_of_path(path_of(other)) == declared.path]
        assert set().union(*shapes) - {"orgId"} == set(declared.fields)
    assert {table for table, _ in claims_of(name).happened} == ({declared.leaves} if declared.leaves else set())


def test_groups_are_claimed_whole_and_could_not_be_larger() -> None:
    claimed: dict[str, list[dict[str, int]]] = {}
    for name in SAMPLES:
        for row in claims_of(name).rows:
            groups = SCHEMA[row.table].groups
            for group, (_, values) in row.groups.items():
                assert len(values) == len(groups[group]), f"{name} claims {row.table}.{group} by half"
            claimed.setdefault(row.table, []).append({group: told for group, (told, _) in row.groups.items()})
    for table in WEBHOOKS_ONLY:
        groups = list(SCHEMA[table].groups)
        for one in groups:
            assert any(one in row for row in claimed[table]), f"nothing claims {table}.{one}"
            for other in groups:
                apart = any(row.get(one) != row.get(other) for row in claimed[table])
                assert one == other or apart, f"{table}: {one} and {other} are always claimed together"


def test_every_column_of_the_webhooks_tables_is_filled_by_something() -> None:
    empty = {(table, column) for table in WEBHOOKS_ONLY + HAPPENED for column in SCHEMA[table].by_name}
    for rows in ROWS.values():
        for table, told in rows.items():
            empty -= {(table, column) for row in told for column, value in row.items() if value is not None}
    left = {column for _, column in empty}
    assert left == {"event_id", "org_id", "removed_at", "extra"}


UNREAD = {"createdDate", "addedDate", "globalOptOutDate", "phoneProviderOptOut"}
"""The same as the timestamp beside it; the same as optOut."""
FREE = {
    *("parameters", "channelApps", "twilioModel", "instantAppSchema", "notificationGroups", "newValues", "oldValues"),
    *("value", "values", "writeValues", "code", "context", "botResponse"),
}
"""Anything may stand here: it is kept as JSON."""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path and path[-1] in FREE | (UNREAD if path[0] != "interactionConfig" else UNREAD - {"phoneProviderOptOut"}):
        return
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    elif value is not None:
        yield path


def bent(body: Body, path: tuple[Any, ...], value: Any) -> Body:
    """A copy with another value at a path."""
    body = copy.deepcopy(body)
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


def spelled(path: tuple[Any, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


@pytest.mark.parametrize("name", SAMPLES)
def test_every_field_is_read_and_a_wrong_one_is_named(name: str) -> None:
    kept = reading(name, SAMPLES[name])
    assert kept.error is None
    for path in leaves(SAMPLES[name]):
        found = reading(name, bent(SAMPLES[name], path, [["odd"]]))
        if path == ("orgId",):
            assert (found.state, found.claims) == ("failed", None)
            continue
        known = path[-1] == "userType" and path[0] in ("customer", "customers", "agent")  # said by the place
        known |= path == ("customerChannel", "identityType")  # the contact's own channels say it
        known |= path == ("customers", 0, "globalOptOut") and "optOut" in SAMPLES[name]  # said by optOut
        known |= path[-1] == "active" and "users" in SAMPLES[name]  # said by users
        assert known or spelled(path) in (found.error or ""), path
        assert found.state == "applied"


def test_what_a_partial_model_lacks_is_left_alone(bench: Bench) -> None:
    full, bare = SAMPLES["channels/added"], {"orgId": 41, "channel": {"id": 21}}
    agent = {"orgId": 41, "agent": {"id": 7}}
    rows, _ = bench.rows(
        [
            [("channels/added", full, RECEIVED), ("agent/added", SAMPLES["agent/added"], RECEIVED + 1)],
            [("channels/modified", bare, RECEIVED + 2), ("agent/modified", agent, RECEIVED + 3)],
        ]
    )
    assert rows["channel"] == [whole(bench.columns["channel"], ROWS["channels/added"]["channel"][0])]
    assert rows["team_member"] == [whole(bench.columns["team_member"], ROWS["agent/added"]["team_member"][0])]


def test_a_deletion_holds_until_there_is_a_sign_of_life(bench: Bench) -> None:
    deleted = ("agent/deleted", SAMPLES["agent/deleted"], RECEIVED)
    after = RECEIVED // 1000 + 5_000

    def deleted_at(type_: str, **more: Any) -> Any:
        rows, _ = bench.rows([[deleted, (type_, {**SAMPLES[type_], **more}, RECEIVED + 9_000_000)]])
        return rows["team_member"][0][bench.columns["team_member"].index("deleted_at")]

    assert deleted_at("agent/logout", timestamp=after) == deleted_at("agentTools/leave", timestamp=after)
    assert deleted_at("agent/logout", timestamp=after) is not None
    assert deleted_at("agent/login", timestamp=after) is None
    assert deleted_at("agent/added") is None
    assert deleted_at("agent/login") is not None  # it was before


def test_the_delivery_itself_outranks_the_members_in_its_copy(bench: Bench) -> None:
    def active(timestamp: int) -> Any:
        body = {**SAMPLES["conversation/left"], "timestamp": timestamp}
        return bench.rows([[("conversation/left", body, RECEIVED)]])[0]["conversation_member"][0][-1]

    noted = TALK["lastUpdatedTimestamp"]
    assert [active(noted), active(noted + 1), active(noted - 1)] == [0, 0, 1]


def test_fields_beyond_the_specification_are_kept_with_their_own_objects(bench: Bench) -> None:
    body = {"orgId": 41, "interaction": {**TALK, "mood": {"is": "good"}}}
    rows, _ = bench.rows([[("conversation/added", body, RECEIVED)]])
    assert rows["conversation"][0][bench.columns["conversation"].index("extra")] == '{"mood":{"is":"good"}}'


@pytest.mark.parametrize("value", ["", {"a": "é \ud800"}, [1e999], -0.0, None])
def test_odd_values_of_a_custom_event(value: Any, bench: Bench) -> None:
    body = {**SAMPLES["instantApp/custom"], "value": value}
    rows, told = bench.rows([[("instantApp/custom", body, RECEIVED)]])
    stored = dict(zip(bench.columns["instant_app_event"], rows["instant_app_event"][0], strict=True))["value"]
    assert told[0][0] == "applied"
    assert stored is None if value is None else json.loads(stored) == ([None] if value == [1e999] else value)
