"""What the command line can have done to a mirror, by name, whether or not a daemon holds it.

Owns the list and the plain-data form of parameters and results, so that the same call runs in this process or, through
the control socket, in the daemon's. Each operation is blocking and tells its progress to ``emit``. What few of them
need, erasing and backups, is imported by those.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from promptsync.clock import iso_millis, parse_iso
from promptsync.daemon.client import Emit
from promptsync.daemon.retention import TASK, Retention, sentence
from promptsync.drop import by_hand
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, PromptsyncError
from promptsync.fetch.plugins import choose_any, fetch_plugin, plugin_sources
from promptsync.fetch.run import fetch_source, record_run
from promptsync.fetch.sources import night_of, sources_of
from promptsync.loading.files import LoadRequest
from promptsync.model import FilledBy, Identity
from promptsync.model.file_name import ExportName, FileName
from promptsync.places.patience import AT_A_TERMINAL, Patience
from promptsync.places.plan import FetchOptions
from promptsync.store import jobs, ledger, rejects
from promptsync.store.inbox import count_failed, select_for_replay

Params = Mapping[str, Any]
Operation = Callable[[Engine, Params, Emit], dict[str, Any]]


def load(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """``paths``; optional ``table``, ``org``, ``as_of``, ``accept``, ``corrects``, ``dry_run``.

    Emits ``progress`` and ``file``.
    """
    stated = _stated(engine, params) if params.get("table") else None
    files, passed = engine.look_through(Path(path) for path in params["paths"])
    requests = [
        LoadRequest(
            path,
            "load",
            stated,
            None if stated else found,
            accept=bool(params.get("accept")),
            dry_run=bool(params.get("dry_run")),
            corrects=bool(params.get("corrects")),
        )
        for path, found in files.items()
    ]
    if params.get("corrects"):
        for request in requests:
            if not isinstance(request.stated, FileName):
                raise ConfigError(f"--corrects is for nightly exports; {request.path.name} is none by its name.")
    reports = []
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    for report in chain(engine.load(requests, progress), passed):
        reports.append(asdict(report))
        emit({"file": reports[-1]})
    return {"files": reports}


def _stated(engine: Engine, params: Params) -> FileName | ExportName:
    """What a person says of files whose names do not. Raises ConfigError."""
    table, as_of = params["table"], parse_iso(params["as_of"]) if params.get("as_of") else None
    if table in engine.exports.tables:
        if params.get("corrects"):
            raise ConfigError(f"--corrects is for nightly exports; {table} has none.")
        return ExportName(table, as_of)
    if table not in {one.name for one in engine.mirror.schema.filled_by(FilledBy.SNAPSHOT)}:
        raise ConfigError(f"There is no export table {table}; 'promptsync schema' lists them.")
    if as_of is None:
        raise ConfigError("Give --as-of too: the instant that the file states.")
    if engine.mirror.schema[table].org_scoped and params.get("org") is None:
        raise ConfigError("Give --org too: rows belong to an organization.")
    return FileName(table, params.get("org"), as_of)


def reset(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Empty ``tables`` that change sets fill, so that their files can be loaded again. Emits ``progress``."""
    engine.mirror.schema.check_reset(params["tables"])
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    return {"tables": [asdict(engine.loader.reset(name, progress)) for name in dict.fromkeys(params["tables"])]}


def repair(engine: Engine, _params: Params, emit: Emit) -> dict[str, Any]:
    """Take back what was dated in the future, and apply the deliveries again. Emits ``progress``."""
    repaired = engine.loader.repair(lambda step, done, total: emit({"progress": [step, done, total]}))
    engine.apply_pending()
    return asdict(repaired)


