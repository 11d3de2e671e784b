"""Every table and column of every vendor has a name that people would use."""

import re

import pytest

from promptsync.model import Role, Schema, Table, bookkeeping
from promptsync.model.plain_words import plain
from promptsync.vendors import BUILT_IN, declared_schema

SCHEMA: Schema = declared_schema()
_NO_WORDS = re.compile(r"_|\b(num|uas|sid|addr|seq|otp|mfa|[aA]pi|org)\b|timestamp|\bcontacts?\b", re.IGNORECASE)


@pytest.mark.parametrize("table", SCHEMA, ids=lambda table: table.name)
def test_titles_and_headings_are_plain_words(table: Table) -> None:
    wrong = [column.label for column in table.columns if not column.label or _jargon(column.label)]
    assert not wrong and table.title and not _jargon(table.title)
    assert all(view.title and not _jargon(view.title) for view in table.views)


def _jargon(text: str) -> bool:
    return bool(_NO_WORDS.search(text.replace("API", ""))) or text != text[:1].upper() + text[1:]


@pytest.mark.parametrize("table", SCHEMA, ids=lambda table: table.name)
def test_no_table_has_two_columns_of_one_heading(table: Table) -> None:
    labels = [column.label for column in table.columns]
    assert sorted(labels) == sorted(set(labels))


def test_titles_tell_tables_apart() -> None:
    titles = [one.title for one in (*SCHEMA, *SCHEMA.views)]
    assert sorted(titles) == sorted(set(titles))


def test_no_word_is_given_to_what_is_not_there() -> None:
    """A label of a column that is gone, or that its name would make anyway."""
    for vendor in BUILT_IN:
        words = __import__(f"{vendor.__module__.rpartition('.')[0]}.words", fromlist=["LABELS"])
        columns = {
            name for table in vendor.TABLES for c in table.columns for name in (c.name, f"{table.name}.{c.name}")
        }
        assert words.LABELS.keys() <= columns
        assert words.TITLES.keys() == {one.name for t in vendor.TABLES for one in (t, *t.views)}
        assert not [name for name, label in words.LABELS.items() if plain(name) == label]
    assert all(table.role is Role.OWN for table in bookkeeping.TABLES)
