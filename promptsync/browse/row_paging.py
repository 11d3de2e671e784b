"""Datasette's statements for the pages of a sorted table, turned into ones that an index answers.

Owns the text alone. Datasette 0.65 asks for the rows after a place by ``a < :p or a is null or (a = :p and id > :q)``,
for which SQLite reads every row of the table, and breaks ties upwards even where the sort goes down. Here a page is a
comparison of rows, ``(a, id) < (:p, :q)``, ties go the way of the sort, as in the index, and rows without a value have
statements of their own, after or before the others, as Datasette orders them.
"""

import re
from collections.abc import Sequence
from typing import Final

from datasette.utils import compound_keys_after_sql, escape_sqlite  # type: ignore[import-untyped]

_COLUMN: Final = r'(?:\w+|\[[^\]]+\]|"(?:[^"]|"")+")'
_ORDER: Final = re.compile(rf"order by (?P<by>{_COLUMN})(?P<down> desc)?(?P<ties>, .*?)? limit (?P<size>[0-9]+)$", re.S)
_MOST_PARAMETERS: Final = 100  # of filters before it


def pages(sql: str, keys: Sequence[str]) -> tuple[list[str], int]:
    """The statements whose rows, one after the other, are the page's, and how many rows it wants. ``keys``: of the
    table. What is no page of a sorted table stays as it is, and 0 is wanted."""
    found = _ORDER.search(sql)
    plain = ", ".join(map(escape_sqlite, keys))
    if not found or not keys or found["ties"] not in (None, f", {plain}"):
        return [sql], 0
    by, down = found["by"], found["down"] or ""
    ties = ", ".join(f"{escape_sqlite(key)}{down}" for key in keys if escape_sqlite(key) != by)
    ordered = f"order by {by}{down}{f', {ties}' if ties else ''} limit {found['size']}"
    head, size = sql[: found.start()], int(found["size"])
    start = next((n for n in range(_MOST_PARAMETERS) if compound_keys_after_sql(list(keys), n) in head), None)
    if start is None:
        return [head + ordered], size
    after = compound_keys_after_sql(list(keys), start)
    way = "<" if down else ">"
    own = ", ".join(f":p{start + n}" for n in range(len(keys)))
    value = f":p{start + len(keys)}"
    beyond = f"({plain}) {way} ({own})"
    without = f"order by {ties or by} limit {found['size']}"
    valued = f"({by} {way} {value}{f' or {by} is null' if down else ''} or ({by} = {value} and {after}))"
    if valued in head:
        made = [head.replace(valued, f"({by}, {plain}) {way} ({value}, {own})") + ordered]
        return made + ([head.replace(valued, f"{by} is null") + without] if down else []), size
    empty = f"({by} is null and {after})"
    if (before := f"({by} is not null or {empty})") in head:
        return [
            head.replace(before, f"({by} is null and {beyond})") + without,
            head.replace(before, f"{by} is not null") + ordered,
        ], size
    return [head.replace(empty, f"({by} is null and {beyond})") + without], size
