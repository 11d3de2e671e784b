"""The simulated Qlara account: what its exports say is what the organisation did; and wrong mirrors are noticed."""

import csv
import io
import sqlite3
from collections.abc import Iterator

import pytest

from promptsync.clock import iso_millis
from promptsync.demo.customerio.files import Syncs
from promptsync.demo.qlara.account import CONTACTS, KINDS, MESSAGES, REPORTS, Asked, QlaraAccount, stretches
from promptsync.demo.truth.compare import TableResult, Truth, compare
from promptsync.demo.truth.customerio import change_sets
from promptsync.demo.world.world import DAY, World
from promptsync.vendors import declared_schema

Mirror = tuple[Truth, sqlite3.Connection]


@pytest.fixture(scope="module")
def account(busy: World) -> QlaraAccount:
    return QlaraAccount(busy, list(stretches(busy.start, busy.end, ((21, 2), (5, 0)))))


def exported(account: QlaraAccount, asked: Asked) -> list[dict[str, str]]:
    request = {"startDateTime": iso_millis(asked.begin), "endDateTime": iso_millis(asked.end)} if asked.end else {}
    text = account.csv_text(asked.kind, request)
    return list(csv.DictReader(io.StringIO(text), delimiter=";" if asked.kind == REPORTS else ","))


def test_all_three_kinds_are_asked_for_and_overlap(account: QlaraAccount) -> None:
    assert {asked.kind for asked in account.asked} == set(KINDS)
    reports = sorted((asked.begin, asked.end) for asked in account.asked if asked.kind == REPORTS)
    assert reports[0][1] > reports[1][0]
    assert all(rows for rows in account.truth().values())


def test_exports_are_about_the_simulated_messages(account: QlaraAccount, busy: World) -> None:
    asked = next(one for one in account.asked if one.kind == MESSAGES)
    texts = {f"q-{m.id}": (m.content or "", m.conversation.contact.phone) for m in busy.log.messages}
    rows = exported(account, asked)
    assert rows
    for row in rows:
        assert texts[row["messageId"]] == (row["body"], row["destination"])
        assert iso_millis(asked.begin) <= row["sendDate"] <= iso_millis(asked.end)
    assert {"0,0075"} <= {row["Price"] for row in exported(account, account.asked[1])}
    phones = {contact.phone: contact.opted_out.at(busy.end) for contact in busy.log.contacts}
    for row in exported(account, Asked(CONTACTS)):
        assert (row["status"] == "UNSUBSCRIBED") is phones[row["phoneNumber"]]


def test_the_later_stretch_has_the_last_word(busy: World) -> None:
    late = next(
        m
        for m in busy.log.messages[::-1]
        if m.ending and m.ending.status == "DELIVERED" and m.conversation.contact.id % 4 == 1 and m.broadcast
    )
    assert late.ending is not None
    before = Asked(REPORTS, late.at - DAY, late.ending.at - 1000)
    after = Asked(REPORTS, late.at - DAY, late.ending.at)
    for asked in ([before, after], [after, before]):
        row = QlaraAccount(busy, asked).truth()["qlara_delivery_report"][f"r-{late.id}",]
        assert (row["status"], row["delivered_at"]) == ("DELIVERED", iso_millis(late.ending.at))
    assert QlaraAccount(busy, [before]).truth()["qlara_delivery_report"][f"r-{late.id}",]["status"] != "DELIVERED"


# -- comparison: a mirror as it must be, and every way to spoil it -----------------------------------------------------


@pytest.fixture
def mirror(busy: World, account: QlaraAccount) -> Iterator[Mirror]:
    syncs = Syncs(busy)
    syncs.days(busy.present - 4 * DAY, busy.present)
    expected = Truth({}, {}).beside(*change_sets(syncs.made)).beside(account.truth(), {})
    connection = sqlite3.connect(":memory:")
    for name, rows in expected.rows.items():
        columns = ", ".join(f'"{column}"' for column in next(iter(rows.values())))
        key = expected.keys.get(name) or declared_schema()[name].key
        primary = "" if name.endswith(("_current", "_gone")) else f", PRIMARY KEY ({', '.join(key)})"
        connection.execute(f'CREATE TABLE "{name}" ({columns}{primary})')
        marks = ", ".join("?" * len(next(iter(rows.values()))))
        connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', [tuple(row.values()) for row in rows.values()])
    yield expected, connection
    connection.close()


def test_a_true_mirror_is_equal(mirror: Mirror) -> None:
    results = compare(*mirror)
    assert all(result.equal and result.expected == result.found > 0 for result in results)
    declared = {table.name for table in declared_schema() if table.name.startswith(("cio_", "qlara_"))}
    views = {view.name for view in declared_schema().views if view.name.startswith("cio_")}
    assert {result.table for result in results} == declared | views


def test_a_wrong_missing_or_extra_row_is_noticed_in_every_table(mirror: Mirror) -> None:
    expected, connection = mirror

    def spoiled(table: str, sql: str) -> TableResult:
        connection.execute("SAVEPOINT whole")
        connection.execute(sql)
        (found,) = compare(Truth({table: expected.rows[table]}, {}, expected.keys), connection)
        connection.execute("ROLLBACK TO whole")
        return found

    for table, rows in expected.rows.items():
        key = expected.keys.get(table) or declared_schema()[table].key
        column = next(name for name in next(iter(rows.values())) if name not in key)
        one = f'WHERE rowid = (SELECT min(rowid) FROM "{table}")'
        wrong = spoiled(table, f'UPDATE "{table}" SET "{column}" = \'wrong\' {one}')
        assert [(cell.column, cell.found) for cell in wrong.different] == [(column, "wrong")]
        assert len(spoiled(table, f'DELETE FROM "{table}" {one}').missing) == 1
        assert len(spoiled(table, f"INSERT INTO \"{table}\" ({key[-1]}) VALUES ('more')").extra) == 1
