"""Small worlds of claims for Hypothesis: few keys and few instants, so that everything ties and collides.

Owns strategies for files and deliveries: ids twice in a file, columns that a file lacks or that nobody declared, two
files of one instant, times hours before and after the file that states them, two organizations.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from .model import BAD, STAGES, File, iso
from .model_events import Event

MICRO, HOUR = 1_000_000, 3_600_000_000
START = 1_769_932_800 * MICRO  # 2026-02-01T08:00:00Z
NIGHTS = [START + night * 24 * HOUR for night in range(3)]
MOMENTS = [night + shift * HOUR for night in (*NIGHTS, NIGHTS[-1] + 24 * HOUR) for shift in (-1, 0, 1)]
TIMES = [iso(moment) for moment in MOMENTS]
MILLIS = [moment // 1000 for moment in MOMENTS]
UNKNOWN = ("mood", "name_at", "Score")

_ORGS = st.sampled_from([1, 1, 1, 1, 2])
_text = st.sampled_from([None, "a", "b"])
_flag = st.sampled_from([0, 1, None])
_time = st.sampled_from([None, *TIMES])
_few = st.sampled_from([None, 1, 2])


@dataclass(frozen=True)
class World:
    """What is claimed, in no order."""

    files: tuple[File, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class _Shape:
    """``varied``: columns whose values differ; the other ``blank`` ones are there and empty."""

    key: Callable[[int, int], tuple[Any, ...]]
    keys: tuple[str, ...]
    varied: dict[str, st.SearchStrategy[Any]]
    blank: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_SHAPES = {
    "contact": _Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {
            "display_name": _text,
            "phone": st.sampled_from([None, "+1555", "+1556"]),
            "is_opted_out": _flag,
            "opt_out_timestamp": _time,
            "created_timestamp": _time,
            "updated_timestamp": _time,
            "region": _text,
            "timezone": _text,
        },
        ("country_code", "area_code", "country_postal_code"),
        ("is_opted_out",),
    ),
    "message": _Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {
            "created_timestamp": _time,
            "contact_id": _few,
            "content": _text,
            "is_outgoing": _flag,
            "team_member_id": _few,
            "is_successful": _flag,
            "error_message": _text,
            "error_code": _text,
            "sent_timestamp": _time,
            "segments": _few,
            "contact_phone": _text,
            "org_phone": _text,
            "broadcast_id": _few,
            "is_broadcast": _flag,
        },
        ("is_mms", "is_whisper", "is_billable"),
        ("is_outgoing", "is_successful", "is_broadcast"),
    ),
    "contact_data": _Shape(
        lambda org, n: (org * 10 + n // 2, n % 2),
        ("id", "managed"),
        {"contact_id": _few, "key": _text, "value": _text, "updated_timestamp": _time},
        ("created_timestamp",),
        ("managed",),
    ),
    "contact_tag": _Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {"contact_id": _few, "name": _text, "updated_timestamp": _time, "deleted_timestamp": _time},
        ("created_timestamp",),
    ),
    "broadcast": _Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {"description": _text, "num_sent": _few, "is_p2p": _flag, "contact_list_ids": _text},
        (
            *("created_timestamp", "start_timestamp", "finish_timestamp", "num_contacts", "num_errors"),
            *("num_opt_outs", "num_responded", "num_replied_to_reply", "num_skipped", "num_canceled"),
            *("is_scrub", "is_advanced_targeting"),
        ),
        ("is_p2p",),
    ),
    "org": _Shape(lambda _, n: (n + 1,), ("id",), {"subdomain": _text, "name": _text, "created_timestamp": _time}),
}
TABLES = tuple(_SHAPES)
FLAGS = {name: shape.flags for name, shape in _SHAPES.items()}


@st.composite
def files(draw: st.DrawFn, tables: tuple[str, ...], drifting: bool, pool: "_Pool") -> File:
    """One snapshot. Only where there is drift do columns lack, or come that nobody declared."""
    table = draw(st.sampled_from(tables))
    shape = _SHAPES[table]
    org = 0 if table == "org" else draw(_ORGS)
    lacking: frozenset[str] = frozenset()
    more: list[str] = []
    if drifting:
        lacking = draw(_LACKING[table])
        more = draw(_MORE)
    declared = [*shape.varied, *shape.blank]
    columns = (*shape.keys, *(column for column in declared if column not in lacking), *more)
    rows = []
    for n, variant in draw(_ROWS):
        row = dict(zip(shape.keys, shape.key(org, n), strict=True)) | pool.row(table, org, n, variant)
        rows.append(tuple(row.get(column) for column in columns))
    return File(table, org, draw(st.sampled_from(NIGHTS)), columns, tuple(rows))


@st.composite
def _another_night(draw: st.DrawFn, snapshots: list[File], drifting: bool) -> File:
    """One of these as of another night, now and then without its last row or a column: most of it is as it was."""
    before = draw(st.sampled_from(snapshots))
    night = replace(before, as_of=draw(st.sampled_from(NIGHTS)), correction=0)
    change = draw(st.sampled_from(["none", "none", "row", "column", "correction"]))
    if change == "correction":
        corrected = {(f.table, f.org, f.as_of) for f in snapshots if f.correction}
        again = draw(st.sampled_from(snapshots))  # of the same table, that other night's rows
        if (
            again.table == night.table
            and again.org == night.org
            and (night.table, night.org, night.as_of) not in corrected
        ):
            return replace(again, as_of=night.as_of, correction=1)
    if change == "row":
        return replace(night, rows=night.rows[:-1])
    droppable = [n for n, name in enumerate(night.columns) if name in _SHAPES[night.table].varied]
    if change == "column" and drifting and droppable:
        dropped = draw(st.sampled_from(droppable))
        keep = [n for n in range(len(night.columns)) if n != dropped]
        rows = tuple(tuple(row[n] for n in keep) for row in night.rows)
        return replace(night, columns=tuple(night.columns[n] for n in keep), rows=rows)
    return night


_ROW = st.tuples(st.integers(0, 2), st.integers(0, 2))
_SORTED = st.lists(_ROW, max_size=3, unique_by=lambda row: row[0]).map(sorted)
_ROWS = st.one_of(_SORTED, _SORTED, _SORTED, st.lists(_ROW, max_size=4))
_LACKING = {name: st.frozensets(st.sampled_from(list(shape.varied)), max_size=2) for name, shape in _SHAPES.items()}
_MORE = st.lists(st.sampled_from(UNKNOWN), unique=True, max_size=1)


@dataclass
class _Pool:
    """What a row may be: one of three, now and then one that cannot be read. So many rows stay as they are."""

    draw: st.DrawFn
    drifting: bool
    drawn: dict[tuple[str, int, int, int], dict[str, Any]]

    def row(self, table: str, org: int, n: int, variant: int) -> dict[str, Any]:
        """The cells of one row but its key."""
        place = (table, org, n, variant)
        if place not in self.drawn:
            self.drawn[place] = self._row(table)
        return self.drawn[place]

    def _row(self, table: str) -> dict[str, Any]:
        shape = _SHAPES[table]
        row = {column: self.draw(strategy) for column, strategy in shape.varied.items()}
        if self.drifting:
            row |= {column: self.draw(_text) for column in UNKNOWN}
        broken = [column for column in shape.flags if column not in shape.keys]
        if broken and self.draw(st.integers(0, 9)) == 9:
            row[broken[0]] = BAD
        return row


def _ids(org: int) -> st.SearchStrategy[int]:
    return st.integers(org * 10, org * 10 + 2)


def _channels() -> st.SearchStrategy[list[dict[str, str]]]:
    kinds, keys = st.sampled_from(["SMS", "FB"]), st.sampled_from(["+1555", "+1557"])
    return st.lists(st.fixed_dictionaries({"identityType": kinds, "key": keys}), max_size=2)


def _tags(org: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(org * 10, org * 10 + 1),
                "name": st.sampled_from(["x", "y"]),
                "colorCode": st.just("#1"),
                "note": st.sampled_from(["", "n"]),
                "addedTimestamp": st.sampled_from(MILLIS),
            }
        ),
        max_size=2,
    )


def _contact_lists(org: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                "id": st.integers(org * 10, org * 10 + 1),
                "name": st.sampled_from(["x", "y"]),
                "type": st.just("PROMPT"),
                "addedTimestamp": st.sampled_from(MILLIS),
            }
        ),
        max_size=1,
    )


def _customers(org: int) -> st.SearchStrategy[dict[str, Any]]:
    always = {
        "id": _ids(org),
        "createdTimestamp": st.sampled_from(MILLIS),
        "userType": st.just("CUSTOMER"),
        "channels": _channels(),
        "globalOptOut": st.booleans(),
        "globalOptOutTimestamp": st.sampled_from([0, *MILLIS]),
    }
    identities = st.lists(st.fixed_dictionaries({"type": st.just("SMS"), "key": st.sampled_from("ab")}), max_size=1)
    sometimes = {
        "displayName": st.sampled_from(["a", "b", "", None]),
        "tags": _tags(org),
        "identities": identities,
        "contactLists": _contact_lists(org),
    }
    return st.fixed_dictionaries(always, optional=sometimes)


def _messages(org: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": _ids(org),
            "createdTimestamp": st.sampled_from(MILLIS),
            "externalMessageId": _text,
            "userType": st.sampled_from(["TEAM_MEMBER", "CUSTOMER", "BOT"]),
            "userId": _ids(org),
            "content": st.sampled_from(["a", "c", "", None]),
            "status": st.sampled_from(STAGES),
            "hasInstantApp": st.booleans(),
        }
    )


def _conversations(org: int) -> st.SearchStrategy[dict[str, Any]]:
    member = st.fixed_dictionaries({"teamMemberId": _ids(org), "active": st.booleans()})
    return st.fixed_dictionaries(
        {
            "id": _ids(org),
            "orgChannelId": st.integers(org * 10, org * 10 + 1),
            "customerId": _ids(org),
            "createdTimestamp": st.sampled_from(MILLIS),
            "lastUpdatedTimestamp": st.sampled_from(MILLIS),
            "conversationMembers": st.lists(member, max_size=1),
            "status": st.sampled_from(["ACTIVE", "PENDING"]),
            "topic": _text,
            "firstCustomerMessage": st.none() | _messages(org),
        }
    )


def _bodies(org: int) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    when, customer = st.sampled_from(MILLIS), _customers(org)
    ours, theirs = {"id": org * 10, "name": "main", "active": True}, {"identityType": "SMS", "key": "+1555"}
    poster = st.fixed_dictionaries(
        {
            "id": _ids(org),
            "displayName": st.sampled_from(["a", "p"]),
            "createdTimestamp": when,
            "userType": st.sampled_from(["TEAM_MEMBER", "CUSTOMER", "SYSTEM"]),
        }
    )
    optional_out = {"optOut": st.booleans(), "timestamp": when}
    return {
        "customer/added": st.fixed_dictionaries({"customer": customer}),
        "customer/modified": st.fixed_dictionaries({"customers": st.lists(customer, min_size=1, max_size=2)}),
        "customer/optOut": st.one_of(
            st.fixed_dictionaries(
                {"optOutType": st.just("GLOBAL"), "customers": st.lists(customer, min_size=1, max_size=2)}
                | optional_out
            ),
            st.fixed_dictionaries(
                {
                    "optOutType": st.just("PHONE_PROVIDER"),
                    "customer": customer,
                    "orgChannel": st.just(ours),
                    "customerChannel": st.just(theirs),
                }
                | optional_out
            ),
        ),
        "message/added": st.fixed_dictionaries(
            {
                "message": _messages(org),
                "interaction": _conversations(org),
                "postingUser": st.none() | poster,
                "customerChannel": _text,
                "orgChannel": _text,
                "bulkActionId": st.just(0) | _ids(org),
            }
        ).map(_consistent),
        "message/status": st.one_of(
            st.fixed_dictionaries({"timestamp": when, "message": _messages(org)}),
            st.fixed_dictionaries({"timestamp": when, "messages": st.lists(_messages(org), min_size=1, max_size=2)}),
        ),
        "message/error": st.fixed_dictionaries(
            {"message": _messages(org), "errorMessage": st.sampled_from(["a", "e", ""])}
        ),
        "broadcast/state": st.fixed_dictionaries(
            {"bulkActionId": _ids(org), "status": st.sampled_from(["PROCESSING", "PAUSED"]), "statusMessage": _text}
        ),
    }


def _consistent(body: dict[str, Any]) -> dict[str, Any]:
    """A customer's message is of the conversation's customer: no delivery contradicts itself."""
    for message in (body["message"], body["interaction"]["firstCustomerMessage"]):
        if message is not None and message["userType"] == "CUSTOMER":
            message["userId"] = body["interaction"]["customerId"]
    return body


_BODIES = {org: _bodies(org) for org in (1, 2)}


@st.composite
def _told(draw: st.DrawFn, types: tuple[str, ...]) -> tuple[str, str, int]:
    org = draw(_ORGS)
    type_ = draw(st.sampled_from(types))
    body = {"orgId": org} | draw(_BODIES[org][type_])
    return type_, json.dumps(body), draw(st.sampled_from(MOMENTS))


_EVENTS = {
    "contact": ("customer/added", "customer/modified", "customer/optOut", "message/added"),
    "message": ("message/added", "message/status", "message/error"),
    "broadcast": ("broadcast/state", "message/added"),
}
_ABOUT: list[tuple[str, ...]] = [
    *[("contact",), ("contact",), ("message",), ("message",), ("broadcast",), ("contact_data",), ("contact_tag",)],
    *[("contact", "message"), ("message", "broadcast"), TABLES],
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A handful of files and deliveries about one or two tables. Times of receipt differ, as the inbox sees to it."""
    tables = draw(st.sampled_from(_ABOUT))
    drifting = draw(st.booleans())
    fresh = files(tables, drifting, _Pool(draw, drifting, {}))
    snapshots: list[File] = []
    copies = draw(st.sampled_from([(False, True), (True,)]))
    for copied in draw(st.lists(st.sampled_from(copies), max_size=6)):
        snapshots.append(draw(_another_night(snapshots, drifting)) if copied and snapshots else draw(fresh))
    types = tuple(type_ for table in tables for type_ in _EVENTS.get(table, ())) or ("customer/added",)
    taken: set[int] = set()
    events = []
    for type_, body, at in draw(st.lists(_told(types), max_size=6)):
        while at in taken:
            at += 1
        taken.add(at)
        events.append(Event(type_, body, at))
    return World(tuple(snapshots), tuple(events))
