"""What people call tables and columns: the words that are declared, and the rule for a name that needs none.

Owns how a name becomes words and how a vendor's words are given to its tables. Knows no vendor's words.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from promptsync.model.table import Table

_ENDS = re.compile(r"_(timestamp|at)$")
_BEGINS = re.compile(r"^(is|has|num)_")
_CAPITALS = {"id": "ID", "url": "URL", "ids": "IDs", "sms": "SMS", "mms": "MMS", "sha256": "SHA-256"}


def plain(name: str) -> str:
    """A name as words.

    >>> plain("created_timestamp"), plain("is_mms"), plain("customer_url"), plain("_x_")
    ('Created', 'MMS', 'Customer URL', 'X')
    """
    words = _BEGINS.sub("", _ENDS.sub("", name)).replace("_", " ").split()
    text = " ".join(_CAPITALS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def worded(tables: Iterable[Table], titles: Mapping[str, str], labels: Mapping[str, str]) -> tuple[Table, ...]:
    """The same tables with a title, and with a label for every column. ``labels``: by ``table.column`` or by column."""

    def label(table: Table, column: str) -> str:
        return labels.get(f"{table.name}.{column}") or labels.get(column) or plain(column)

    return tuple(
        replace(
            table,
            title=titles[table.name],
            columns=tuple(replace(column, label=label(table, column.name)) for column in table.columns),
            views=tuple(replace(view, title=titles[view.name]) for view in table.views),
        )
        for table in tables
    )
