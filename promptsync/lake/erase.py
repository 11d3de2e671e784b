"""Forgetting a person in a lake: everything that is held of them goes, and they stay away.

Owns the order. What is to be done is written down first (``erasing.json``), then they are on the list, so that nothing
about them comes in any more; then rows leave the tables, with all that Delta keeps of them, then what lies there as it
came, promptsync's own tables and the claims of runs under way last. It can be killed anywhere: whoever erases next, or
runs ``--resume``, does it all again, to no other effect.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from promptsync.errors import ConfigError
from promptsync.events.mentions import Record
from promptsync.events.suppression import Suppression
from promptsync.lake.cutting import Cut, ListJudge, carry_over, cut_deliveries, cut_files
from promptsync.lake.erased import Listed
from promptsync.lake.lake import Lake
from promptsync.lake.leaving import Leaving, count, leave, rewrite
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.storage import PARTS
from promptsync.model import Identity, Role
from promptsync.model.delivery import Delivery
from promptsync.model.person import Identifier
from promptsync.people.judge import needles
from promptsync.store.erased import Secret
from promptsync.store.slices import Progress

PLAN: Final = "erasing.json"
_ANY_KEY: Final = bytes(32)
_OWN: Final = ("sync_full_list", "sync_reject", "sync_input", "sync_drift")
_TRIES: Final = 10
_DELIVERY: Final = re.compile(r"Delivery ([0-9]+):")


@dataclass(frozen=True, slots=True)
class Plan:
    """An erasure that is to be carried out."""

    number: int
    why: str
    identifiers: frozenset[Identifier]
    records: frozenset[Record]

    def content(self) -> bytes:
        """To be kept until it is carried out."""
        known = sorted((one.kind.value, one.value) for one in self.identifiers)
        said = {"number": self.number, "why": self.why, "identifiers": known, "records": sorted(self.records, key=str)}
        return json.dumps(said).encode()

    @classmethod
    def of(cls, content: bytes) -> "Plan":
        """From what was kept of it. Raises ConfigError."""
        try:
            said = json.loads(content)
            known = frozenset(Identifier(Identity(kind), value) for kind, value in said["identifiers"])
            return cls(said["number"], said["why"], known, frozenset((t, id_) for t, id_ in said["records"]))
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{PLAN} is damaged; remove it, then forget them again.") from None

    @property
    def people(self) -> list[tuple[str, str]]:
        """What the list is given of them: kind and value."""
        known = [(one.kind.value, one.value) for one in self.identifiers]
        return [*known, *((table, str(id_)) for table, id_ in self.records)]


@dataclass(slots=True)
class Erased:
    """What was removed, or would be. ``id``: of the erasure, None if none was made; ``tables``: rows by table;
    ``files``: those rewritten or removed; ``removed``: the latter, and why."""

    id: int | None = None
    tables: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    removed: list[dict[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.tables or self.files)


def held(lake: Lake, known: Iterable[Identifier], records: Iterable[Record], progress: Progress) -> Erased:
    """What a lake holds of somebody, without removing it."""
    plan, secret = Plan(0, "", frozenset(known), frozenset(records)), Secret(_ANY_KEY)
    kept = tuple((0, kind, secret.hash(kind, value)) for kind, value in plan.people)
    return _Erasing(lake, Listed(lake.schema, 0, kept, secret=secret), plan, progress).run(write=False)


def erase(
    lake: Lake, known: Iterable[Identifier], records: Iterable[Record], why: str, progress: Progress = lambda *_: None
) -> Erased:
    """Forget somebody. One that was begun and killed is carried out first."""
    for _ in range(_TRIES):
        resume(lake, progress)
        listed = lake.people.read()
        number = max((one["id"] for one in listed.erasures), default=0) + 1
        plan = Plan(number, why, frozenset(known), frozenset(records))
        if lake.storage.write_once(PLAN, plan.content()):
            return carry_out(lake, plan, progress)
    raise ConfigError("Somebody else erases people here all the time; try again.")


def resume(lake: Lake, progress: Progress = lambda *_: None) -> Erased:
    """Carry out what was begun and did not end."""
    content = lake.storage.read(PLAN)
    return carry_out(lake, Plan.of(content), progress) if content else Erased()


def undo(lake: Lake, number: int) -> int:
    """Let people back in; returns by how many identifiers they were kept out. Raises ConfigError if it is unknown."""
    listed = lake.people.read()
    if number not in {one["id"] for one in listed.erasures}:
        raise ConfigError(f"There is no erasure {number}; 'promptsync lake erase list' shows them.")
    lake.people.undo(number, lake.clock())
    return sum(one[0] == number for one in listed.kept)


def carry_out(lake: Lake, plan: Plan, progress: Progress) -> Erased:
    """Do what a plan says that is kept, and keep it no more."""
    if plan.number not in {one["id"] for one in lake.people.read().erasures}:
        lake.people.begin(plan.number, lake.clock(), plan.why, plan.people)
    done = _Erasing(lake, lake.people.read(), plan, progress).run(write=True)
    lake.people.finish(plan.number, lake.clock(), done.tables, len(done.files))
    lake.storage.delete([PLAN])
    done.id = plan.number
    return done


class _Erasing:
    """One erasure by a list, which may be one that is only tried."""

    def __init__(self, lake: Lake, listed: Listed, plan: Plan, progress: Progress) -> None:
        self._lake, self._listed, self._plan, self._progress = lake, listed, plan, progress
        self._door = Suppression(listed)
        self._judge = ListJudge(listed, plan.identifiers)
        self._needles = needles(self._judge.person, numbers=False)

    def run(self, *, write: bool) -> Erased:
        with scratch_folder() as folder:
            return self._run(folder, write=write)

    def _run(self, scratch: Path, *, write: bool) -> Erased:
        lake, rows = self._lake, Counter[str]()
        self._progress("looking through deliveries", 0, 0)
        whole = cut_deliveries(lake, self._door, scratch, write=False)
        leaving = Leaving(self._door, frozenset(whole.events))
        tables = [table for table in lake.schema if table.role is not Role.OWN]
        for number, table in enumerate(tables):
            self._progress("removing rows" if write else "counting rows", number, len(tables))
            rows[table.name] += (leave if write else count)(lake.storage, table, leaving, scratch)
        self._progress("rewriting files" if write else "looking through files", 0, 0)
        cut = cut_deliveries(lake, self._door, scratch, write=True) if write else whole
        files = cut_files(lake, self._judge, scratch, write=write)
        rows["deliveries"] += cut.deliveries
        if write:
            for name in _OWN:
                rows[name] += rewrite(lake.storage, name, partial(self._own, name, whole))
            carry_over(lake, whole.names | cut.names | files.names, lake.clock())
            lake.storage.remove_below(PARTS)
        else:
            for name in _OWN:
                rows[name] += sum(self._own(name, whole, row) is not row for row in lake.ledger.rows(name))
        names = sorted({**cut.names, **files.names})
        return Erased(None, dict(sorted((+rows).items())), names, files.removed)

    def _own(self, name: str, whole: Cut, row: dict[str, Any]) -> dict[str, Any] | None:
        """A row of promptsync's own tables as it is to be: itself if it says nothing of them, None if it goes."""
        if name == "sync_full_list":
            return None if self._judge.is_theirs("contact", row["contact_id"]) else row
        if name == "sync_reject" and self._is_reject(row, whole):
            return None
        if self._says(row["name"]):
            return None
        said = {key: value for key, value in row.items() if isinstance(value, str) and self._says(value)}
        if not said:
            return row
        return row | {key: self._needles.sub(b"...", value.encode()).decode() for key, value in said.items()}

    def _says(self, text: str | None) -> bool:
        return bool(text) and self._needles.search(str(text).encode()) is not None

    def _is_reject(self, row: dict[str, Any], whole: Cut) -> bool:
        """Whether a reject is of a delivery that goes, or of what is about them."""
        if row["class"] == "delivery":
            found = _DELIVERY.match(row["reason"] or "")
            if found and int(found[1]) in whole.events:
                return True
            return self._door.cut(Delivery("", (row["original"] or b"").decode("utf-8", "replace")))[0].cut
        return self._judge.reject(row)
