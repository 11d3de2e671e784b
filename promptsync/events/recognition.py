"""Whose is it: rows, claims, deliveries and bad rows that are about people on the list of the erased.

Whose a row or a delivery is has one rule, in model/person.py and events/mentions.py; here it is asked of the list
(store/forgotten.py), column by column first, so that few rows are looked at one by one. A row that only refers to a row
of the person (a status of one of their messages) is recognised by that row's key, as far as it is on the list. A bad
row is theirs if any of its cells names them. Pure; imported by suppression.py alone, once somebody is on the list.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptsync.events.bodies import parse_body
from promptsync.events.claims import Claims, RowClaim
from promptsync.events.mentions import Place, mentions, text_of, without
from promptsync.formats.rejects import BadRow
from promptsync.model import Identity, Schema, Table
from promptsync.model.delivery import Delivery
from promptsync.model.person import Identifier, identifier, identifiers_in, mentioned
from promptsync.model.table import IDENTIFIED_BY
from promptsync.store.erased import ADDRESS, ErasedList
from promptsync.store.forgotten import Forgotten, Places

KEPT_FIELDS: Final = ("orgId", "timestamp")
"""What is kept of a delivery that is about nobody else."""
_ADDRESSES = frozenset({Identity.PHONE, Identity.EMAIL, Identity.ACCOUNT, Identity.ADDRESS})
_MAY_NAME = "@|[0-9]{3}"  # of texts without either no number and no address can be read
_REMEMBERED = 20_000
_CELLS = re.compile(r'[,;\t|"]+')


@dataclass(frozen=True, slots=True)
class Watched:
    """The columns of a table that say whose a row is. ``links``: those that hold the key of a row of a table, its own
    key first, and that table's name."""

    table: Table
    links: tuple[tuple[str, str], ...]

    @property
    def names(self) -> frozenset[str]:
        """All columns that are read to decide."""
        identifying = self.table.identifying
        conditions = {column.only_if[0] for column in identifying if column.only_if is not None}
        return frozenset({column.name for column in identifying} | {name for name, _ in self.links} | conditions)

    def is_of(self, forgotten: Forgotten, row: Mapping[str, object]) -> bool:
        """Whether a row belongs to somebody on the list: by the ids of people in it, if there are any; else by its
        numbers and addresses, or by the row it refers to."""
        found = identifiers_in(self.table, row)
        if owners := [one for one in found if one.kind.owns]:
            return any(has(forgotten, one) for one in owners)
        if any(has(forgotten, one) for one in found):
            return True
        return any(row.get(name) is not None and forgotten.has(table, str(row[name])) for name, table in self.links)


def has(forgotten: Forgotten | ErasedList, one: Identifier) -> bool:
    """Whether an identifier is on the list."""
    return forgotten.has(one.kind.value, one.value)


def watched(schema: Schema) -> dict[str, Watched]:
    """What to look at in every table, by its name."""
    found = {}
    for table in schema:
        alone = len(table.key) == 1 + ("workspace_id" in table.key) and table.name not in IDENTIFIED_BY
        links = [(table.key[-1], table.name)] if alone else []
        links += [
            (column.name, column.references)
            for column in table.columns
            if column.references and column.references not in IDENTIFIED_BY and not column.apart
        ]
        found[table.name] = Watched(table, tuple(links))
    return found


class People:
    """The identifiers of the people on a list, as a container of them."""

    def __init__(self, forgotten: Forgotten) -> None:
        self._forgotten = forgotten

    def __contains__(self, one: object) -> bool:
        return isinstance(one, Identifier) and has(self._forgotten, one)


class Records:
    """The rows of the people on a list, (table, id) each, as a container of them."""

    def __init__(self, forgotten: Forgotten) -> None:
        self._forgotten = forgotten

    def __contains__(self, one: object) -> bool:
        return isinstance(one, tuple) and self._forgotten.has(str(one[0]), str(one[1]))


