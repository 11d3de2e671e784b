"""The indexes that pages read are used by the queries they are made for, and hold all that these read."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema


@pytest.fixture
def connection(empty: Path, tmp_path: Path) -> Iterator[Connection]:
    mirror = Mirror(Path(shutil.copy(empty, tmp_path)), declared_schema())
    with mirror.reading() as connection:
        yield connection
    mirror.close()


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        (
            "SELECT created_timestamp, contact_id FROM message WHERE is_outgoing = 0 ORDER BY created_timestamp DESC",
            "SCAN message USING COVERING INDEX message_inbound",
        ),
        (
            "SELECT count(*) FROM message WHERE is_successful = 0 AND created_timestamp >= ? AND error_code = '1'",
            "SEARCH message USING COVERING INDEX message_failed (created_timestamp>?)",
        ),
        (
            "SELECT sum(is_successful = 1), count(error_code) FROM message WHERE broadcast_id = ? AND is_outgoing = 1",
            "SEARCH message USING COVERING INDEX message_broadcast (broadcast_id=? AND is_outgoing=?)",
        ),
        (
            "SELECT contact_id, min(created_timestamp) FROM message WHERE broadcast_id = ? AND is_outgoing = 0 "
            "GROUP BY contact_id",
            "SEARCH message USING COVERING INDEX message_reply (broadcast_id=? AND is_outgoing=?)",
        ),
        (
            "SELECT DISTINCT contact_id FROM message WHERE broadcast_id = ? AND is_outgoing = 1 AND is_successful = 1 "
            "AND contact_id > ? ORDER BY contact_id LIMIT 50",
            "SEARCH message USING COVERING INDEX message_broadcast "
            "(broadcast_id=? AND is_outgoing=? AND is_successful=? AND contact_id>?)",
        ),
        (
            "SELECT count(contact_id) FROM message WHERE team_member_id = ? AND is_outgoing = 1 "
            "AND broadcast_id IS NULL AND is_whisper IS NOT 1",
            "SEARCH message USING COVERING INDEX message_answered (team_member_id=?)",
        ),
        (
            "SELECT id FROM contact WHERE substr(phone, -4) = ?",
            "SEARCH contact USING INDEX contact_phone_end (<expr>=?)",
        ),
    ],
)
def test_a_query_reads_its_index_alone(connection: Connection, query: str, plan: str) -> None:
    found = connection.execute(f"EXPLAIN QUERY PLAN {query}", ("1",) * query.count("?")).fetchall()
    assert [detail for *_, detail in found] == [plan]
