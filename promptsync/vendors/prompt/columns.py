"""The few kinds of column and table that Prompt's tables are made of.

Owns their shapes only: whose a table is and what fills it, a key, a fact of some group, the end of a link, what a
model says beyond its description.
"""

from dataclasses import replace
from functools import partial

from promptsync.model.table import Column, FilledBy, Identity, Kind, Table

exported_table = partial(Table, vendor="Prompt", filled_by=FilledBy.SNAPSHOT)
"""A table of the nightly data exports; deliveries may state its rows too."""
event_table = partial(Table, vendor="Prompt")
"""A table that deliveries alone fill."""
ORG_ID = Column("org_id", Kind.INTEGER, "Organization the row belongs to", references="org")


def key(name: str, about: str, references: str = "", kind: Kind = Kind.INTEGER) -> Column:
    """A column of the key."""
    return Column(name, kind, about, references=references)


def address(column: Column) -> Column:
    """The same column, in which a contact's number or account stands."""
    return replace(column, identifies=Identity.ADDRESS)


def text(column: Column) -> Column:
    """The same column, which says what nobody describes: people's numbers and addresses may stand in it."""
    return replace(column, identifies=Identity.TEXT)


def apart(column: Column) -> Column:
    """The same column, which refers to a person's row though the row it is in is nobody's."""
    return replace(column, apart=True)


def of_customer(column: Column, kind: str = "user_type") -> Column:
    """The same column, the id of a user, who is a contact where the column ``kind`` says so."""
    return replace(column, identifies=Identity.CONTACT, only_if=(kind, frozenset({"customer"})))


def fact(name: str, kind: Kind, about: str, group: str = "facts", references: str = "") -> Column:
    """A column that claims compete for, in its group."""
    return Column(name, kind, about, group, references)


def extra(model: str, group: str = "facts") -> Column:
    """What a vendor's model says in fields that its specification does not describe."""
    return Column("extra", Kind.JSON, f"Fields of {model} that the specification does not describe, by name", group)


def removed(list_name: str) -> Column:
    """When a link ended."""
    about = f"When a full list of {list_name} first lacked it; blank while it is on the list"
    return Column("removed_at", Kind.TIME, about)
