"""Names of change sets: what they state, their order, and what is refused with which sentence."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.errors import Held, InputRefused
from promptsync.model.file_name import ChangeSetName
from promptsync.vendors.customerio.files import STEMS, parse_change_set

NUMBER = st.integers(0, (1 << 63) - 1)


@given(
    stem=st.sampled_from(sorted(STEMS)),
    version=st.integers(4, 999),
    numbers=st.tuples(NUMBER, NUMBER),
    part=st.none() | st.integers(1, (1 << 63) - 1),
    changes=st.sampled_from(["", "before", "after"]),
    suffix=st.sampled_from([".parquet", ".PARQUET", ".Parquet"]),
    folder=st.sampled_from(["", "exports/", "a/b_v5_1_2/c/"]),
)
def test_every_name_written_is_read(
    stem: str, version: int, numbers: tuple[int, int], part: int | None, changes: str, suffix: str, folder: str
) -> None:
    marks = {"": ("", ""), "before": ("_chngs", ""), "after": ("", "_chngs")}[changes]
    tail = "" if part is None else f"_{part:018d}"
    name = f"{folder}{stem}{marks[0]}_v{version}{marks[1]}_{numbers[0]}_{numbers[1]}{tail}{suffix}"
    expected = ChangeSetName(STEMS[stem], numbers[0], version, numbers[1], part or 0, changes != "")
    assert parse_change_set(name) == expected


def test_documented_names() -> None:
    attributes = parse_change_set("attributes_v4_111528_241600000000311123.parquet")
    assert (attributes.table, attributes.sequence) == ("cio_attributes", 241600000000311123)
    assert parse_change_set("object_attributes_v5_1_2.parquet").table == "cio_object_attributes"
    assert parse_change_set("campaign_actions_v5_1_2.parquet").table == "cio_actions"
    assert parse_change_set("delivery_contents_v4_1_2.parquet").table == "cio_delivery_content"
    assert parse_change_set("object_types_v5_chngs_1_2.parquet").changes


def test_the_order_is_of_numbers() -> None:
    texts = ["9", "10", "010", "241600000000311123", "241600000000311123_2", "241600000000311123_10"]
    names = [parse_change_set(f"metrics_v5_7_{text}.parquet") for text in texts]
    shuffled = random.Random(3).sample(names, len(names))
    assert [name.order for name in sorted(shuffled, key=lambda name: name.order)] == [name.order for name in names]


def test_further_stems() -> None:
    stems = {**STEMS, "people_chngs": "cio_events", "my_v5_people": "cio_people"}
    assert parse_change_set("my_v5_people_v5_1_2.parquet", stems).table == "cio_people"
    whole = parse_change_set("people_chngs_v5_1_2.parquet", stems)
    assert (whole.table, whole.changes) == ("cio_events", False)  # the longer stem counts


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("2184.13699.1.track.json", "other_product", "Data Pipelines"),
        ("2184.13699.1.identify.parquet", "other_product", "Data Pipelines"),
        ("2184.13699.1.page.json.gz", "other_product", "Data Pipelines"),
        ("people_v3_1_2.parquet", "old_version", "Upgrade Schema Version"),
        ("people_v1_chngs_1_2.parquet", "old_version", "upgrade the sync"),
        ("people_111528_2.parquet", "old_version", "version v1"),
        ("people_2.parquet", "old_version", "version v1"),
        ("people_1_2_3.parquet", "old_version", "version v1"),
        ("people_chngs_111528_2.parquet", "old_version", "version v1"),
        ("persons_v5_1_2.parquet", "unknown_name", "stems"),
        ("people_v5_1_2.csv", "unknown_name", "does not end in .parquet"),
        ("people_v5_1.parquet", "unknown_name", "not like"),
        ("people_v05_1_2.parquet", "unknown_name", "not like"),
        ("people_v5_1_2_3_4.parquet", "unknown_name", "not like"),
        ("people_v5_1_9223372036854775808.parquet", "unknown_name", "64 bits"),
        ("people_v5_1_12345678901234567890.parquet", "unknown_name", "not like"),
        ("people_v5_1_٢.parquet", "unknown_name", "not like"),
        ("people_v5_1_2.parquet\n", "unknown_name", ".parquet"),
        (".parquet", "unknown_name", "not like"),
    ],
)
def test_refused(name: str, reason: str, words: str) -> None:
    with pytest.raises(InputRefused) as refused:
        parse_change_set(name)
    assert refused.value.reason == reason
    assert words in str(refused.value)
    assert not isinstance(refused.value, Held)


@given(st.text(max_size=40) | st.from_regex(r"[a-z_]{0,20}_v[0-9]{0,3}_?[0-9_]{0,45}\.parquet", fullmatch=True))
def test_any_text_is_read_or_refused(name: str) -> None:
    try:
        read = parse_change_set(name)
    except InputRefused:
        return
    assert read.version >= 4
    assert max(read.workspace, read.sequence, read.part) < 1 << 63