def accept_files(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Merge held files as they are: ``ids``. Emits ``progress``; gives their reports."""
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    return {"files": [asdict(by_hand.accept(engine, id_, progress)) for id_ in params["ids"]]}


def discard_files(engine: Engine, params: Params, _emit: Emit) -> dict[str, Any]:
    """Have done with held or ignored files: ``ids``. Gives how many were ``discarded``, and ``deleted``."""
    deleted = [by_hand.discard(engine, id_) for id_ in params["ids"]]
    return {"discarded": len(deleted), "deleted": sum(deleted)}


def replay(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Apply stored deliveries again: those with ``id``, ``failed``, of ``type``, received ``since``."""
    chosen = engine.mirror.writer.run(
        lambda connection: select_for_replay(
            connection, params.get("id"), bool(params.get("failed")), params.get("type"), params.get("since")
        )
    )
    if params.get("id") is not None and not chosen:
        raise ConfigError(f"There is no delivery {params['id']}; 'promptsync events list' shows the newest.")
    engine.apply_pending()
    with engine.mirror.reading() as connection:
        failed = count_failed(connection, chosen)
    emit({"replayed": len(chosen)})
    return {"replayed": len(chosen), "failed": failed}


def import_events(engine: Engine, params: Params, _emit: Emit) -> dict[str, Any]:
    """``lines``: objects with number, received_at, path, body. Stores those that are new, and applies them.

    ``refused``: [number, received_at] of each line that cannot have been received then.
    """
    done = engine.import_deliveries(params["lines"])
    refused = [[line.get("number", 0), line["received_at"]] for line in done.refused]
    return {"imported": done.new, "known": done.known, "refused": refused}


def retry_rejects(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Try what was rejected once more: deliveries are replayed, files loaded again. Optional ``ids``.

    Of the files that are ``gone``, those ``superseded`` have had a newer one merged after them.
    """
    with engine.mirror.reading() as connection:
        events, files = rejects.origins(connection, params.get("ids"))
        there = {number: path for number, path in files.items() if path.is_file()}
        old = rejects.superseded(connection, list(files.keys() - there.keys()))
    gone = [str(path) for number, path in files.items() if number not in there]
    superseded = [str(files[number]) for number in sorted(old)]
    again = [LoadRequest(path, "retry", accept=True, again=True) for path in dict.fromkeys(there.values())]
    engine.mirror.writer.run(lambda connection: rejects.take(connection, events, list(there)))
    engine.apply_pending()
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    reports = [asdict(report) for report in engine.load(again, progress)]
    with engine.mirror.reading() as connection:
        left = sum(rejects.count_by_class(connection).values())
    return {"deliveries": len(events), "files": reports, "gone": gone, "superseded": superseded, "left": left}


def discard_rejects(engine: Engine, params: Params, _emit: Emit) -> dict[str, Any]:
    """Delete rejects for good: ``ids``, or all."""
    return {"discarded": engine.mirror.writer.run(lambda connection: rejects.discard(connection, params.get("ids")))}


def request_exports(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """``kind``, ``asked`` (by the vendor's names for it), ``wait``. Emits ``progress``; gives the jobs' rows."""
    ids = engine.exports.request(params["kind"], params["asked"])
    if not params["wait"]:
        with engine.mirror.reading() as connection:
            return {"jobs": jobs.some(connection, ids)}
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    return {"jobs": engine.exports.carry_on(ids, progress, Patience(AT_A_TERMINAL))}


def resume_exports(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Carry every open export job on until it is closed, and try held ones again. Emits ``progress``; gives the jobs'
    rows. Optional ``ids``: only these; ``accept``: a person has looked at those held."""
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    ids, accept, patience = params.get("ids") or (), bool(params.get("accept")), Patience(AT_A_TERMINAL)
    done = engine.exports.resume_by_hand(ids, accept=accept, progress=progress, patience=patience)
    return {"jobs": done}


def newest_exports(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """``query``: see Exports.newest. Emits ``progress``; gives counts."""
    progress = lambda *step: emit({"progress": list(step)})  # noqa: E731
    return engine.exports.newest(params["query"], progress, Patience(AT_A_TERMINAL))


def fetch(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Look at configured places and plugins' sources now: ``sources`` (names; none: all), ``since`` (ISO date).

    Emits ``progress``, ``file`` and ``source``.
    """
    of_plugins = plugin_sources(engine.plugins.extensions)
    sources, plugins = choose_any(sources_of(engine.config), of_plugins, params.get("sources") or ())
    options = FetchOptions(since=night_of(params.get("since"), engine.config.mirror.timezone), by_hand=True)
    reports, patience = [], Patience(AT_A_TERMINAL)
    for source in sources:
        started = iso_millis(engine.clock())
        report = fetch_source(engine, source, options, emit, patience=patience)
        record_run(engine, source, report, started)
        reports.append(asdict(report))
        emit({"source": reports[-1]})
    for name in plugins:
        reports.append(asdict(fetch_plugin(engine, name)))
        emit({"source": reports[-1]})
    return {"sources": reports}


def erase_people(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Forget people: ``starts``, identifiers of each as [kind, value], and ``why``. Emits ``progress``."""
    from promptsync.model.person import Identifier
    from promptsync.people.erase import erase
    from promptsync.people.forgotten import remembering

    starts = [frozenset(Identifier(Identity(kind), value) for kind, value in start) for start in params["starts"]]
    progress = lambda *step: emit({"progress": list(step)})  # noqa: E731
    done = erase(engine, starts, params["why"], remembering(engine.mirror), progress)
    return done | {"backups": _still_holding(engine)}


def _still_holding(engine: Engine) -> list[dict[str, str]] | None:
    """Backups from before an erasure, and the day by which each is gone; None if they cannot be listed now."""
    if not engine.config.backup.on:
        return []
    from promptsync.backup.service import Backups

    try:
        older = Backups(engine, Patience(AT_A_TERMINAL)).older()
    except PromptsyncError:
        return None
    return [{"name": name, "gone_by": day.isoformat()} for name, day in older]


def undo_erasure(engine: Engine, params: Params, _emit: Emit) -> dict[str, Any]:
    """Let back in whom the erasure ``id`` forgot."""
    from promptsync.people.forgotten import undo

    return {"id": params["id"], "identifiers": undo(engine, params["id"])}


def retention(engine: Engine, params: Params, emit: Emit) -> dict[str, Any]:
    """Sweep what is too old; ``dry_run``: only look. ``failed``: deliveries that could never be applied go too.

    Emits ``progress``; gives ``parts`` (daemon/retention.py).
    """
    progress = lambda step, done, total: emit({"progress": [step, done, total]})  # noqa: E731
    sweep, started = Retention(engine, progress, failed=bool(params.get("failed"))), iso_millis(engine.clock())
    parts = sweep.look() if params.get("dry_run") else sweep.run()
    if not params.get("dry_run"):
        row = {"task": TASK, "started_at": started, "finished_at": iso_millis(engine.clock())}
        row |= {"outcome": "done", "message": sentence(parts)}
        engine.mirror.writer.run(lambda connection: ledger.insert(connection, "sync_run", row) and None)
    return {"parts": [asdict(part) for part in parts]}


def compact_mirror(engine: Engine, _params: Params, _emit: Emit) -> dict[str, Any]:
    """Write the mirror's file anew. Only for a mirror that no daemon holds."""
    from promptsync.people.erase import compact

    return {"log_emptied": compact(engine)}


def backup(engine: Engine, _params: Params, emit: Emit) -> dict[str, Any]:
    """Make a backup now. Emits ``progress``."""
    from promptsync.backup.service import Backups

    return asdict(Backups(engine, Patience(AT_A_TERMINAL)).make(emit))


def drill(engine: Engine, _params: Params, emit: Emit) -> dict[str, Any]:
    """Look whether the newest backup can be restored. Emits ``progress``."""
    from promptsync.backup.service import Backups

    return asdict(Backups(engine, Patience(AT_A_TERMINAL)).drill(emit))


def plugins(engine: Engine, _params: Params, _emit: Emit) -> dict[str, Any]:
    """The plugins as they run here: where from, hooks, calls, failures, seconds."""
    return {"plugins": [plugin.as_dict() for plugin in engine.plugins.extensions.plugins]}


OPERATIONS: dict[str, Operation] = {
    "load": load,
    "reset": reset,
    "repair": repair,
    "accept-files": accept_files,
    "discard-files": discard_files,
    "fetch": fetch,
    "replay": replay,
    "import-events": import_events,
    "retry-rejects": retry_rejects,
    "discard-rejects": discard_rejects,
    "request-exports": request_exports,
    "resume-exports": resume_exports,
    "newest-exports": newest_exports,
    "erase": erase_people,
    "undo-erasure": undo_erasure,
    "retention": retention,
    "compact": compact_mirror,
    "backup": backup,
    "drill": drill,
    "plugins": plugins,
}
