"""Lists of people: by tag, list, name or number, by what they did in a time, in three orders.

Owns what is asked for (``Wanted``) and how that becomes a statement that an index answers. The planner has no
statistics, so a set of people found by an index is read first, and sorted after (``+``).
"""

import re
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from promptsync.browse import phones
from promptsync.browse.paging import Position
from promptsync.browse.queries.consent import opted_out
from promptsync.browse.queries.reader import BOUND, LAST, OUT, Reader, Row, of_org
from promptsync.browse.queries.team import ANSWER

FIELDS: Final = 60
CHIPS: Final = 40
ACTIVE_HELD: Final = 600
"""For how many seconds at most it is not counted again who wrote most."""

_MATCHES: Final = 5_000
_CHUNK: Final = 200
_HELD: Final = 60
_WORDS: Final = 8

_TAGGED: Final = (
    "SELECT contact_id FROM contact_tag WHERE name = :tag AND deleted_timestamp IS NULL AND _absent_since IS NULL"
)
_LISTED: Final = (
    "SELECT m.contact_id FROM contact_list l JOIN contact_list_member m ON m.contact_list_id = l.id "
    "WHERE l.name = :list AND m.removed_at IS NULL"
)
_WROTE: Final = (
    "SELECT contact_id FROM message WHERE is_outgoing = 0 "
    "AND created_timestamp >= :since AND created_timestamp < :until"
)
_HELPED: Final = (
    f"SELECT m.contact_id FROM message m WHERE {ANSWER} AND m.team_member_id IS nullif(:helped, 0) "
    "AND m.created_timestamp >= :since AND m.created_timestamp < :until"
)
_NAMED: Final = "SELECT rowid FROM contact_fts WHERE contact_fts MATCH :match LIMIT :matches"
_OUT_NOW: Final = (
    "SELECT id FROM contact WHERE is_opted_out = 1 UNION SELECT contact_id FROM channel_opt_out WHERE opted_out = 1"
)
_NOBODY: Final = "SELECT NULL WHERE FALSE"
_NUMBERED: Final = "SELECT id FROM contact WHERE substr(phone, -4) = :end AND phone LIKE :digits"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people. Blank and None ask for nothing. ``out``: "" leaves opted-out people out, ``include``, ``only``.

    ``sort``: name, new (newest first) or active (most messages since ``active_since``, first). ``wrote``: who wrote
    from ``since`` to before ``until``; with ``out`` only, those who opted out then. ``helped``: whom that member of the
    team answered then; 0: whom nobody of the staff did, but something automatic.
    """

    tag: str = ""
    list: str = ""
    q: str = ""
    out: str = ""
    sort: str = "name"
    active_since: str = ""
    wrote: bool = False
    helped: int | None = None
    since: str = ""
    until: str = LAST
    org: int | None = None
    few_out: bool = False  # found out here: those who have opted out are looked up, not met on the way


def match(text: str) -> str:
    """An FTS5 query of the words of a text, the last as a beginning; "" if it has none."""
    words = re.findall(r"\w+", text.casefold())[:_WORDS]
    return " ".join([*(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"*']) if words else ""


def page_of(reader: Reader, wanted: Wanted, place: Position | None, size: int) -> list[Row]:
    """``id``, ``name``, ``phone``, ``out``, ``gone``, ``place`` of one more than ``size`` people after a position."""
    wanted = _looked_at(reader, wanted)
    if wanted.sort == "active":
        return _active(reader, wanted, place, size)
    if wanted.sort == "new":
        key = place[1] if place else (1 << 63) - 1
        return _read(reader, wanted, "p.id < :key ORDER BY p.id DESC", key=key, size=size, place="''")
    if place and not place[0]:
        return _unnamed(reader, wanted, place[1], size)
    plus = "+" if _sets(wanted) else ""
    values = {"name": place[0][1:] if place else "", "key": place[1] if place else -1}
    after = f"({plus}p.display_name, p.id) > (:name, :key) ORDER BY {plus}p.display_name, p.id"
    found = _read(reader, wanted, after, size=size, place="'=' || p.display_name", **values)
    return found if len(found) > size else found + _unnamed(reader, wanted, -1, size - len(found))


def count_of(reader: Reader, wanted: Wanted) -> int:
    """How many, to a bound. Of a large set it may be the number of a minute ago."""
    wanted = _looked_at(reader, wanted)
    if replace(wanted, sort="name", active_since="", few_out=False) == Wanted(out="only", org=wanted.org):
        return _count_out(reader, wanted.org)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM contact p WHERE {_conditions(wanted)} LIMIT {BOUND})"
    found: int = reader.held(_HELD, ("people", wanted), lambda: reader.value(sql, **_values(wanted)))
    return found


def _looked_at(reader: Reader, wanted: Wanted) -> Wanted:
    """The same, and whether few have opted out, if only they are asked for."""
    if wanted.out != "only" or wanted.since:
        return wanted
    return replace(wanted, few_out=_count_out(reader, wanted.org) < BOUND)


def _count_out(reader: Reader, org: int | None) -> int:
    """How many have opted out, to a bound."""
    ways = (
        f"SELECT 1 FROM contact WHERE is_opted_out = 1{of_org(org, '+')}",
        "SELECT DISTINCT contact_id FROM channel_opt_out c WHERE opted_out = 1 AND EXISTS (SELECT 1 FROM contact p "
        f"WHERE p.id = c.contact_id AND p.is_opted_out IS NOT 1{of_org(org, 'p.')})",
    )
    counts = [reader.value(f"SELECT count(*) FROM ({sql} LIMIT :n)", n=BOUND, org=org) for sql in ways]
    return min(int(sum(counts)), BOUND)


def tags_of(reader: Reader, ids: list[int]) -> dict[int, list[str]]:
    """The tags that people have now, by person."""
    return _grouped(
        reader,
        "SELECT DISTINCT contact_id, name FROM contact_tag WHERE contact_id IN ({ids}) "
        "AND deleted_timestamp IS NULL AND _absent_since IS NULL AND name IS NOT NULL ORDER BY name",
        ids,
    )


def lists_of(reader: Reader, ids: list[int]) -> dict[int, list[str]]:
    """The lists that people are on now, by person."""
    return _grouped(
        reader,
        "SELECT m.contact_id, l.name FROM contact_list_member m JOIN contact_list l ON l.id = m.contact_list_id "
        "WHERE m.contact_id IN ({ids}) AND m.removed_at IS NULL AND l.name IS NOT NULL ORDER BY l.name",
        ids,
    )


def fields_of(reader: Reader, ids: list[int]) -> dict[int, dict[str, str]]:
    """The organization's own fields of people, by person and key."""
    rows = reader.among(
        "SELECT contact_id, key, value FROM contact_data WHERE contact_id IN ({ids}) "
        "AND managed = 0 AND deleted = 0 AND _absent_since IS NULL ORDER BY updated_timestamp",
        ids,
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["contact_id"], {})[row["key"]] = row["value"]
    return found


