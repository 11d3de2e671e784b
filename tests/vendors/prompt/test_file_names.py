"""Names of snapshot files: every spelling of the stamp, and names that say nothing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from promptsync.clock import micros_of
from promptsync.errors import InputRefused
from promptsync.model.file_name import FileName
from promptsync.vendors.prompt.files import parse_name
from promptsync.vendors.prompt.tables_exports import TABLES

PACIFIC = ZoneInfo("America/Los_Angeles")


def at(year: int, month: int, day: int, hour: int = 0) -> int:
    return micros_of(datetime(year, month, day, hour, tzinfo=UTC))


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("message_1044_2026-02-04T00-00-00-0800Z", FileName("message", 1044, at(2026, 2, 4, 8))),
        ("message_1044_2026-07-04T00-00-00-0700Z", FileName("message", 1044, at(2026, 7, 4, 7))),
        ("contact_7_2026-02-04T00-00-00-08-00", FileName("contact", 7, at(2026, 2, 4, 8))),
        ("contact_data_7_2026-02-04T00-00-00-0800", FileName("contact_data", 7, at(2026, 2, 4, 8))),
        ("contact_tag_7_2026-02-04T05-30-00+0530Z", FileName("contact_tag", 7, at(2026, 2, 4))),
        ("opt_out_7_2026-02-04T00-00-00+0000", FileName("opt_out", 7, at(2026, 2, 4))),
        ("opt_in_7_2026-02-04T00-00-00Z", FileName("opt_in", 7, at(2026, 2, 4))),
        ("broadcast_7_2026-02-04T00-00-00", FileName("broadcast", 7, at(2026, 2, 4, 8))),
        ("broadcast_7_2026-07-04T00-00-00", FileName("broadcast", 7, at(2026, 7, 4, 7))),
        ("org_2026-02-04T00-00-00-0800Z", FileName("org", None, at(2026, 2, 4, 8))),
        ("message_9223372036854775807_2026-02-04T00-00-00Z", FileName("message", (1 << 63) - 1, at(2026, 2, 4))),
    ],
)
def test_names(name: str, expected: FileName, ending: str) -> None:
    assert parse_name(name + ending, TABLES, PACIFIC) == expected
    assert parse_name(name + ending, tuple(reversed(TABLES)), PACIFIC) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "message_1044_2026-02-04T00-00-00-0800Z.csv.gz.part",
        "message_1044_2026-02-04T00-00-00-0800Z.gz",
        "message_1044_2026-02-04T00-00-00-0800Z.CSV",
        ".message_1044_2026-02-04T00-00-00-0800Z.csv",
        "message_2026-02-04T00-00-00-0800Z.csv",
        "message__2026-02-04T00-00-00-0800Z.csv",
        "message_-1_2026-02-04T00-00-00-0800Z.csv",
        "message_1044x_2026-02-04T00-00-00-0800Z.csv",
        "message_\u0661_2026-02-04T00-00-00-0800Z.csv",
        "message_9223372036854775808_2026-02-04T00-00-00Z.csv",
        "messages_1044_2026-02-04T00-00-00-0800Z.csv",
        "message_1044_2026-02-30T00-00-00-0800Z.csv",
        "message_1044_2026-02-04T24-00-00-0800Z.csv",
        "message_1044_2026-02-04T00-00-00-0860Z.csv",
        "message_1044_2026-02-04T00-00-00-2400Z.csv",
        "message_1044_2026-02-04T00:00:00-0800Z.csv",
        "message_1044_2026-02-04T00-00-00-0800Z_2.csv",
        "message_1044_0000-02-04T00-00-00Z.csv",
        "org_1044_2026-02-04T00-00-00-0800Z.csv",
        "deliveries_v4_111528_241600000000311123.parquet",
    ],
)
def test_names_that_say_nothing(name: str) -> None:
    with pytest.raises(InputRefused) as refused:
        parse_name(name, TABLES, PACIFIC)
    assert refused.value.reason == "unknown_name"