class Recogniser:
    """Tells what is about the people of a list."""

    def __init__(self, schema: Schema, people: ErasedList) -> None:
        self._forgotten = Forgotten(people)
        self._watched = watched(schema)
        self._tests: dict[Identity, Callable[[Any], bool]] = {}

    def rows(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of rows of a table, by the mirror's names of its columns, without those of erased people."""
        watched = self._watched[table]
        gone, doubtful = np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)
        for certain, places in self._named(watched, batch):
            (gone if certain else doubtful)[places] = True
        some = np.flatnonzero(doubtful & ~gone)
        if len(some):
            names = [name for name in batch.schema.names if name in watched.names]
            rows = batch.select(names).take(pa.array(some, pa.int64())).to_pylist()
            gone[[n for n, row in zip(some, rows, strict=True) if watched.is_of(self._forgotten, row)]] = True
        return batch.filter(pa.array(~gone)) if gone.any() else batch

    def naming(self, table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows in which any column may name somebody on the list, whoever's they are."""
        places = [found for _, found in self._named(self._watched[table], batch)]
        return batch.take(pa.array(np.unique(np.concatenate(places)) if places else [], pa.int64()))

    def _named(self, watched: Watched, batch: pa.RecordBatch) -> Iterator[tuple[bool, Places]]:
        """The rows in which a column names somebody on the list, column by column; whether they are that person's in
        any case."""
        forgotten, columns = self._forgotten, {name: batch.column(n) for n, name in enumerate(batch.schema.names)}
        for column in watched.table.identifying:
            cells, kind = columns.get(column.name), column.identity
            if cells is None or kind is None:
                continue
            if kind is Identity.TEXT:
                yield False, _texts(forgotten, cells)
            else:
                asked = ADDRESS if kind in _ADDRESSES else kind.value
                yield kind.owns and column.only_if is None, forgotten.among(asked, cells, self._test(kind))
        for name, table in watched.links:
            if name in columns and forgotten.knows(table):
                yield False, forgotten.among(table, columns[name], _record_test(forgotten, table))

    def _test(self, kind: Identity) -> Callable[[Any], bool]:
        """Whether a cell of a column of this kind names somebody on the list; the last answers are remembered."""
        if kind not in self._tests:

            def test(cell: object) -> bool:
                one = identifier(kind, cell)
                return one is not None and has(self._forgotten, one)

            self._tests[kind] = lru_cache(_REMEMBERED)(test)
        return self._tests[kind]

    def bad_rows(self, table: str, rows: Sequence[BadRow]) -> list[BadRow]:
        """Those rows of a file that cannot be read, without any that names an erased person in whichever cell."""
        watched = self._watched[table]
        return [row for row in rows if not self._is_named(watched, row)]

    def _is_named(self, watched: Watched, row: BadRow) -> bool:
        forgotten, text = self._forgotten, row.original.decode("utf-8", "replace")
        if row.key and watched.is_of(forgotten, dict(zip(watched.table.key, row.key, strict=False))):
            return True
        if any(has(forgotten, one) for one in mentioned(text)):
            return True
        if (said := _object(text)) is not None:
            return watched.is_of(forgotten, said)
        kinds = {column.identity for column in watched.table.identifying if column.identity is not None}
        for cell in _CELLS.split(text):
            if any(has(forgotten, one) for kind in kinds if (one := identifier(kind, cell)) is not None):
                return True
        return False

    def claims(self, claims: Claims) -> Claims:
        """What a delivery or a plugin's row claims, without what is about erased people."""
        forgotten = self._forgotten
        rows = [row for row in claims.rows if not self._watched[row.table].is_of(forgotten, self._said(row))]
        mentions = [one for one in claims.mentions if not self._is_key(*one)]
        happened = []
        for table, cells in claims.happened:
            of = self._watched[table]
            said = {column.name: cell for column, cell in zip(of.table.columns, cells, strict=True)}
            if not of.is_of(forgotten, said):
                happened.append((table, cells))
        lists = [one for one in claims.full_lists if not self._is_key("contact", (one[0],))]
        return replace(claims, rows=rows, mentions=mentions, happened=happened, full_lists=lists)

    def _said(self, claim: RowClaim) -> dict[str, object]:
        table = self._watched[claim.table].table
        said: dict[str, object] = dict(zip(table.key, claim.key, strict=True))
        for group, (_, values) in claim.groups.items():
            said |= zip((column.name for column in table.groups[group]), values, strict=True)
        return said

    def _is_key(self, table: str, key: Sequence[object]) -> bool:
        """Whether a mentioned row is an erased person's."""
        watched = self._watched[table]
        return watched.is_of(self._forgotten, dict(zip(watched.table.key, key, strict=True)))

    def delivery(self, delivery: Delivery) -> Delivery:
        """A delivery as it may be stored: without the items that are about erased people; of one that is about nobody
        else only ``KEPT_FIELDS``, and ``suppressed``."""
        return self.cut(delivery)[0]

    def cut(self, delivery: Delivery) -> tuple[Delivery, frozenset[Place]]:
        """The same, and the items that were taken out of it."""
        people, records = People(self._forgotten), Records(self._forgotten)
        try:
            body = parse_body(delivery.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):  # nothing is read of it, but it would be kept as it is
            named = any(one in people for one in mentioned(delivery.body))
            return (replace(delivery, body="", cut=True, suppressed=True) if named else delivery), frozenset()
        places = mentions(body).concerning(people, records)
        if places is None:
            return replace(delivery, body=text_of(envelope(body)), cut=True, suppressed=True), frozenset()
        if not places:
            return delivery, frozenset()
        return replace(delivery, body=text_of(without(body, places)), cut=True), frozenset(places)


def envelope(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the body of a delivery that is about nobody else."""
    return {name: body[name] for name in KEPT_FIELDS if isinstance(body.get(name), int | float)}


def _record_test(forgotten: Forgotten, table: str) -> Callable[[Any], bool]:
    return lambda cell: forgotten.has(table, str(cell))


def _texts(forgotten: Forgotten, cells: "pa.Array[Any]") -> Places:
    """The places of texts in which somebody's number or address stands."""
    if not forgotten.knows(ADDRESS):
        return np.zeros(0, np.int64)
    may: Places = np.flatnonzero(np.array(pc.match_substring_regex(cells, _MAY_NAME).fill_null(False)))
    named = [
        any(has(forgotten, one) for one in mentioned(str(cell)))
        for cell in cells.take(pa.array(may, pa.int64())).to_pylist()
    ]
    found: Places = may[np.array(named, bool)]
    return found


def _object(text: str) -> dict[str, Any] | None:
    """A row of a parquet file or of an API, as it is kept if it cannot be read; None of a line of a CSV file."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
