"""Whether a row, a delivery or a rejected row that is kept is about a person who has been found.

Owns that judgement for what is kept as it came: values as texts, some of them unreadable. Pure.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promptsync.events.mentions import Place, mentions
from promptsync.model import Column, Identity, Kind, Schema, Table
from promptsync.model.person import identifier, identifiers_in, mentioned
from promptsync.people.find import Person

_LONG = 7
_NUMBERS = re.compile(r"[0-9]+")
_CELLS = re.compile(r'[,;\t|"\r\n{}\[\]]+')


@dataclass
class Judge:
    """``person``: as found; what belongs to them by their rows is known from it."""

    person: Person
    schema: Schema
    _references: dict[str, list[tuple[Column, tuple[str, ...], set[tuple[Any, ...]]]]] = field(default_factory=dict)

    @cached_property
    def _ids(self) -> frozenset[str]:
        """Ids of what is theirs, as they stand in a body."""
        return frozenset(str(id_) for _, id_ in self.person.records)

    @cached_property
    def _spelled(self) -> tuple[list[re.Pattern[str]], list[str]]:
        """Their numbers, each in every spelling, and their other identifiers in small letters."""
        phones = [one.value[-7:] for one in self.person.identifiers if one.kind is Identity.PHONE]
        others = [one.value.lower() for one in self.person.identifiers if one.kind is not Identity.PHONE]
        return [re.compile(r"\D{0,3}".join(digits)) for digits in phones], others

    def _perhaps(self, body: str) -> bool:
        """Whether a body can be about them at all: most are not, and are not worth being parsed."""
        phones, others = self._spelled
        if "\\u" in body or any(phone.search(body) for phone in phones):
            return True
        small = body.lower()
        return any(one in small for one in others) or not self._ids.isdisjoint(_NUMBERS.findall(body))

    def delivery(self, body: str) -> set[Place] | None:
        """The items of a delivery that are about the person, none at all if it is not; None: all of it is."""
        if not self._perhaps(body):
            return set()
        read = read_body(body)
        if read is not None:
            return mentions(read).concerning(self.person.identifiers, self.person.records)
        return None if self.text(body) else set()

    def text(self, text: str) -> bool:
        """Whether a text mentions a number or an address of theirs."""
        return any(one in self.person.identifiers for one in mentioned(text))

    def row(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Whether a row of a file is theirs: by whom it names, by its key, or by the row that it refers to."""
        found = identifiers_in(table, row)
        ids = {one for one in found if one.kind.owns}
        if ids:
            return not ids.isdisjoint(self.person.identifiers)
        if not found.isdisjoint(self.person.identifiers):
            return True
        held = self.person.rows.get(table.name, {})
        if held and tuple(_read(table.by_name[name], row.get(name)) for name in table.key) in held:
            return True
        return any(
            tuple(_read(table.by_name[name], row.get(name)) for name in ours) in values
            for _, ours, values in self._referred(table)
        )

    def reject(self, reject: Mapping[str, Any]) -> bool:
        """Whether a rejected row, or what is said of a delivery, is about them. ``reject``: a row of sync_reject."""
        table = self.schema.shape(reject["table"] or "")
        original = (reject["original"] or b"").decode("utf-8", "replace")
        if self.text(original) or self.text(reject["reason"] or ""):
            return True
        if table is None:
            return False
        if not original:
            return self._named_in(table, reject["reason"] or "")
        said = read_body(original)
        if said is None:
            columns = [column.name for column in table.file_columns or table.columns]
            cells = [cell.strip() for cell in _CELLS.split(original)]
            said = dict(zip(columns, cells, strict=False))
        return self.row(table, said)

    def cell(self, value: str) -> bool:
        """Whether a cell of a file of which nothing more is known is a number or an address of theirs."""
        one = identifier(Identity.ADDRESS, value)
        return one in self.person.identifiers

    def _named_in(self, table: Table, reason: str) -> bool:
        """Of a delivery's key that belongs to another organization only a sentence is kept: ``contact 301 belongs``."""
        held = self.person.rows.get(table.name, {})
        stated = re.match(rf"{re.escape(table.name)} (\S+)", reason)
        return stated is not None and any(str(key[0]) == stated[1].rstrip(",") for key in held)

    def _referred(self, table: Table) -> list[tuple[Column, tuple[str, ...], set[tuple[Any, ...]]]]:
        if table.name not in self._references:
            found = self._references[table.name] = []
            for column in table.columns:
                target = self.schema.target(column)
                rows = self.person.rows.get(column.references, {})
                if target is None or column.apart or column.identity is not None or not rows:
                    continue
                ours = (*target.columns[:-1], column.name)
                if set(ours) <= table.by_name.keys():
                    values = {tuple(row[name] for name in target.columns) for row in rows.values()}
                    found.append((column, ours, values))
        return self._references[table.name]


def read_body(text: str) -> dict[str, Any] | None:
    """A JSON object; None if the text is none."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _read(column: Column, value: object) -> object:
    """A cell as the mirror has it, as far as keys go."""
    if isinstance(value, str) and column.kind in (Kind.INTEGER, Kind.BOOLEAN):
        return int(value) if re.fullmatch(r"-?[0-9]{1,18}", value.strip()) else value
    return value


def needles(person: Person, *, numbers: bool) -> re.Pattern[bytes]:
    """What to look for in bytes: every spelling of every identifier, and some that are none. ``numbers``: ids too that
    are short, or digits alone, and may stand in a text about anything; without them it is hardly ever another's."""
    found = []
    for kind, value in sorted(person.identifiers, key=lambda one: (one.kind.value, one.value)):
        escaped = re.escape(value.encode())
        if kind is Identity.PHONE:
            found.append(rb"\D{0,3}".join(re.escape(digit.encode()) for digit in value[-7:]))
        elif kind is Identity.EMAIL:
            found.append(rb"(?i:%b)" % escaped)
        elif numbers or (len(value) >= _LONG and not value.isdecimal()):
            found.append(rb"(?<![0-9A-Za-z])%b(?![0-9A-Za-z])" % escaped)
        elif kind is Identity.CONTACT:
            found.append(rb"(?<=contact )%b(?![0-9])" % escaped)
    return re.compile(rb"|".join(found) or rb"(?!)")
