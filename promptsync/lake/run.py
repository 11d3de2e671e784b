"""One run of the lake: what is new becomes claims, what may be believed is folded (folding.py).

Owns the course of it. That the inputs were taken is written down last: a run that is killed leaves inputs that the next
one takes again, to no other effect.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptsync.clock import iso_millis, local_date
from promptsync.errors import PromptsyncError
from promptsync.lake.cutting import carry_over, cut_deliveries
from promptsync.lake.engine import ClaimFile, Engine
from promptsync.lake.folding import Claimed, Folding
from promptsync.lake.inputs import Input, remove
from promptsync.lake.judge import Judge
from promptsync.lake.keeping import Sweep
from promptsync.lake.lake import Known, Lake, Wanted, corrections, held_named, in_turn, merged_snapshots, new_of
from promptsync.lake.ledger import Snapshot
from promptsync.lake.parts import Decoded, Decoder
from promptsync.lake.scratch import scratch_folder
from promptsync.store.slices import Progress

_ATTEMPTS = 5


@dataclass(slots=True)
class RunReport:
    """What a run did. ``inputs``: a row of the ledger for each; ``tables``: rows that each folded table's touched
    buckets have now; ``swept``: rows and texts that were too old, by what [retention] calls them."""

    inputs: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    swept: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def needs_person(self) -> bool:
        """Whether something was held, ignored or rejected."""
        return any(row["state"] in ("held", "ignored") or row["rejected"] for row in self.inputs)


def run(lake: Lake, engine: Engine, wanted: Wanted, progress: Progress = lambda *_: None) -> RunReport:
    """Do it; ``progress`` gets a step, how many are done, and of how many.

    Raises ConfigError, Unavailable, and Refused if others commit without end. If somebody is forgotten while it runs,
    it begins anew.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        knowing = lake.knowing()
        try:
            with scratch_folder() as scratch:
                return _Run(knowing, engine, wanted, scratch, progress).run()
        except PromptsyncError:  # of a file that is gone, too: an erasure deletes those of older versions at once
            if attempt == _ATTEMPTS or not knowing.list_changed():
                raise
            wanted = replace(wanted, discard=frozenset())
    raise AssertionError


