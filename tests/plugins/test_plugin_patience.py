"""What fails is called again: an observer or source with growing delay for hours, each by itself."""

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from promptsync import Change, Observer, PluginError, ReadOnly, Source
from promptsync.cli import main
from promptsync.daemon.tasks import plugin_tasks
from promptsync.errors import Unavailable
from promptsync.plugins.calls import Calls, PluginFailed
from promptsync.plugins.patience import AT_ONCE, HOUR, POLICIES, Standing, Trouble
from promptsync.store import marks
from promptsync.testing import Kit
from tests.plugins.plugin_samples import contact, message
from tests.plugins.test_plugin_hooks import plugin


@pytest.mark.parametrize("hook", POLICIES)
def test_what_waits_on_the_outside_is_called_for_hours_before_it_is_paused(hook: str) -> None:
    standing, now, calls = Standing(hook, "one"), 0.0, 0
    delays = []
    while not standing.paused:
        standing.failed(now, "unreachable")
        calls += 1
        delays.append(standing.wait(now))
        now += delays[-1]
    *growing, last = delays
    assert growing == sorted(growing) and growing[0] <= 60 and growing[-1] <= 1800
    assert 4 * HOUR <= now - last <= 5 * HOUR and last == HOUR and calls > 8
    standing.failed(now, "unreachable")
    assert standing.paused and standing.wait(now) == HOUR
    standing.succeeded()
    assert not standing.paused and standing.wait(now) == 0.0 and standing.trouble() is None


@example([("observers", False, later) for later in (0.15, 31635.1, 31635.1)])
@given(st.lists(st.tuples(st.sampled_from(["filters", "observers"]), st.booleans(), st.floats(0, 1e5))))
def test_a_part_waits_only_while_it_fails(steps: list[tuple[str, bool, float]]) -> None:
    """However calls end and time passes: never after a success, and what is called with each delivery pauses after
    exactly three failures in a row."""
    standings, now = {hook: Standing(hook) for hook in ("filters", "observers")}, 0.0
    failures = dict.fromkeys(standings, 0)
    for hook, good, later in steps:
        standing, now = standings[hook], now + later
        if good:
            standing.succeeded()
            failures[hook] = 0
        else:
            standing.failed(now, "x")
            failures[hook] += 1
        assert standing.failures == failures[hook]
        assert (standing.wait(now) == 0) == (good or (hook == "filters" and failures[hook] < AT_ONCE.failures))
        assert standing.wait(now) <= HOUR


def test_each_part_fails_by_itself(kit: Kit) -> None:
    """An observer that fails for hours keeps neither the plugin's handlers nor its other observer."""
    now, heard = [0.0], list[Any]()

    def fail(changes: list[Change], _mirror: ReadOnly) -> None:
        raise OSError("unreachable")

    handlers = {"message/added": lambda fields, claims: heard.append("handler")}
    good = Observer("good", {"contact": ()}, lambda changes, _: heard.append("observer"))
    kit.enable(plugin(observers=[Observer("bad", {"contact": ()}, fail), good], event_handlers=handlers), "both")
    (loaded,) = kit.engine.plugins.extensions.plugins
    loaded.calls._clock = lambda: now[0]
    kit.load("contact", [contact(1)])
    bad, fine = kit.engine.plugins.queues
    while not (bad.step() and loaded.calls.troubles()[0].paused):
        now[0] += 60.0
    assert now[0] >= 4 * HOUR and fine.step() == 0.0
    kit.post("message/added", message(1, "hello"))
    assert heard == ["observer", "handler"]
    (said,) = [text for text in kit.problems() if "both" in text]
    assert "the observer bad failed" in said and " changes wait for it, none is lost" in said and "OSError" in said
    fail_no_more = Calls("both")
    bad.calls = fail_no_more
    object.__setattr__(bad.observer, "on_change", lambda changes, _: heard.append(changes[0].key))
    assert kit.notify() == 2 and (1,) in heard


def test_a_source_that_fails_is_no_problem_at_once_and_waits_longer_each_time(kit: Kit) -> None:
    now, tries = [0.0], list[float]()

    def fetch(_folder: Path) -> None:
        tries.append(now[0])
        raise PluginError("the list is not there")

    kit.enable(plugin(sources=[Source("list", timedelta(seconds=20), fetch)]), "desk")
    work, drop = kit.engine.plugins, kit.config.drop.folder
    ((loaded, source),) = [(p, s) for p in work.extensions.plugins for s in p.declared.sources]
    loaded.calls._clock = lambda: now[0]
    while now[0] < 600:
        before = len(tries)
        if before and now[0] - tries[-1] < 19:
            continue
        try:
            assert work.scheduled(loaded, source, drop) is None
        except Unavailable as error:
            assert str(error) == "plugin desk: sources: the list is not there"
        now[0] += 20.0
    assert [later - earlier for earlier, later in pairwise(tries)] == [60.0, 120.0, 240.0]
    kit.engine.mirror.writer.run(lambda c: None)
    assert not any("desk" in text for text in kit.problems())
    with pytest.raises(PluginFailed):
        work.fetch(loaded, source, drop, now=True)
    assert tries[-1] == now[0], "by hand it does not wait"


