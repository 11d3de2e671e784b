"""Deliveries that a mirror has kept, as a lake calls them: there they may have lost people, or be about to.

Owns the way from one of them to its line in the lake. While nobody was ever erased in the lake, that is its digest.
Else what the mirror has may be the whole delivery, which loses now what the lake's has lost, or one that the mirror has
cut itself: it is known by what is left of it.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from promptsync.clock import parse_iso
from promptsync.events.recognition import has
from promptsync.lake.inputs import copy, inputs_of
from promptsync.lake.lake import Lake, in_turn
from promptsync.lake.lines import Line, event_id, forgetting, line_of, lines_in, rewritten
from promptsync.model import Identity
from promptsync.model.delivery import Delivery
from promptsync.model.person import identifier
from promptsync.vendors import type_of_path


class KeptDeliveries:
    """Those of the mirror that is pushed into a lake. ``scratch``: a folder for files in between."""

    def __init__(self, lake: Lake, scratch: Path) -> None:
        self._lake, self._scratch = lake, scratch
        self.line = lru_cache(1_000)(self._line)

    @property
    def _anybody(self) -> bool:
        """Whether anybody was ever erased."""
        return self._lake.listed is not None and bool(self._lake.listed.erasures)

    @cached_property
    def _cut(self) -> dict[int, Line]:
        """The lake's deliveries that have lost something, by the digest of what is left."""
        there = [one for one in inputs_of(self._lake.storage, (), self._lake.kinds) if one.found is None]
        found: dict[int, Line] = {}
        for some in in_turn(there) if self._anybody else ():
            for path in copy(some, self._scratch / uuid4().hex):
                left = ((event_id(line.delivery), line) for line in lines_in(path))
                found |= {digest: line for digest, line in left if digest != line.id}
        return found

    def _line(self, at: str, path: str, body: str) -> Line:
        """A delivery as the lake has it. ``at``: ISO, of its receipt."""
        delivery = Delivery(path, body, received_at=parse_iso(at))
        digest = event_id(delivery)
        if digest in self._cut:
            return self._cut[digest]
        line = Line(delivery, digest)
        if not self._anybody:
            return line
        kept = forgetting(line, self._lake.door, type_of_path(path))
        return kept if kept.suppressed else line  # its rows are counted as they were received

    def deliveries(self, found: Iterable[tuple[bool, dict[str, Any]]]) -> Iterator[tuple[bool, dict[str, Any]]]:
        """Of these, with whether each waits, what the lake is to be given."""
        for waits, said in found:
            if not self._anybody:
                yield waits, said
                continue
            text = json.dumps(said, ensure_ascii=False)
            line = line_of(text)
            kept = forgetting(line, self._lake.door, type_of_path(line.delivery.path))
            if line.id not in self._cut and not kept.suppressed:
                yield waits, said if kept is line else json.loads(rewritten(text, kept))

    def forgot(self, contact: int) -> bool:
        """Whether a contact was erased."""
        one = identifier(Identity.CONTACT, contact)
        return one is not None and self._lake.listed is not None and has(self._lake.listed.forgotten, one)