def last_message(reader: Reader, ids: list[int], *, inbound: bool = False) -> dict[int, str]:
    """When people last wrote or were written to; ``inbound``: when they last wrote."""
    condition = " AND is_outgoing = 0" if inbound else ""
    sql = (
        "SELECT p.id, (SELECT created_timestamp FROM message WHERE contact_id = p.id AND created_timestamp IS NOT NULL"
        f"{condition} ORDER BY created_timestamp DESC LIMIT 1) AS at FROM contact p WHERE p.id IN ({{ids}})"
    )
    return {row["id"]: row["at"] for row in reader.among(sql, ids) if row["at"]}


def field_names(reader: Reader) -> list[str]:
    """The names of the organization's own fields, at most ``FIELDS``."""
    used = "SELECT 1 FROM contact_data d WHERE d.key = k.name AND d.managed = 0 AND d.deleted = 0"
    rows = reader.rows(f"{_distinct('contact_data', 'key')} AND EXISTS ({used}) LIMIT :n", n=FIELDS)
    return [row["name"] for row in rows]


def tag_names(reader: Reader) -> list[str]:
    """The tags that somebody has or had, at most ``CHIPS``."""
    return [row["name"] for row in reader.rows(f"{_distinct('contact_tag', 'name')} LIMIT :n", n=CHIPS)]


def list_names(reader: Reader) -> list[str]:
    """The contact lists, at most ``CHIPS``."""
    sql = "SELECT DISTINCT name FROM contact_list WHERE trim(name) <> '' ORDER BY name LIMIT :n"
    return [row["name"] for row in reader.rows(sql, n=CHIPS)]


def _distinct(table: str, column: str) -> str:
    """The different values of an indexed column, one look-up each."""
    least = f"SELECT min({column}) FROM {table}"
    return (
        f"WITH RECURSIVE k(name) AS ({least} UNION ALL SELECT ({least} WHERE {column} > k.name) FROM k "
        "WHERE k.name IS NOT NULL) SELECT name FROM k WHERE trim(name) <> ''"
    )


