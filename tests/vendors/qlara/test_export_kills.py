"""A job survives a kill after each thing that is written down, and anywhere else."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from export_stage import EXPECTED, Stage

from promptsync.vendors.qlara.jobs import Job
from promptsync.vendors.qlara.run import ExportRun


class Killed(BaseException):
    """Nothing catches it, as nothing survives a kill."""


def kill_after(monkeypatch: pytest.MonkeyPatch, steps: int, *, before: bool) -> None:
    """From the ``steps``-th change of a job on, nothing runs; ``before`` or after it is written."""
    save = ExportRun._save
    left = [steps]

    def saving(self: ExportRun, job: Job) -> Job:
        left[0] -= 1
        if left[0] <= 0 and before:
            raise Killed
        saved = save(self, job)
        if left[0] <= 0:
            raise Killed
        return saved

    monkeypatch.setattr(ExportRun, "_save", saving)


@pytest.mark.parametrize("steps", range(1, 10))
@pytest.mark.parametrize(("shape", "before"), [("exportId", True), ("nothing", False)])
def test_killed_at_every_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, steps: int, before: bool, shape: str
) -> None:
    stage.faults.id_shape, stage.faults.expired, stage.faults.link_dead = shape, 1, 1
    with monkeypatch.context() as patched:
        kill_after(patched, steps, before=before)
        try:
            stage.one()
        except Killed:
            stage.open()
    stage.exports.carry_on(None)
    assert stage.query("SELECT state, vendor_id FROM sync_job") == [("loaded", "exp-1")]
    assert len(stage.server.exports) == 1
    assert stage.contacts() == EXPECTED


def test_killed_again_and_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.exports.request("contacts", {})
    for _ in range(12):
        with monkeypatch.context() as patched:
            kill_after(patched, 2, before=False)
            try:
                stage.exports.carry_on(None)
            except Killed:
                stage.open()
            else:
                break
    assert stage.query("SELECT state FROM sync_job") == [("loaded",)]
    assert stage.contacts() == EXPECTED
    assert len(stage.server.exports) == 1


def test_killed_between_the_merge_and_its_record(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last rows and the job's end are one transaction: rows alone are merged again to the same result."""
    load = stage.exports._loader.load

    def loading(source: object, done: object, progress: object) -> object:
        def no_more(*_: object) -> None:
            raise Killed

        return load(source, no_more, progress)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(stage.exports._loader, "load", loading)
        with pytest.raises(Killed):
            stage.one()
    assert stage.query("SELECT state FROM sync_job") == [("downloaded",)]
    stage.open()
    assert stage.exports.carry_on(None)[0]["state"] == "loaded"
    assert stage.query("SELECT state, inserted, unchanged FROM sync_file") == [("merged", 0, 2)]


def test_downloaded_file_that_is_gone_is_fetched_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ExportRun, "_load", _die)
        with pytest.raises(Killed):
            stage.one()
    for path in (stage.folder / "data" / "exports").iterdir():
        path.unlink()
    stage.open()
    assert stage.exports.carry_on(None)[0]["state"] == "loaded"
    assert stage.contacts() == EXPECTED


async def _die(*_: object) -> Job:
    raise Killed


@pytest.mark.slow
@pytest.mark.parametrize("when", ["requested", "pending", "available", "downloaded"])
def test_killed_in_earnest(stage: Stage, when: str) -> None:
    """A process of its own, SIGKILL while it is in that state."""
    faults = {"requested": ("rate_limited", 1), "pending": ("pending", 1 << 30), "available": ("file", "slow")}
    if when in faults:
        setattr(stage.faults, *faults[when])
    stage.faults.retry_after = 30.0
    stage.close()
    killed = _process(stage, hang_in_load=when == "downloaded")
    try:
        stage.mirror = None
        _wait_for(stage.folder / "data" / "mirror.db", when)
        killed.send_signal(signal.SIGKILL)
    finally:
        killed.kill()
        killed.wait()
    for name, value in (("rate_limited", 0), ("pending", 0), ("file", "whole")):
        setattr(stage.faults, name, value)
    stage.open()
    assert [row["state"] for row in stage.exports.carry_on(None)] == ["loaded"]
    assert stage.contacts() == EXPECTED
    assert len(stage.server.exports) == 1


def _process(stage: Stage, *, hang_in_load: bool) -> "subprocess.Popen[bytes]":
    program = f"""
        import sys, threading, time
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from export_stage import FAST, LIMITS, configure
        from dataclasses import replace
        from promptsync.clock import system_clock
        from promptsync.vendors.qlara.source import QlaraExports
        from promptsync.loading.export import ExportLoader
        from promptsync.vendors import declared_schema
        from promptsync.store.mirror import Mirror
        if {hang_in_load}:
            ExportLoader.load = lambda *_: time.sleep(60)
        folder = Path({str(stage.folder)!r})
        config = configure(folder, {stage.server.address!r})
        mirror = Mirror(config.mirror.database, declared_schema())
        policy = replace(FAST, longest_wait=60.0, download_seconds=60.0)
        limits = replace(LIMITS, deadline=1 << 50)
        exports = QlaraExports(config, mirror, system_clock, threading.Event(), policy, limits)
        exports.carry_on(exports.request("contacts", {{}}))
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], env={**os.environ, "PYTHONWARNINGS": ""})


def _wait_for(database: Path, state: str) -> None:
    from promptsync.store.connect import open_reader

    for _ in range(6000):
        time.sleep(0.02)
        if not database.exists():
            continue
        connection = open_reader(database)
        try:
            if connection.execute("SELECT attempts FROM sync_job WHERE state = ?", (state,)).fetchone() not in (
                None,
                (0,),
            ):
                return
        finally:
            connection.close()
    raise AssertionError(f"the job never was {state}")
