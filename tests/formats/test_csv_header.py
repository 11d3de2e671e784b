"""Headers: what is matched, kept, missed and refused."""

import pytest

from promptsync.errors import Held
from promptsync.formats.csv.header import Field, Header, read_header
from promptsync.model import Kind
from promptsync.vendors.prompt.tables_exports import CONTACT, CONTACT_DATA, MESSAGE, OPT_IN, ORG, TABLES


def header(text: str, table: object = OPT_IN, most: int = 50) -> Header:
    return read_header([cell.encode() for cell in text.split(",")], table, most)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", [one for one in TABLES if one.file_columns], ids=lambda table: table.name)
def test_declared_header_in_any_order(table: object) -> None:
    names = [column.name for column in table.file_columns]  # type: ignore[attr-defined]
    read = header(",".join(reversed(names)), table)
    assert (read.unknown, read.lacks, read.width, read.org_position) == ({}, (), len(names), -1)
    assert {field.name for field in read.fields if not field.blank_of} == set(names)
    assert all(names[::-1][field.position] == field.name for field in read.fields if not field.blank_of)


def test_keys_first_then_as_declared_then_unknown() -> None:
    read = header("shoe_size,updated_timestamp,value,key,managed,contact_id,id", CONTACT_DATA)
    names = [field.name for field in read.fields]
    assert names == ["id", "managed", "contact_id", "key", "value", "deleted", "updated_timestamp", "shoe_size"]
    assert read.fields[5] == Field("deleted", Kind.BOOLEAN, 2, "value")
    assert read.lacks == ("created_timestamp",)
    assert read.unknown == {"shoe_size": "shoe_size"}


def test_no_derived_column_without_its_source() -> None:
    assert "deleted" not in [field.name for field in header("id,managed,key", CONTACT_DATA).fields]


def test_other_case_and_spaces() -> None:
    read = header(" ID,Contact_Id,TYPE")
    assert [(field.name, field.position) for field in read.fields] == [("id", 0), ("contact_id", 1), ("type", 2)]


def test_names_that_clash_get_a_prefix() -> None:
    read = header("id,_at,Status,x__at,REMOVED,x_status,org_id", MESSAGE)
    assert read.unknown == {"x_x__at": "_at", "x_x_Status": "Status"} | {n: n for n in ("x__at", "REMOVED", "x_status")}
    assert read.org_position == 6
    assert header("id,deleted,managed", CONTACT_DATA).unknown == {"x_deleted": "deleted"}


def test_a_name_of_the_webhooks_is_no_column_of_the_file() -> None:
    assert header("id,status", MESSAGE).unknown == {"x_status": "status"}


def test_org_table_has_no_organization() -> None:
    assert header("id,org_id", ORG).org_position == -1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("id,type,id", "twice"),
        ("id,ID", "twice"),
        ("id,shoe,SHOE", "twice"),
        ("id,,type", "without a name"),
        (",id", "without a name"),
        ("contact_id,type", "key column id"),
        ("17,2026-02-04T00:00:00Z,4,+15550001111,CONTACT", "its first line looks like data, not like a header"),
        ("17,CONTACT,,", "its first line looks like data, not like a header"),
        ("true,Ann", "its first line looks like data, not like a header"),
        ("shoe,size", "no column of the table opt_in"),
        ("id,a\0b", "control"),
        ("id," + ",".join(f"c{n}" for n in range(50)), "51 columns"),
    ],
)
def test_refused(text: str, word: str) -> None:
    with pytest.raises(Held, match=word) as held:
        header(text)
    assert held.value.reason == "header"


@pytest.mark.parametrize("text", ["id,type,", "id,type, ", "id,type,,,"])
def test_last_columns_without_a_name_are_passed_over(text: str) -> None:
    read = header(text)
    assert [field.name for field in read.fields] == ["id", "type"]
    assert read.blank == tuple(range(2, read.width))
    assert read.width == len(text.split(","))


def test_refused_bytes() -> None:
    with pytest.raises(Held, match="UTF-8"):
        read_header([b"id", b"\xff"], CONTACT, 50)
