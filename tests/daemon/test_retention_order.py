"""Any order of files, deliveries and sweeps ends in the same rows: those of all claims, swept once at the end."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_mirror import NOW, Kept, added, message

from promptsync.clock import MICROS, iso_micros, parse_iso

DAY = 86_400 * MICROS
CREATED = {1: "2023-01-05T10:00:00.000Z", 2: "2024-11-27T23:59:59.000Z", 3: "2024-11-28T00:00:00.000Z"}
CREATED |= {4: "2026-11-01T10:00:00.000Z"}
TEXTS = st.sampled_from(["a", "b", "zz", ""])
PERIODS = {"message_content": "24 months", "console_log": "30 days", "events": "20 days"}
SWEEP = ("sweep",)
Step = tuple[Any, ...]

nights = st.tuples(
    st.just("night"),
    st.dictionaries(st.sampled_from(sorted(CREATED)), TEXTS, max_size=4),
    st.sampled_from([1, 2, 3]),  # days ago
)
told = st.tuples(st.just("told"), st.sampled_from(sorted(CREATED)), TEXTS, st.booleans(), st.sampled_from([1, 25, 40]))
logged = st.tuples(st.just("logged"), st.integers(0, 2), st.sampled_from([1, 25, 29, 31, 40]))


def take(kept: Kept, step: Step, number: int) -> None:
    if step[0] == "sweep":
        kept.sweep()
    elif step[0] == "night":
        rows = [message(id_, CREATED[id_], text) for id_, text in sorted(step[1].items())]
        folder = kept.folder / str(number)
        folder.mkdir()
        kept.night(rows, iso_micros(NOW - step[2] * DAY), folder)
    elif step[0] == "told":
        _, id_, text, timed, days = step
        body = added(id_, CREATED[id_], text)
        if not timed:
            del body["message"]["createdTimestamp"]
        kept.bring([kept.line("message/added", body, iso_micros(NOW - days * DAY + id_))])
    else:
        body = {"orgId": 1, "level": "log", "component": "BOT", "message": f"line {step[1]}"}
        kept.bring([kept.line("console/log", body, iso_micros(NOW - step[2] * DAY + step[1]))])


def outcome(empty: Path, steps: Sequence[Step]) -> dict[str, list[Any]]:
    """What a mirror holds after these steps and a sweep."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        shutil.copyfile(empty, Path(folder) / "data" / "mirror.db")
        kept = Kept(Path(folder), PERIODS)
        try:
            for number, step in enumerate((*steps, SWEEP)):
                take(kept, step, number)
            return {
                "message": kept.rows(
                    "SELECT id, created_timestamp, content, user_type, is_mms, _absent_since FROM message ORDER BY id"
                ),
                "console_log": kept.rows("SELECT message, at FROM console_log ORDER BY at, message"),
                "found": kept.rows("SELECT rowid FROM message_fts WHERE message_fts MATCH 'a OR b OR zz' ORDER BY 1"),
            }
        finally:
            kept.close()


@pytest.mark.slow
@settings(max_examples=25)
@given(claims=st.lists(st.one_of(nights, told, logged), min_size=1, max_size=6), data=st.data())
def test_any_order_of_claims_and_sweeps_ends_in_the_same_rows(
    empty: Path, claims: list[Step], data: st.DataObject
) -> None:
    expected = outcome(empty, claims)
    mixed = data.draw(st.permutations([*claims, SWEEP, SWEEP]))
    assert outcome(empty, mixed) == expected
    edge = parse_iso("2024-11-28T00:00:00Z")
    assert not [row for row in expected["message"] if row[2] and row[1] and parse_iso(row[1]) < edge]


@pytest.mark.parametrize("sweeps", [False, True])
def test_what_comes_twice_is_there_once(empty: Path, sweeps: bool) -> None:
    """Also what came before the inbox was swept."""
    claims = [("logged", n, days) for n in range(3) for days in (1, 25)]
    between = [SWEEP] if sweeps else []
    assert outcome(empty, [*claims, *between, *claims]) == outcome(empty, claims)
