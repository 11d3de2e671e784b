"""Bringing a mirror back: the backup, then what was received since, then into its place.

Owns the order of the steps and where each takes up after a kill. All work is done in ``<database>.restoring`` beside
the mirror; the mirror that was there is moved aside, never deleted, and only in the last step. Each step is one rename
or can be done twice: a download is continued, importing the same delivery again changes nothing. What came after the
last segment is fetched again by its sources, which knows what it has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync.backup.destination import Destination, need_room
from promptsync.backup.erased import RestoredList
from promptsync.backup.keys import opening
from promptsync.backup.names import Backup, Segment, Stored, gaps, needed
from promptsync.backup.placing import Progress, Restored, Work, finish, place, writing
from promptsync.backup.seal import Key, unseal
from promptsync.backup.segments import is_delivery, read_lines
from promptsync.backup.verify import LATEST, RATIO, check_copy, choose
from promptsync.clock import Clock, iso_micros, iso_millis, parse_iso
from promptsync.config import Config
from promptsync.engine.built_in import load_extensions
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, InputRefused, SchemaMismatch
from promptsync.store.backups import MADE, SHIPPED, count_rows, drop_manifest, newest_position
from promptsync.store.connect import WriteLock
from promptsync.store.marks import put_facts

Emit = Callable[[dict[str, Any]], None]
_LINES: Final = 500
_LINE_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted. ``name``: of a backup, or ``latest``. ``until``: later deliveries are left out, microseconds.
    ``replace``: a mirror in the way may be moved aside. ``identity``: a file with the private key."""

    name: str
    until: int | None = None
    replace: bool = False
    identity: Path | None = None


def restore(
    config: Config,
    destination: Destination,
    request: Request,
    clock: Clock,
    emit: Emit = lambda _: None,
) -> Restored:
    """Restore the mirror of ``config``. Emits ``progress``.

    Raises MirrorLocked while a daemon runs, ConfigError if a mirror is in the way or a key is wrong, InputRefused for a
    damaged backup, Unavailable. After each of these the same call goes on where it was.
    """
    database = config.mirror.database
    load_extensions(config).close()  # a plugin that is missing is said first
    lock = WriteLock(database)
    lock.acquire()
    try:
        work = Work(database)
        known = work.read()
        same = known is not None and (known.wanted, known.until) == (request.name, request.until)
        if known is not None and same and work.placed(known):
            return finish(work, known, resumed=True)
        if database.exists() and not request.replace:
            raise ConfigError(
                f"There is a mirror at {database}: give --replace to move it aside, or --to FOLDER to look at it."
            )
        return _Restore(config, destination, request, clock, emit).run(work, known if same else None)
    finally:
        lock.release()


@dataclass
class _Reading:
    """Segments as they are read; lines that are no deliveries, as a later version may write, are passed over."""

    segments: Sequence[Segment]
    until: int | None
    left_out: int = 0
    unreadable: list[str] = field(default_factory=list)

    def deliveries(self, sealed: Path, plain: Path, keys: list[Key]) -> Iterator[Mapping[str, Any]]:
        """Those of one segment, without what came too late. A damaged one does not keep the others back."""
        try:
            unseal(sealed, plain, keys)
            for line in read_lines(plain):
                if not is_delivery(line):
                    continue
                if self.until is not None and parse_iso(line["received_at"]) > self.until:
                    self.left_out += 1
                else:
                    yield line
        except (InputRefused, ConfigError) as error:
            self.unreadable.append(str(error))


def _last(stored: Stored) -> int | None:
    """When the last segment ended, microseconds."""
    return max((one.to for one in stored.segments), default=None)