async def test_the_daemon_runs_a_failed_source_again_when_it_may_be_called(kit: Kit) -> None:
    now = [0.0]
    kit.enable(plugin(sources=[Source("list", "0 3 * * *", lambda folder: 1 / 0)]), "desk")
    work = kit.engine.plugins
    work.extensions.plugins[0].calls._clock = lambda: now[0]
    (task,) = plugin_tasks(work, kit.config)
    for minutes in (1, 2, 4):
        with pytest.raises(Unavailable, match="ZeroDivisionError"):
            await task.run()
        assert (task.name, task.after) == ("plugin desk.list", timedelta(minutes=minutes))
        assert await task.run() is None, "its time has not come"
        now[0] += minutes * 60.0


def test_only_what_began_and_ended_is_reported() -> None:
    now, said = [0.0], list[tuple[str, Trouble | None]]()
    calls = Calls("p", 1.0, lambda: now[0])
    calls.report = lambda part, trouble: said.append((part, trouble))
    for name in ("a", "b"):
        with pytest.raises(PluginFailed):
            calls.one("observers", lambda: 1 / 0, name=name)
    assert calls.one("observers", lambda: 1, name="a", now=True) == 1
    calls.one("observers", lambda: 1, name="c")
    assert [(part, trouble is None) for part, trouble in said] == [
        *(("observers.a", False), ("observers.b", False), ("observers.a", True)),
    ]
    assert calls.wait("observers", "b") > 0 == calls.wait("observers", "a") == calls.wait("event_handlers")
    calls.close()


def test_what_an_earlier_version_had_paused_disturbs_no_status(kit: Kit) -> None:
    """It kept since and error alone, under the plugin's name."""
    earlier = {"since": "2026-02-04T00:00:00.000Z", "error": "TimeoutError"}
    kit.enable(plugin(observers=[Observer("names", {"contact": ()}, lambda *_: None)]), "alert")
    kit.engine.mirror.writer.run(lambda connection: marks.put_facts(connection, "plugin:alert", earlier))
    assert not any("alert" in text for text in kit.problems())


SOURCE = """
from datetime import timedelta
from promptsync import Claims, Column, FileKind, Kind, Source, Table, hookimpl

@hookimpl
def tables(settings):
    key, org = Column("id", Kind.INTEGER, "ID"), Column("org_id", Kind.INTEGER, "Org")
    columns = (key, org, Column("a", Kind.TEXT, "A", "a"))
    return [Table("shift", "Shifts.", ("id",), columns)]

@hookimpl
def file_kinds(settings):
    def decode(path):
        for line in path.read_text().split():
            claims = Claims(0, 1, 1_770_192_000_000_000, [])
            claims.row("shift", int(line)).claim("a", claims.at, "x")
            yield claims
    return [FileKind("shifts", "shifts_*.txt", decode)]

@hookimpl
def sources(settings):
    def fetch(folder):
        (folder / "shifts_1.txt").write_text(settings.path("list", "list.txt").read_text())
    return [Source("desk", timedelta(hours=1), fetch)]
"""


def test_a_source_is_fetched_by_hand_and_status_knows_it(tmp_path: Path) -> None:
    config = tmp_path / "promptsync.toml"
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shifts.py").write_text(SOURCE)
    config.write_text('[webhook]\nallow_unauthenticated = true\n[plugins]\nenabled = ["shifts"]\n')

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(main, ["--config", str(config), *arguments, "--json"], catch_exceptions=False)
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    code, (report,) = run("fetch", "shifts")
    assert code == 1 and "FileNotFoundError in line 23 of shifts.py" in report["error"]
    (tmp_path / "list.txt").write_text("1 2 3")
    code, (report,) = run("fetch", "shifts.desk")
    assert code == 0 and (report["listed"], report["loaded"]) == (1, 1)
    assert [(file["state"], file["inserted"], file["unchanged"]) for file in report["files"]] == [("merged", 3, 0)]
    (tmp_path / "list.txt").write_text("2 3 4")
    _, (report,) = run("fetch")
    assert [(file["inserted"], file["unchanged"]) for file in report["files"]] == [(1, 2)]
    _, status = run("status")
    assert not [says for says in status["problems"] if "Nothing has arrived yet" in says]
    source, files = status["plugin_parts"]
    assert (source["name"], source["outcome"]) == ("desk", "done") and source["last_success"]
    assert (files["name"], files["newest_file"], files["rows"]) == ("shifts", "shifts_1.txt", 3)
    code, said = run("fetch", "nonsense")
    assert code == 2 and "'nonsense' is none of the sources configured: shifts.desk." in said