class _Run:
    def __init__(self, lake: Lake, engine: Engine, wanted: Wanted, scratch: Path, progress: Progress) -> None:
        self._lake, self._engine, self._wanted, self._scratch = lake, engine, wanted, scratch
        self._now, self._progress = lake.clock(), progress
        self._started = time.perf_counter()
        self._report = RunReport()
        self._folding = Folding(lake, engine, scratch, progress)

    def run(self) -> RunReport:
        lake, wanted = self._lake, self._wanted
        known = lake.ledger.inputs()
        accepted = held_named(wanted.accept, known)
        self._discard(known)
        there, done = lake.inputs(), list[Decoded]()
        replaced = corrections(wanted.corrects, there, lake.ledger.snapshots())
        new = new_of(there, known, accepted.union(replaced))
        decoder = Decoder(
            lake.schema,
            lake.handlers,
            lake.settings,
            self._scratch / "parts",
            self._now,
            lake.door,
            merged_snapshots(known),
            accepted,
            replaced,
            lake.plugins,
        )
        self._progress("decoding files", 0, len(new))
        for some in self._engine.decode(decoder, list(in_turn(new))):
            done += some
            self._progress("decoding files", len(done), len(new))
        judge = Judge(lake.schema, lake.settings.guards, lake.ledger.snapshots(), self._files, self._now)
        judge.judge(done, accepted)
        self._report.inputs += [self._row(one) for one in done]
        if not wanted.dry_run:
            self._commit([one for one in done if one.state == "decoded"], judge.passed)
            self._record(done)
            self._forget({one.name for one in done if one.deliveries and one.learned.forgotten})
            self._keep(known)
            for name in self._report.tables:
                lake.tables.tidy(lake.schema[name])
            lake.ledger.tidy()
            self._sweep(there, known)
        self._report.seconds = round(time.perf_counter() - self._started, 3)
        return self._report

    def _keep(self, known: Known) -> None:
        """Sweep what is too old by now."""
        lake = self._lake
        newest = max((int(row["seen"]) for row in known.values()), default=None)
        sweep = Sweep(lake.storage, lake.schema, self._scratch / "kept", self._progress)
        self._report.swept = sweep.run(lake.wanted, self._now, newest)

    def _forget(self, names: set[str]) -> None:
        """Take people who are on the list out of the deliveries that have come about them since."""
        if names:
            cut = cut_deliveries(self._lake, self._lake.door, self._scratch / "cut", write=True, only=names)
            carry_over(self._lake, cut.names, self._now)

    def _sweep(self, there: Sequence[Input], known: Known) -> None:
        """Delete files of deliveries that were folded, once they have been kept for long enough."""
        period, zone = self._lake.keep_deliveries, self._lake.settings.zone
        if not period.ends:
            return
        rows = [*known.values(), *(self._report.inputs if self._wanted.table is None else ())]
        folded = {(row["name"], row["tag"]) for row in rows if row["state"] == "merged"}
        first = period.first_day(local_date(self._now, zone))
        deliveries = (one for one in there if one.found is None and (one.name, one.tag) in folded)
        remove([one for one in deliveries if local_date(one.item.modified or self._now, zone) < first])

    def _files(self, table: str, org: int) -> list[ClaimFile]:
        """The present files in which an organization's rows of a table are."""
        tables, declared = self._lake.tables, self._lake.schema[table]
        present, bucket = tables.present(declared), self._lake.bucket_of(declared, org)
        return tables.stored(present, present.of({bucket})) if present else []

    def _commit(self, done: Sequence[Decoded], passed: Sequence[Snapshot]) -> None:
        only = self._wanted.table
        claims = Claimed(tuple(one for one in passed if only in (None, one.table)))
        for one in done:
            claims.take(one.parts)
        self._report.tables |= self._folding.commit(claims, only)

    def _row(self, one: Decoded) -> dict[str, Any]:
        """The ledger's row of an input."""
        stated, learned = one.snapshot, one.learned
        state = one.state if one.state != "decoded" else "would merge" if self._wanted.dry_run else "merged"
        row: dict[str, Any] = {"name": one.name, "tag": one.tag, "table": one.table or None, "state": state}
        row |= {"org_id": stated.org_id or 0 if stated else None, "as_of": iso_millis(stated.as_of) if stated else None}
        row |= {"reason": one.reason, "error": one.error, "rows": learned.rows, "rejected": learned.bad}
        return row | {"sha256": one.sha256, "seen_at": iso_millis(self._now), "seen": self._now}

    def _discard(self, known: dict[str, dict[str, Any]]) -> None:
        """Write down that a person does not want some held inputs."""
        gone = held_named(self._wanted.discard, known)
        row = {"state": "discarded", "seen": self._now, "seen_at": iso_millis(self._now)}
        rows = [known[name] | row for name in sorted(gone)]
        if not self._wanted.dry_run:
            self._lake.ledger.add("sync_input", rows)

    def _record(self, done: Sequence[Decoded]) -> None:
        """That these inputs were taken, and what was odd about them. Not if only one table was folded."""
        if self._wanted.table is not None:
            return
        ledger, now = self._lake.ledger, iso_millis(self._now)
        merged = [one for one in done if one.state == "decoded"]
        ledger.add("sync_reject", [r | {"name": o.name, "rejected_at": now} for o in merged for r in o.learned.rejects])
        seen = {(kind, table, name): one.name for one in merged for kind, table, name in one.learned.drift}
        known = {(row["kind"], row["table"], row["name"]) for row in ledger.rows("sync_drift")} if seen else set()
        new = [(found, where) for found, where in seen.items() if found not in known]
        drift = [{"kind": k, "table": t, "name": n, "seen_at": now, "seen_in": where} for (k, t, n), where in new]
        ledger.add("sync_drift", drift)
        ledger.add("sync_input", self._report.inputs)
        if done:
            counted = {"inputs": len(done), "held": sum(one.state == "held" for one in done)}
            rows = sum(one.learned.rows for one in merged)
            spent = {"started_at": now, "seconds": round(time.perf_counter() - self._started, 3), "rows": rows}
            ledger.add("sync_run", [counted | spent | {"tables": len(self._report.tables)}])