class _Restore:
    """The steps of one restore."""

    def __init__(self, config: Config, destination: Destination, request: Request, clock: Clock, emit: Emit) -> None:
        self._config, self._destination, self._request = config, destination, request
        self._clock, self._emit = clock, emit

    def run(self, work: Work, known: Progress | None) -> Restored:
        stored, blobs = self._destination.look()
        keys = opening(self._config.backup, self._request.identity, self._config.mirror.database, blobs)
        progress = self._going_on(work, known, stored) or self._anew(work, stored)
        if not work.copy.exists():
            try:
                self._open(work, progress, choose(stored, progress.name, self._destination.name), keys)
            except InputRefused:
                work.clear()  # the next run must not go on with it
                raise
        if progress.imported is None:
            progress.imported = self._import(work, progress, stored, keys)
            work.write(progress)
        place(work, progress, self._clock)
        return finish(work, progress, resumed=progress is known)

    def _going_on(self, work: Work, known: Progress | None, stored: Stored) -> Progress | None:
        """What an earlier run began, unless there is something newer; with segments that came since, if there are."""
        if known is None:
            return None
        newest = stored.newest(known.until)
        if known.wanted == LATEST and newest is not None and newest.name != known.name:
            return None
        if not work.copy.exists() and all(one.name != known.name for one in stored.backups):
            return None
        if known.imported is not None and known.imported["last"] != _last(stored):
            known.imported = None
        return known

    def _anew(self, work: Work, stored: Stored) -> Progress:
        chosen = choose(stored, self._request.name, self._destination.name, self._request.until)
        self._check_until(chosen)
        progress = Progress(chosen.name, self._request.until, self._request.name, chosen.at)
        work.clear()
        work.begin()
        work.write(progress)
        return progress

    def _check_until(self, chosen: Backup) -> None:
        until = self._request.until
        if until is not None and chosen.at > until:
            raise ConfigError(
                f"{chosen.name} was taken after {iso_millis(until)}, and what is in it cannot be taken out: choose an "
                "older one, or give 'latest', which does."
            )

    def _open(self, work: Work, progress: Progress, backup: Backup, keys: list[Key]) -> None:
        """Download and decrypt the backup, and look whether it is whole."""
        size = backup.item.size or 0
        need_room(work.folder, (1 + RATIO) * size, "Restoring")
        sealed = work.sealed(backup.name)
        show = lambda done, of: self._emit({"progress": ["downloading", done, of]})  # noqa: E731
        self._destination.fetch([(backup.item, sealed)], show)
        part = work.copy.with_name("mirror.part")
        decrypting = lambda done: self._emit({"progress": ["decrypting", done, size]})  # noqa: E731
        unseal(sealed, part, keys, decrypting, durable=True)
        self._emit({"progress": ["checking", 0, 0]})
        manifest, differing = check_copy(part, deep=False)
        if differing:
            raise InputRefused("damaged", f"{backup.name} lacks rows of {', '.join(differing)}; use another backup.")
        progress.counted, progress.version = manifest.rows, manifest.version
        progress.shipped_to = parse_iso(manifest.shipped_to) if manifest.shipped_to else None
        work.write(progress)
        with writing(work.folder):
            part.replace(work.copy)
            sealed.unlink()

    def _import(self, work: Work, progress: Progress, stored: Stored, keys: list[Key]) -> dict[str, Any]:
        """Merge what was received since the backup, and forget whom the lost mirror had forgotten."""
        forgotten = self._forgotten(work, stored, keys)
        forgotten.lay_key(work.copy)
        segments = needed(stored.segments, progress.shipped_to)
        reading = _Reading(segments, self._request.until)
        new = refused = 0
        with self._engine(work, progress) as engine:
            forgotten.keep_away(engine)
            for lines in self._batches(work, reading, keys):
                done = engine.import_deliveries(lines)
                new, refused = new + done.new, refused + len(done.refused)
            engine.apply_pending()
            for table in engine.mirror.schema:
                engine.search.enter_missing(table.name)
            erased = forgotten.erase(engine)
            engine.mirror.writer.run(drop_manifest)
            self._mark(engine, stored)
            with engine.mirror.reading() as connection:
                tables = count_rows(connection)
        return {
            "tables": tables,
            "segments": len(segments),
            "deliveries": new,
            "left_out": reading.left_out,
            "refused": refused,
            "gaps": [(iso_micros(a), iso_micros(b)) for a, b in gaps(segments)],
            "unreadable": reading.unreadable,
            "erased": erased,
            "not_erased": forgotten.trouble,
            "last": _last(stored),
        }

    def _forgotten(self, work: Work, stored: Stored, keys: list[Key]) -> RestoredList:
        sealed = None
        if stored.erased is not None:
            sealed = work.sealed(stored.erased.key)
            sealed.unlink(missing_ok=True)  # an earlier run may have fetched an older one
            self._destination.fetch([(stored.erased, sealed)])
        return RestoredList(self._config.mirror.database, sealed, work.folder, keys)

    def _engine(self, work: Work, progress: Progress) -> Engine:
        """The copy, opened for writing."""
        mirror = self._config.mirror.model_copy(update={"database": work.copy})
        try:
            return Engine(self._config.model_copy(update={"mirror": mirror}), self._clock)
        except SchemaMismatch as error:
            raise SchemaMismatch(
                f"{progress.name} was made by promptsync {progress.version} with other tables than this one's: restore "
                f"it with that version and the plugins of then, then upgrade. ({error})"
            ) from error

    def _mark(self, engine: Engine, stored: Stored) -> None:
        """What is at the destination is on record; what is shipped from now on begins after all of it."""
        made, last = stored.newest(), _last(stored)
        with engine.mirror.reading() as connection:
            id_, received_at = newest_position(connection)
        marks: dict[str, dict[str, Any]] = {}
        if made is not None:
            marks[MADE] = {"name": made.name, "at": iso_millis(made.at), "bytes": made.item.size}
        if last is not None:
            newest = stored.segments[-1].item
            marks[SHIPPED] = {"id": id_, "received_at": received_at, "to": iso_micros(last)}
            marks[SHIPPED] |= {"name": newest.key, "bytes": newest.size}
        for name, mark in marks.items():
            engine.mirror.writer.run(lambda connection, name=name, mark=mark: put_facts(connection, name, mark))  # type: ignore[misc]

    def _batches(self, work: Work, reading: "_Reading", keys: list[Key]) -> Iterator[list[Mapping[str, Any]]]:
        """Deliveries of the segments, some at a time."""
        count = len(reading.segments)
        self._emit({"progress": ["segments", 0, count]})
        self._destination.fetch([(one.item, work.sealed(one.item.key)) for one in reading.segments])
        batch, size = list[Mapping[str, Any]](), 0
        for number, segment in enumerate(reading.segments, 1):
            self._emit({"progress": ["segments", number, count]})
            for line in reading.deliveries(work.sealed(segment.item.key), work.folder / "segment.jsonl", keys):
                batch.append(line)
                size += len(line["body"])
                if len(batch) >= _LINES or size > _LINE_BYTES:
                    yield batch
                    batch, size = [], 0
        if batch:
            yield batch