def _grouped(reader: Reader, sql: str, ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in reader.among(sql, ids):
        found.setdefault(row["contact_id"], []).append(row["name"])
    return found


def _unnamed(reader: Reader, wanted: Wanted, key: int, size: int) -> list[Row]:
    """Those without a name, who come last."""
    return _read(reader, wanted, "p.display_name IS NULL AND p.id > :key ORDER BY p.id", key=key, size=size, place="''")


def _active(reader: Reader, wanted: Wanted, place: Position | None, size: int) -> list[Row]:
    """By the number of messages they wrote; ``n``."""
    most, key = (int(place[0]) if place and place[0].isdigit() else 1 << 62), place[1] if place else -1
    values = _values(wanted)
    asked = ("active", replace(wanted, org=None))
    people, written = reader.held(_HELD, asked, lambda: _writers_among(reader, wanted))
    first = bisect_right(range(len(people)), (-most, key), key=lambda i: (-written[i], people[i]))
    among = iter(range(first, len(people)))
    sql = (
        f"SELECT p.id, p.display_name AS name, p.phone, {OUT} AS out, p._absent_since AS gone FROM contact p "
        f"WHERE p.id IN ({{ids}}) AND {_conditions(wanted, sets=False)}"
    )
    found: list[Row] = []
    while len(found) <= size and (part := [*islice(among, _CHUNK)]):
        shown = {row["id"]: row for row in reader.among(sql, [people[i] for i in part], **values)}
        found += [shown[people[i]] | {"n": written[i], "place": written[i]} for i in part if people[i] in shown]
    return found[: size + 1]


def _writers_among(reader: Reader, wanted: Wanted) -> tuple[Sequence[int], Sequence[int]]:
    """The same of those who are asked for."""
    asked = ("writers", wanted.active_since)
    people, written = reader.held(ACTIVE_HELD, asked, lambda: _writers(reader, wanted.active_since))
    for sql in _sets(wanted):
        own = {*reader.columns(("id",), f"FROM (WITH s(id) AS ({sql}) SELECT id FROM s)", **_values(wanted))[0]}
        kept = [i for i, person in enumerate(people) if person in own]
        people, written = array("q", [people[i] for i in kept]), array("q", [written[i] for i in kept])
    return people, written


def _writers(reader: Reader, since: str) -> tuple[Sequence[int], Sequence[int]]:
    """Everyone who has written since then and how many messages, most first."""
    wrote = "FROM message WHERE is_outgoing = 0 AND created_timestamp >= :since AND contact_id IS NOT NULL"
    counts = Counter(reader.columns(("contact_id",), wrote, since=since)[0])
    people = sorted(counts)
    people.sort(key=counts.__getitem__, reverse=True)  # as it is stable, the smaller id first
    return array("q", people), array("q", map(counts.__getitem__, people))


def _read(reader: Reader, wanted: Wanted, rest: str, place: str, size: int, **values: Any) -> list[Row]:
    """The keys first, as only these are sorted; what is shown of a person for one page alone."""
    keys = f"SELECT p.id, {place} AS place FROM contact p WHERE {_conditions(wanted)} AND {rest} LIMIT :size"
    found = reader.rows(keys, **_values(wanted), **values, size=size + 1)
    sql = (
        f"SELECT p.id, p.display_name AS name, p.phone, {OUT} AS out, p._absent_since AS gone "
        "FROM contact p WHERE p.id IN ({ids})"
    )
    shown = {row["id"]: row for row in reader.among(sql, [row["id"] for row in found])}
    return [shown[row["id"]] | row for row in found]


def _sets(wanted: Wanted) -> list[str]:
    """The queries of contacts that somebody must be among."""
    found = [(_TAGGED, wanted.tag), (_LISTED, wanted.list), (_WROTE, wanted.wrote)]
    found.append((_HELPED, wanted.helped is not None))
    if wanted.q:
        found.append((_NUMBERED if phones.digits_of(wanted.q) else _NAMED if match(wanted.q) else _NOBODY, True))
    if wanted.out == "only" and wanted.since:
        found.append((f"SELECT contact_id FROM ({opted_out(wanted.org)})", True))
    elif wanted.out == "only" and (wanted.few_out or wanted.sort == "active"):
        found.append((_OUT_NOW, True))
    return [sql for sql, asked in found if asked]


def _conditions(wanted: Wanted, *, sets: bool = True) -> str:
    conditions = [f"p.id IN ({sql})" for sql in _sets(wanted)] if sets else []
    if not wanted.out:
        conditions.append(f"({OUT}) IS NOT 1")
    elif wanted.out == "only" and not wanted.since:
        conditions.append(f"({OUT}) = 1")
    return (" AND ".join(conditions) or "TRUE") + of_org(wanted.org, "p.")


def _values(wanted: Wanted) -> dict[str, Any]:
    digits = phones.digits_of(wanted.q)
    return {
        "tag": wanted.tag,
        "list": wanted.list,
        "match": match(wanted.q),
        "matches": _MATCHES,
        "end": digits[-4:],
        "digits": "%" + digits.lstrip("0"),
        "since": wanted.since,
        "until": wanted.until,
        "helped": wanted.helped,
        "active_since": wanted.active_since,
        "org": wanted.org,
    }
