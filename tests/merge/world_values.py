"""What the worlds are made of: few keys, few instants, few values, so that everything ties and collides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .model import iso

MICRO, HOUR = 1_000_000, 3_600_000_000
START = 1_769_932_800 * MICRO  # 2026-02-01T08:00:00Z
NIGHTS = [START + night * 24 * HOUR for night in range(3)]
MOMENTS = [night + shift * HOUR for night in (*NIGHTS, NIGHTS[-1] + 24 * HOUR) for shift in (-1, 0, 1)]
TIMES = [iso(moment) for moment in MOMENTS]
MILLIS = [moment // 1000 for moment in MOMENTS]

ORGS = st.sampled_from([1, 1, 1, 1, 2])
TEXTS = st.sampled_from([None, "a", "b"])
FLAG = st.sampled_from([0, 1, None])
_TIME = st.sampled_from([None, *TIMES])
_FEW = st.sampled_from([None, 1, 2])


@dataclass(frozen=True)
class Shape:
    """``varied``: columns whose values differ; the other ``blank`` ones are there and empty."""

    key: Callable[[int, int], tuple[Any, ...]]
    keys: tuple[str, ...]
    varied: dict[str, st.SearchStrategy[Any]]
    blank: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


SHAPES = {
    "contact": Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {
            "display_name": TEXTS,
            "phone": st.sampled_from([None, "+1555", "+1556"]),
            "is_opted_out": FLAG,
            "opt_out_timestamp": _TIME,
            "created_timestamp": _TIME,
            "updated_timestamp": _TIME,
            "region": TEXTS,
            "timezone": TEXTS,
        },
        ("country_code", "area_code", "country_postal_code"),
        ("is_opted_out",),
    ),
    "message": Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {
            "created_timestamp": _TIME,
            "contact_id": _FEW,
            "content": TEXTS,
            "is_outgoing": FLAG,
            "team_member_id": _FEW,
            "is_successful": FLAG,
            "error_message": TEXTS,
            "error_code": TEXTS,
            "sent_timestamp": _TIME,
            "segments": _FEW,
            "contact_phone": TEXTS,
            "org_phone": TEXTS,
            "broadcast_id": _FEW,
            "is_broadcast": FLAG,
        },
        ("is_mms", "is_whisper", "is_billable"),
        ("is_outgoing", "is_successful", "is_broadcast"),
    ),
    "contact_data": Shape(
        lambda org, n: (org * 10 + n // 2, n % 2),
        ("id", "managed"),
        {"contact_id": _FEW, "key": TEXTS, "value": TEXTS, "updated_timestamp": _TIME},
        ("created_timestamp",),
        ("managed",),
    ),
    "contact_tag": Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {"contact_id": _FEW, "name": TEXTS, "updated_timestamp": _TIME, "deleted_timestamp": _TIME},
        ("created_timestamp",),
    ),
    "broadcast": Shape(
        lambda org, n: (org * 10 + n,),
        ("id",),
        {"description": TEXTS, "num_sent": _FEW, "is_p2p": FLAG, "contact_list_ids": TEXTS},
        (
            *("created_timestamp", "start_timestamp", "finish_timestamp", "num_contacts", "num_errors"),
            *("num_opt_outs", "num_responded", "num_replied_to_reply", "num_skipped", "num_canceled"),
            *("is_scrub", "is_advanced_targeting"),
        ),
        ("is_p2p",),
    ),
    "org": Shape(lambda _, n: (n + 1,), ("id",), {"subdomain": TEXTS, "name": TEXTS, "created_timestamp": _TIME}),
}
FLAGS = {name: shape.flags for name, shape in SHAPES.items()}
