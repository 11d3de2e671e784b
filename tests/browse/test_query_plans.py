"""How every statement of every page reads the mirror: along an index, without sorting what it has no bound for.

The planner has no statistics, so a plan is the same however large the tables are. A query function without an entry
here fails; so does one that reads all of something, or sorts, unless the exceptions say why that is bounded.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from account import Lived
from campaign_rows import KNOWN
from looking import planning
from vendor_rows import CIO, STRANGER

from promptsync.browse import queries
from promptsync.browse.queries import broadcast_people, campaigns, delivery, messages, opt_outs, people, team, timeline
from promptsync.browse.queries.identity import Who

SINCE, UNTIL, DAY, LAST_DAY = "2026-11-01", "2026-12-01", "2026-11-01", "2026-11-30"
AT, ORG, PERSON, CAST, N = "2026-11-20", 7, 2, 175, 50
SPAN, EDGE = (SINCE, UNTIL, ORG), (AT, 5)
WHO = Who(PERSON, {"workspace_id": 1, "internal_customer_id": CIO}, (STRANGER, "x"))
CAST_ROW = {"id": CAST, "org_id": ORG, "start_timestamp": AT, "contact_list_ids": "1,2"}
PLACES = [timeline.Edge(AT, source, key) for source, key in enumerate((5, "d", "e", "q", "r"))]
ROWS = [
    {"source": "prompt", "team_member_id": 1, "broadcast_id": 2},
    *({"source": "sent", "key": "d1", "workspace_id": 1, "campaign_id": c, "newsletter_id": 5} for c in (None, KNOWN)),
]
Calls = list[tuple[Any, ...]]


def wanted_people() -> Calls:
    """Every filter by itself, in every order, and after a place."""
    filters: list[dict[str, Any]] = [
        {},
        {"tag": "Volunteer"},
        {"list": "Drivers"},
        {"q": "Ana"},
        {"q": "5550"},
        {"wrote": True},
    ]
    filters += [{"helped": 1}, {"out": "only"}, {"out": "only", "wrote": True}, {"out": "include"}]
    made = [
        people.Wanted(**{"since": SINCE, "until": UNTIL, "active_since": SINCE, "org": org, "sort": sort, **one})
        for one in filters
        for sort in ("name", "new", "active")
        for org in (None, ORG)
    ]
    return [(one, place, N) for one in made for place in (None, ("=Ana", 5) if one.sort == "name" else ("3", 5))]


def wanted_messages() -> list[messages.Wanted]:
    spans = [{"since": SINCE, "until": UNTIL, "org": org} for org in (None, ORG)]
    kinds: list[dict[str, Any]] = [{"way": way} for way in ("in", "out", "failed", "")]
    kinds += [{"way": "failed", "broadcast": CAST}, {"way": "out", "broadcast": CAST}, {"member": 1}, {"member": 0}]
    return [messages.Wanted(**kind, **span) for kind in kinds for span in spans]


CALLS: Final[dict[str, Calls]] = {
    "broadcast_people.described": [(CAST, which, [2, 3], {2: AT}) for which in broadcast_people.WHICH],
    "broadcast_people.ids_of": [(CAST, which, [2], 0, N) for which in broadcast_people.WHICH],
    "broadcast_people.live_replies": [(CAST, SINCE, UNTIL)],
    "broadcast_people.opted_out_after": [(CAST, SINCE, UNTIL)],
    "broadcast_people.repliers": [(CAST,)],
    "broadcast_people.repliers_reached": [(CAST, [2])],
    "broadcast_people.reply_hours": [(CAST, AT)],
    "broadcasts.arrived": [(CAST,)],
    "broadcasts.before": [(AT, None), (AT, ORG)],
    "broadcasts.broadcast": [(CAST,)],
    "broadcasts.clicks": [(CAST,)],
    "broadcasts.example": [(CAST,)],
    "broadcasts.neighbours": [(CAST_ROW,)],
    "broadcasts.not_started": [(None,), (ORG,)],
    "broadcasts.page_of": [(None, N, None), (EDGE, N, ORG)],
    "broadcasts.people_reached": [(CAST,)],
    "broadcasts.reasons": [(CAST,)],
    "broadcasts.targeted_lists": [(CAST_ROW,)],
    "campaigns.campaign": [(KNOWN,)],
    "campaigns.counts": [(KNOWN,)],
    "campaigns.deliveries": [(KNOWN, which, edge, N) for which in campaigns.WHICH for edge in (None, ("d1", 1))],
    "campaigns.mirrored": [()],
    "campaigns.page_of": [(None, N), (5, N)],
    "campaigns.sent_minutes": [(KNOWN,)],
    "consent.count_opted_out": [(SINCE, UNTIL, None), SPAN],
    "consent.last_broadcast": [(PERSON, UNTIL)],
    "consent.newest_opt_outs": [(SINCE, UNTIL, None, 6), (*SPAN, 6)],
    "delivery.never_working": [(SINCE, None, None, N), (SINCE, ORG, EDGE, N)],
    "delivery.reasons": [(SINCE, UNTIL, None), SPAN],
    "delivery.refused": [([{}] * delivery.REASONS, "21610", *SPAN)],
    "delivery.with_people": [([{"contact_id": PERSON}],)],
    "freshness.nightly": [([ORG],)],
    "freshness.other_files": [()],
    "freshness.waiting": [()],
    "home.newest_broadcasts": [(UNTIL, None), (UNTIL, ORG)],
    "home.newest_day": [(UNTIL, None), (UNTIL, ORG)],
    "home.newest_replies": [(SINCE, UNTIL, None), SPAN],
    "home.week": [((DAY, LAST_DAY), (SINCE, UNTIL), org) for org in (None, ORG)],
    "identity.elsewhere": [("alone@example.org",), ("+39 06 12345678",), ("crm-77",)],
    "identity.of_contact": [({"id": 1, "phone": "+14155557000", "fields": [{"key": "e-mail", "value": "a@b.org"}]},)],
    "identity.of_customer": [(1, CIO), (1, "by-id"), (1, "alone"), (1, "p0")],
    "identity.of_number": [(STRANGER,), ("32665",)],
    "identity.qlara_contacts": [(("+14155557000", "14155557000"),)],
    "messages.count_of": [(one,) for one in wanted_messages()],
    "messages.page_of": [(one, place, N) for one in wanted_messages() for place in (None, EDGE)],
    "opt_outs.by_week": [([SINCE, "2026-11-08", UNTIL], org) for org in (None, ORG)],
    "opt_outs.page_of": [
        (by, cast, org, edge, N)
        for by in ("", *opt_outs.WAYS)
        for cast in (None, CAST)
        for org in (None, ORG)
        for edge in (None, EDGE)
    ],
    "freshness.exported_until": [([ORG],)],
    "freshness.found_by_service": [()],
    "freshness.live_until": [()],
    "freshness.taken_over": [()],
    "people.count_of": [(one,) for one, _, _ in wanted_people()],
    "people.field_names": [()],
    "people.fields_of": [([1, 2],)],
    "people.last_message": [([1, 2],)],
    "people.list_names": [()],
    "people.lists_of": [([1, 2],)],
    "people.page_of": wanted_people(),
    "people.tag_names": [()],
    "people.tags_of": [([1, 2],)],
    "person.contact": [(PERSON,), (-1,)],
    "person.conversation_with": [(5,)],
    "person.facts": [(PERSON,)],
    "person.happened": [(PERSON, SINCE, UNTIL)],
    "person.removed": [()],
    "reader.has_table": [("org",)],
    "reader.names_of": [(table, [1, 2]) for table in ("team_member", "broadcast", "contact_list")],
    "reader.organisations": [()],
    "reader.people": [([1, 2],)],
    "search.messages_by": [("Saturday", None, None), ("gracias amigo", 50, ORG)],
    "search.not_searched_yet": [()],
    "search.people_by": [("Ana", None), ("5550", ORG)],
    "sending.by_day": [(DAY, LAST_DAY, None), (DAY, LAST_DAY, ORG)],
    "sending.by_month": [(DAY, LAST_DAY, None), (DAY, LAST_DAY, ORG)],
    "sending.outcomes": [(DAY, LAST_DAY, None), (DAY, LAST_DAY, ORG)],
    "tables.other_tables": [()],
    "team.activity": [(SINCE, UNTIL, None), SPAN],
    "team.described": [([(AT, PERSON, 1)], SINCE, UNTIL)],
    "team.members": [(SINCE, UNTIL, None), SPAN],
    "team.waiting": [(team.Activity({1: [AT]}, []),)],
    "timeline.after": [(WHO, timeline.BEGINNING, N), *((WHO, place, N) for place in PLACES)],
    "timeline.at_message": [(PERSON, 100)],
    "timeline.before": [(WHO, timeline.END, N), *((WHO, place, N) for place in PLACES)],
    "timeline.containing": [(WHO, "said")],
    "timeline.undated": [(WHO,)],
    "timeline.vendors_of": [(WHO,)],
    "timeline.with_names": [(ROWS,)],
}
"""Every query function, and what it is asked with."""


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Whatever in ``browse.queries`` is given a reader first."""
    for module in pkgutil.iter_modules(queries.__path__):
        found = importlib.import_module(f"{queries.__name__}.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            given = next(iter(inspect.signature(function).parameters), "")
            if function.__module__ == found.__name__ and given == "reader" and not name.startswith("_"):
                yield f"{module.name}.{name}", function


_LISTED: Final = re.compile(
    r"SCAN (CONSTANT ROW$|\(subquery-\d+\)|(json_each|\w+_fts|j|f) VIRTUAL TABLE|"
    r"(k|who|r|s|f|w|waiting|said|turns|changes)$)"
)
"""Reading through what a statement has made itself, was given as a list, or has found by a search."""

_ENDS_SOON: Final[dict[str, dict[str, str]]] = {
    "campaigns.mirrored": {
        "SCAN cio_deliveries USING COVERING INDEX cio_deliveries_newsletter_id": "the first row is enough"
    },
    "identity.elsewhere": {"SCAN message USING INDEX message_created_timestamp": "the newest 20"},
    "identity.of_customer": {"SCAN message USING INDEX message_created_timestamp": "the newest 20"},
    "identity.of_number": {"SCAN message USING INDEX message_created_timestamp": "the newest 20"},
    "people.count_of": {
        "SCAN p": "to 1,001 who may be texted, as most may",
        "SCAN p USING COVERING INDEX contact_phone_end": "to 1,001 of all",
        "SCAN p USING COVERING INDEX contact_is_opted_out": "to 1,001 of all",
    },
    "freshness.live_until": {"SCAN sync_event USING COVERING INDEX sync_event_received_at": "the newest is enough"},
    "freshness.taken_over": {"SCAN sync_file": "from the newest; nearly every file is taken over"},
    "people.list_names": {"SCAN contact_list USING COVERING INDEX contact_list_name": "an organisation has dozens"},
    "reader.has_table": {"SCAN sqlite_master": "a row for each table"},
    "reader.organisations": {"SCAN org": "a handful"},
    "tables.other_tables": {"SCAN sqlite_master": "a row for each table"},
}
"""Tables that are read from one end until enough is found, or that stay small, and why."""

_SORTED: Final = {
    "broadcast_people.described": "one person's messages of a broadcast",
    "broadcast_people.ids_of": "who clicked in one broadcast; known people",
    "broadcast_people.live_replies": "replies of three days that no export has stated",
    "broadcast_people.opted_out_after": "opt-outs of three days",
    "broadcast_people.reply_hours": "replies to one broadcast",
    "broadcasts.clicks": "clicks in one broadcast",
    "broadcasts.reasons": "what failed of one broadcast",
    "campaigns.counts": "metrics of one campaign, within a time limit",
    "campaigns.sent_minutes": "metrics of one campaign, within a time limit",
    "consent.count_opted_out": "opt-outs of the time asked for",
    "consent.newest_opt_outs": "opt-outs of the time asked for",
    "delivery.never_working": "what failed for good in the time asked for",
    "delivery.reasons": "what failed in the time asked for",
    "delivery.refused": "what failed in the time asked for",
    "freshness.other_files": "the newest thousand files",
    "home.week": "opt-outs of a week",
    "identity.elsewhere": "people whose number ends with the same four digits",
    "identity.of_contact": "people whose number ends with the same four digits",
    "identity.of_customer": "people whose number ends with the same four digits",
    "identity.of_number": "people whose number ends with the same four digits",
    "messages.page_of": "messages of one broadcast",
    "people.fields_of": "a page's people",
    "people.lists_of": "a page's people",
    "people.page_of": "people of one tag, list, name or time, by their keys alone",
    "people.tags_of": "a page's people",
    "person.facts": "one person's tags, lists and fields",
    "person.happened": "what happened to one person in a page's time",
    "sending.by_month": "kept numbers of a year: some hundred rows a month",
    "tables.other_tables": "a row for each table",
    "team.members": "messages of the time asked for",
}
"""Functions whose statements sort, and what bounds that."""


FUNCTIONS: Final = dict(functions())


def test_every_query_function_has_an_example() -> None:
    assert FUNCTIONS.keys() == CALLS.keys()
    assert _SORTED.keys() | _ENDS_SOON.keys() <= CALLS.keys()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_it_reads_along_an_index_and_sorts_nothing_unbounded(everywhere: Lived, name: str) -> None:
    with planning(everywhere.kit.config.mirror.database) as reader:
        for arguments in CALLS[name]:
            FUNCTIONS[name](reader, *arguments)
    assert reader.plans
    for sql, plan in reader.plans.items():
        assert not [line for line in plan if "AUTOMATIC" in line], sql
        scanned = [line for line in plan if line.startswith("SCAN ") and not _LISTED.match(line)]
        assert [line for line in scanned if line not in _ENDS_SOON.get(name, {})] == [], sql
        sorts = [line for line in plan if line.startswith("USE TEMP B-TREE") and "RIGHT PART" not in line]
        assert not sorts or name in _SORTED, (sorts, sql)
