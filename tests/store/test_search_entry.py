"""Full-text search lags behind the rows for a moment, and then says exactly what they say."""

import sqlite3
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.events.apply import EventApplier
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.search import SearchEntry
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS

WORDS = ("bus", "tuesday", "volunteers", "stop")
SAID = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(WORDS), st.booleans()), max_size=12)


def _found(connection: sqlite3.Connection, word: str) -> set[int]:
    sql = "SELECT rowid FROM message_fts WHERE message_fts MATCH ?"
    return {row[0] for row in connection.execute(sql, (word,))}


def _tell(mirror: Mirror, number: int, message: int, word: str) -> None:
    body = f'{{"orgId": 5, "message": {{"id": {message}, "createdTimestamp": {1_700_000_000_000 + number}, '
    body += f'"content": "{word}", "userType": "CUSTOMER", "userId": 3, "status": "RECEIVED"}}}}'
    delivery = Delivery("message/added", body, {}, 0)
    mirror.writer.run(lambda connection: insert_event(connection, delivery, 1_700_000_000_000_000 + number))


@settings(max_examples=25, deadline=None)
@given(said=SAID)
def test_what_is_searched_is_what_the_rows_say(said: list[tuple[int, str, bool]], tmp_path_factory: object) -> None:
    folder: Path = tmp_path_factory.mktemp("search")  # type: ignore[attr-defined]
    mirror = Mirror(folder / "mirror.db", declared_schema())
    search = SearchEntry(mirror)
    applier = EventApplier(mirror, HANDLERS, touched=search.claimed)
    try:
        for number, (message, word, enter) in enumerate(said, 1):
            _tell(mirror, number, message, word)
            mirror.writer.run(applier.apply_some)
            with mirror.reading() as connection:
                rows = dict(connection.execute("SELECT id, content FROM message").fetchall())
                # an entry may be missing, but none says what its row does not
                assert all(rows[id_] == one for one in WORDS for id_ in _found(connection, one))
            if enter:
                search.enter_claimed()
        search.enter_claimed()
        with mirror.reading() as connection:
            rows = dict(connection.execute("SELECT id, content FROM message").fetchall())
            assert {one: _found(connection, one) for one in WORDS} == {
                one: {id_ for id_, content in rows.items() if content == one} for one in WORDS
            }
        assert search.enter_missing("message") == 0
    finally:
        mirror.close()
