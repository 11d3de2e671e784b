"""Who is taken for the same person, who is only asked about, and who never."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from promptsync.errors import ConfigError
from promptsync.loading.kinds import FileKinds
from promptsync.model import Identity
from promptsync.model.person import Identifier
from promptsync.people.find import MOST_SHARING, Archive, Person, person_of, start_of
from promptsync.plugins.declared import ReadOnly
from promptsync.vendors import declared_schema

PHONE, OTHER = "+12125550173", "+12125550184"


@pytest.fixture
def archive(empty: Path, tmp_path: Path) -> Iterator[Archive]:
    path = shutil.copy(empty, tmp_path / "mirror.db")
    schema = declared_schema()
    with closing(sqlite3.connect(path)) as connection:
        yield Archive(connection, schema, (), ReadOnly(lambda: closing(connection)), FileKinds(schema), ())


def contact(archive: Archive, id_: int, phone: str, name: str = "Bo") -> None:
    sql = "INSERT INTO contact (id, org_id, display_name, phone) VALUES (?, 1, ?, ?)"
    archive.connection.execute(sql, (id_, name, phone))


def cio(archive: Archive, id_: str, email: str, phone: str = "", customer: str = "", workspace: int = 7) -> None:
    sql = "INSERT INTO cio_people (workspace_id, customer_id, internal_customer_id, email_addr) VALUES (?, ?, ?, ?)"
    archive.connection.execute(sql, (workspace, customer or f"c-{id_}", id_, email))
    if phone:
        columns = "workspace_id, internal_customer_id, attribute_name, attribute_value, timestamp"
        sql = f"INSERT INTO cio_attributes ({columns}) VALUES (?, ?, 'Mobile', ?, '2026-01-01T00:00:00.000Z')"
        archive.connection.execute(sql, (workspace, id_, phone))


def qlara(archive: Archive, id_: str, phone: str, email: str = "") -> None:
    archive.connection.execute("INSERT INTO qlara_contact (id, phone, email) VALUES (?, ?, ?)", (id_, phone, email))


def found(archive: Archive, *start: tuple[Identity, str]) -> Person:
    return person_of(archive, [{Identifier(*one) for one in start}])


def texts(person: Person) -> set[str]:
    return {one.value for one in person.identifiers}


@pytest.mark.parametrize("start", [(Identity.CONTACT, "1"), (Identity.CIO, "c1"), (Identity.QLARA, "q1")])
def test_from_any_vendor_to_all(archive: Archive, start: tuple[Identity, str]) -> None:
    contact(archive, 1, PHONE)
    contact(archive, 2, OTHER)
    cio(archive, "c1", "Bo@Club.example", "(212) 555-0173")
    qlara(archive, "q1", "12125550173")
    person = found(archive, start)
    assert texts(person) == {"1", PHONE, "c1", "c-c1", "bo@club.example", "q1"}
    assert not person.doubts
    assert {name: len(rows) for name, rows in person.rows.items()} == {
        "contact": 1,
        "cio_people": 1,
        "cio_attributes": 1,
        "qlara_contact": 1,
    }


def test_a_number_of_two_contacts_is_asked_about_and_owns_nothing(archive: Archive) -> None:
    contact(archive, 1, PHONE)
    contact(archive, 2, PHONE, "Al")
    archive.connection.execute("INSERT INTO qlara_message (id, destination) VALUES ('m', ?)", (PHONE,))
    person = found(archive, (Identity.CONTACT, "1"))
    assert texts(person) == {"1"} and set(person.rows) == {"contact"}
    (doubt,) = person.doubts
    assert [one.value for one in doubt.others] == ["2"] and doubt.because.value == PHONE
    both = found(archive, (Identity.CONTACT, "1"), (Identity.CONTACT, "2"))
    assert not both.doubts and len(both.rows["contact"]) == 2 and "qlara_message" in both.rows
    neither = found(archive, (Identity.PHONE, PHONE))
    assert not neither.rows and [one.value for one in neither.doubts[0].others] == ["1", "2"]


def test_a_switchboard_leads_nowhere(archive: Archive) -> None:
    for number in range(1, MOST_SHARING + 3):
        contact(archive, number, PHONE)
    (doubt,) = found(archive, (Identity.CONTACT, "1")).doubts
    assert doubt.others == () and doubt.count == MOST_SHARING + 1


def test_a_second_contact_by_way_of_another_vendor_is_asked_about(archive: Archive) -> None:
    contact(archive, 1, PHONE)
    contact(archive, 2, OTHER)
    cio(archive, "c1", "bo@club.example", PHONE)
    qlara(archive, "q1", OTHER, "bo@club.example")
    person = found(archive, (Identity.CONTACT, "1"))
    assert {"c1", "q1"} <= texts(person) and "2" not in texts(person) and OTHER not in texts(person)
    assert [one.value for doubt in person.doubts for one in doubt.others] == ["2"]


def test_a_number_that_was_given_to_somebody_else_is_not_followed_back(archive: Archive) -> None:
    contact(archive, 1, OTHER)
    contact(archive, 2, PHONE)
    archive.connection.execute(
        "INSERT INTO message (id, org_id, contact_id, contact_phone) VALUES (5, 1, 1, ?)", (PHONE,)
    )
    person = found(archive, (Identity.CONTACT, "2"))
    assert texts(person) == {"2"} and set(person.rows) == {"contact"}


def test_ids_of_two_workspaces_are_two_people(archive: Archive) -> None:
    cio(archive, "c1", "bo@club.example", customer="17")
    cio(archive, "c2", "al@club.example", customer="17", workspace=8)
    person = found(archive, (Identity.CIO, "c1"))
    assert texts(person) == {"c1", "bo@club.example"} and len(person.doubts) == 1


def test_rows_that_refer_to_theirs_are_theirs_unless_they_name_somebody(archive: Archive) -> None:
    execute = archive.connection.execute
    contact(archive, 1, PHONE)
    execute("INSERT INTO conversation (id, org_id, contact_id) VALUES (4, 1, 1)")
    execute("INSERT INTO message (id, org_id, conversation_id) VALUES (5, 1, 4)")
    execute("INSERT INTO message (id, org_id, conversation_id, contact_id) VALUES (6, 1, 4, 2)")
    execute("INSERT INTO upload (id, org_id, message_id) VALUES (7, 1, 5)")
    execute("INSERT INTO channel (id, org_id, incoming_call_audio_upload_id) VALUES (8, 1, 7)")
    person = found(archive, (Identity.CONTACT, "1"))
    assert {name: [*rows] for name, rows in person.rows.items()} == {
        "contact": [(1,)],
        "conversation": [(4,)],
        "message": [(5,)],
        "upload": [(7,)],
    }
    assert person.records == {("message", 5), ("conversation", 4), ("upload", 7)}


def test_what_people_type(archive: Archive) -> None:
    cio(archive, "c1", "bo@club.example", customer="17")
    assert start_of(archive, customer="17") == {Identifier(Identity.CUSTOMER, "17")}
    assert start_of(archive, customer="Bo@Club.example") == {Identifier(Identity.EMAIL, "bo@club.example")}
    assert start_of(archive, phone="212 555 0173") == {Identifier(Identity.PHONE, PHONE)}
    with pytest.raises(ConfigError, match="has its country in front"):
        start_of(archive, phone="0173")
    archive.connection.execute("INSERT INTO channel (id, org_id, channel_key) VALUES (1, 1, ?)", (PHONE,))
    with pytest.raises(ConfigError, match="a number of your own channels"):
        found(archive, (Identity.PHONE, PHONE))
