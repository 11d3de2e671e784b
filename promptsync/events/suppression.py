"""The door through which everything comes in that could bring an erased person back.

Owns when anything has to be looked at: nothing while nobody is on the list. Who is recognised, and by what, is in
recognition.py. What is left out is only counted; who asks says it of its file or delivery.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from promptsync.events.claims import Claims
from promptsync.model import Schema
from promptsync.model.delivery import Delivery
from promptsync.store.erased import ErasedList

if TYPE_CHECKING:
    import pyarrow as pa

    from promptsync.events.mentions import Place
    from promptsync.events.recognition import Recogniser
    from promptsync.formats.rejects import BadRow


class HasList(Protocol):
    """A mirror, or whatever else has a list of erased people."""

    @property
    def schema(self) -> Schema:
        """The tables of which rows may be about them."""

    @property
    def forgotten(self) -> ErasedList:
        """The list as it is now."""


class Suppression:
    """Leaves out of what comes into a mirror what is about erased people."""

    def __init__(self, mirror: HasList) -> None:
        self._mirror = mirror

    @property
    def schema(self) -> Schema:
        """The tables of which rows may be about them."""
        return self._mirror.schema

    def rows(self, table: str, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        """A batch of rows of a table, by the mirror's names of its columns, without those of erased people."""
        found = self._recogniser()
        return found.rows(table, batch) if found and batch.num_rows else batch

    def bad_rows(self, table: str, rows: Sequence["BadRow"]) -> Sequence["BadRow"]:
        """Rows of a file that cannot be read, without any that names an erased person in whichever cell."""
        found = self._recogniser() if rows else None
        return found.bad_rows(table, rows) if found else rows

    def claims(self, claims: Sequence[Claims]) -> Sequence[Claims]:
        """What deliveries or a plugin's rows claim, without what is about erased people."""
        found = self._recogniser()
        return [found.claims(one) for one in claims] if found else claims

    def delivery(self, delivery: Delivery) -> Delivery:
        """A delivery as it may be stored: without the items that are about erased people. Of one that is about nobody
        else only the envelope is left, and it is ``suppressed``."""
        found, version = self._recogniser(), self._mirror.forgotten.version
        if found is None or delivery.looked == version:
            return delivery
        return replace(found.delivery(delivery), looked=version)

    def cut(self, delivery: Delivery) -> "tuple[Delivery, frozenset[Place]]":
        """The same of a delivery that is kept elsewhere, and the items that were taken out."""
        found = self._recogniser()
        return found.cut(delivery) if found else (delivery, frozenset())

    def _recogniser(self) -> "Recogniser | None":
        """What knows the list as it is now; None if nobody is on it."""
        people = self._mirror.forgotten
        if not people:
            return None
        if people.recogniser is None:
            from promptsync.events.recognition import Recogniser

            people.recogniser = Recogniser(self._mirror.schema, people)
        found: Recogniser = people.recogniser
        return found
