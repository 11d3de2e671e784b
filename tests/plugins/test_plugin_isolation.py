"""Plugins that misbehave: each fails by itself, with its name, and everything else goes on."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptsync import Claims, Filter, Observer, PluginError, hookimpl, problem
from promptsync.errors import ConfigError
from promptsync.plugins.calls import Calls, PluginFailed, PluginPaused
from promptsync.testing import Kit
from tests.plugins.plugin_samples import contact, message
from tests.plugins.test_plugin_hooks import plugin


def raising(*_: Any) -> None:
    raise ValueError("+14155550123 wrote")


def test_a_handler_that_raises_fails_that_delivery_with_the_plugins_name(kit: Kit) -> None:
    kit.enable(plugin(event_handlers={"message/added": raising}), "clumsy")
    id_ = kit.post("message/added", message(1, "hello"))
    event = kit.event(id_)
    assert event["state"] == "failed"
    assert event["error"].startswith("plugin clumsy: event_handlers: ValueError in line ")
    assert "4155550123" not in event["error"]
    assert not kit.rows("message")
    assert kit.post("message/status", {"orgId": 1, "messages": []}) and len(kit.rows("sync_event")) == 2
    assert kit.event(2)["state"] == "applied"


@pytest.mark.parametrize(
    ("garbage", "said"),
    [
        (lambda f, c: "done", "returned str"),
        (lambda f, c: c.row("nowhere", 1).told("facts", c.at, 1) and None, "no table nowhere"),
        (lambda f, c: c.row("contact", "one").told("name", c.at, "x") and None, "contact.id takes integer"),
        (lambda f, c: c.row("contact", 1).told("name", c.at, "x", "y") and None, "no group name of 2"),
        (lambda f, c: c.row("contact", 1).told("name", c.at, object()) and None, "takes text, not object"),
        (lambda f, c: c.row("contact").told("name", c.at, "x") and None, "a key of contact is id"),
        (lambda f, c: c.event("message_status", 0, 1), "message_status has"),
        (lambda f, c: c.rows.append("row"), "where Claims are wanted"),
        (lambda f, c: c.full_lists.append((1,)), "ValueError"),
    ],
)
def test_garbage_fails_with_the_plugins_name(kit: Kit, garbage: Any, said: str) -> None:
    kit.enable(plugin(event_handlers={"message/added": garbage}), "odd")
    event = kit.event(kit.post("message/added", message(1, "hello")))
    assert event["state"] == "failed" and event["error"].startswith("plugin odd: ") and said in event["error"]


def test_a_handler_beyond_its_time_fails_and_what_it_does_later_is_ignored(kit: Kit) -> None:
    go_on, came_back = threading.Event(), threading.Event()

    def slow(fields: Any, claims: Claims) -> None:
        if fields.object("message").text("content") == "slow":
            go_on.wait(60)
            came_back.set()
        claims.row("contact", 99).told("name", claims.at, "late")

    kit.configure(limit="0.2 seconds").enable(plugin(event_handlers={"message/added": slow}), "sleepy")
    assert "longer than 0.2 seconds" in kit.event(kit.post("message/added", message(1, "slow")))["error"]
    assert not came_back.is_set()
    assert kit.event(kit.post("message/added", message(2, "quick")))["state"] == "applied"
    assert kit.rows("SELECT display_name FROM contact WHERE id = 99") == [{"display_name": "late"}]
    go_on.set()
    assert came_back.wait(60) and [row["id"] for row in kit.rows("message")] == [2]


def test_the_writer_is_free_while_a_plugin_takes_its_time(kit: Kit) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        entered.set()
        go_on.wait(10)

    kit.configure(limit="10 seconds").enable(plugin(event_handlers={"message/added": slow}), "sleepy")
    kit.engine  # noqa: B018  opened by this thread
    posting = threading.Thread(target=kit.post, args=("message/added", message(1, "x")))
    posting.start()
    assert entered.wait(5)
    kit.engine.mirror.writer.submit(lambda c: None).result(timeout=1)
    go_on.set()
    posting.join(5)
    assert kit.event(1)["state"] == "applied"


def test_three_failures_in_a_row_pause_the_plugin_and_status_says_so(kit: Kit) -> None:
    kit.enable(plugin(event_handlers={"message/added": raising}), "clumsy")
    states = [kit.event(kit.post("message/added", message(n, "hello")))["state"] for n in range(1, 6)]
    assert states == ["failed"] * 3 + ["applied"] * 2
    kit.engine.mirror.writer.run(lambda c: None)
    (said,) = [text for text in kit.problems() if "clumsy" in text]
    assert said.startswith("Plugin clumsy: its event_handlers failed 3 times in a row since ") and "ValueError" in said
    assert "promptsync events replay --since 20" in said
    (loaded,) = kit.engine.plugins.extensions.plugins
    assert loaded.as_dict() | {"seconds": 0} == {
        "name": "clumsy",
        "from": "given",
        "hooks": ["event_handlers"],
        "calls": 3 + 1,
        "failures": 3,
        "seconds": 0,
        "paused": True,
        "error": loaded.calls.error,
        "fingerprint": "",
        "failing": [
            {
                "hook": "event_handlers",
                "name": "",
                "error": loaded.calls.error.removeprefix("event_handlers: "),
                "failures": 3,
                "paused": True,
            }
        ],
    }
    kit.restart()
    assert not any("clumsy" in text for text in kit.problems())


def test_nothing_passes_a_filter_that_fails(kit: Kit) -> None:
    kit.enable(plugin(filters=[Filter(claims=raising, rows=raising)]), "guard")
    for n in range(1, 6):
        event = kit.event(kit.post("message/added", message(n, "secret")))
        assert event["state"] == "failed" and "plugin guard" in event["error"]
    assert not kit.rows("message")


def test_a_file_fails_with_the_filters_name(kit: Kit) -> None:
    kit.enable(plugin(filters=[Filter(rows=lambda table, batch: batch.slice(1).to_pylist())]), "guard")
    report = kit.load("contact", [contact(1), contact(2)])
    assert report.state == "held" and "plugin guard: filters: the filter of rows of contact" in str(report.error)
    assert not kit.rows("contact")


def test_an_observer_is_told_again_until_it_takes_it(kit: Kit) -> None:
    told: list[Any] = []

    def twice(changes: list[Any], _mirror: Any) -> None:
        told.append([change.key for change in changes])
        if len(told) < 3:
            raise PluginError("not today")

    kit.enable(plugin(observers=[Observer("again", {"contact": ()}, twice)]), "again")
    kit.load("contact", [contact(1)])
    (loaded,) = kit.engine.plugins.extensions.plugins
    for _ in range(2):
        with pytest.raises(PluginError, match="not today"):
            kit.tell()
    assert kit.tell() == 1
    assert told == [[(1,)]] * 3
    assert (loaded.calls.tallies["observers"].failures, loaded.calls.troubles()) == (2, [])


TABLE = "from promptsync import *\n@hookimpl\ndef tables(settings): return [Table('t', 'x', ('id',), ({},))]"
HOOK = "from promptsync import *\n@hookimpl\ndef {}(settings): return [{}]"


def _causes(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("@hookimpl\nasync def observers(settings): return []", "observers must be a plain function"),
        ("@hookimpl\ndef observer(settings): return []", "unknown hook 'observer'"),
        ("@hookimpl\ndef observers(setings): return []", "setings"),
        ("@hookimpl(wrapper=True)\ndef observers(settings): return (yield)", "not a wrapper"),
        ("@hookimpl\ndef observers(settings): return ['me']", "must return a list of Observer objects"),
        ("@hookimpl\ndef tables(settings): raise ValueError('x')", "start: ValueError in line 3 of bad.py"),
        ("@hookimpl\ndef event_handlers(settings):\n    async def h(f, c): ...\n    return {'a': h}", "asynchronous"),
        ("@hookimpl\ndef event_handlers(settings): return {'a': None}", "is not a function"),
        ("@hookimpl\ndef checks(settings): settings.text('url')", "plugins.bad.url is missing"),
        ("x = 1", "implements no hook"),
        (TABLE.format('Column("id", "integer", "ID")'), "tables: Column('id'): kind takes Kind.INTEGER, not 'integer'"),
        (TABLE.format('Column("id", "numeric", "ID")'), "kind takes one of Kind.INTEGER, Kind.REAL"),
        (TABLE.format('Column(7, Kind.TEXT, "ID")'), "Column(7): name takes a text, not 7"),
        (TABLE.format('"id"'), "Table('t'): columns takes a tuple in which each is a Column, not a tuple"),
        (HOOK.format("pages", "Page('/x y', 'X', print)"), "Page('/x y'): a path is made of letters"),
        (HOOK.format("pages", "Page('x', 'X', 'print')"), "Page('x'): html takes a function, not 'print'"),
        (HOOK.format("pages", "Page('x', 'X', print), Page('/x/', 'Y', print)"), "pages: x is there twice"),
        (HOOK.format("pages", "Page('x', ' ', print)"), "it needs a title"),
        (HOOK.format("file_kinds", "FileKind('a', 'contact_*.csv.gz', list)"), "takes contact_1044_2026-02-04T"),
        (HOOK.format("file_kinds", "FileKind('a', '*', list)"), "which promptsync loads itself; narrow it"),
        (HOOK.format("file_kinds", "FileKind('a', '*.parquet', list)"), "takes deliveries_v5_1044_17.parquet too"),
        (HOOK.format("file_kinds", "FileKind('a', 'in/*.txt', list)"), "names without folders"),
        (HOOK.format("sources", "Source('a b', '0 3 * * *', print)"), "Source('a b'): its name must be an identifier"),
        (HOOK.format("sources", "Source('a', 3600, print)"), "schedule takes a text or a timedelta, not 3600"),
        (HOOK.format("sources", "Source('a', '* * *', print)"), "the schedule of a"),
        (
            HOOK.format("observers", "Observer('o', {'contact': ('is_opted_outt',)}, print)"),
            "did you mean is_opted_out?",
        ),
        (HOOK.format("observers", "Observer('o', {'contacts': ()}, print)"), "no such table; did you mean contact?"),
        (HOOK.format("observers", "Observer('o', {'sync_file': ()}, print)"), "promptsync's own book-keeping"),
        (HOOK.format("observers", "Observer('o', ['contact'], print)"), "tables takes a mapping, not a list"),
        (HOOK.format("observers", "Observer('o', {'contact': ()}, print, limit=0)"), "limit is a number of seconds"),
        ("@hookimpl\ndef columns(settings): return {'contact': ['x']}", "must be given a list of Column objects"),
        ("from promptsync.store import mirror\n", "line 2 of bad.py imports promptsync.store, which changes"),
        ("import promptsync.engine.engine\n", "line 2 of bad.py imports promptsync.engine.engine"),
        ("def f():\n    from promptsync import store\n", "line 3 of bad.py imports promptsync.store"),
        ("import nonsense_that_is_not", "ModuleNotFoundError in line 2 of bad.py (there is no module nonsense_that_is"),
        ("from promptsync import Nonsense", "cannot import name 'Nonsense' from 'promptsync'"),
        ("def half(:", "SyntaxError in line 2 of bad.py (invalid syntax)"),
        ("@hookimpl\ndef commands(settings): raise SystemExit(3)", "SystemExit"),
    ],
)
def test_what_cannot_run_is_refused_at_the_start(kit: Kit, tmp_path: Path, body: str, said: str) -> None:
    file = tmp_path / "bad.py"
    file.write_text(f"from promptsync import hookimpl\n{body}\n")
    with pytest.raises(ConfigError) as caught:
        kit.enable(file).engine  # noqa: B018
    assert said in str(caught.value) and "bad" in str(caught.value)
    causes = [type(error) for error in _causes(caught.value)]
    assert not any(word in said for word in ("Error in line", "SystemExit")) or causes[-1].__module__ == "builtins"
    assert not any(thread.name.startswith("plugin-bad") and not thread.daemon for thread in threading.enumerate())


def test_a_setting_that_nobody_knows_is_refused(kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "fine.py"
    file.write_text("from promptsync import hookimpl\n@hookimpl\ndef checks(settings): return []\n")
    with pytest.raises(ConfigError, match=r"plugins\.fine\.colour is not a key"):
        kit.enable(file, colour="blue").engine  # noqa: B018


def test_a_plugin_that_is_not_there_is_refused(kit: Kit) -> None:
    with pytest.raises(ConfigError, match="names nobody, and there is neither"):
        kit.configure(enabled=["nobody"]).engine  # noqa: B018


@pytest.mark.parametrize("name", ["contact", "sync_mine", "Mine", "mine"])
def test_tables_that_cannot_merge_are_refused(kit: Kit, name: str) -> None:
    from promptsync import Column, Kind, Table

    table = Table(name, "x", ("id",), (Column("id", Kind.INTEGER, "x"), Column("a", Kind.TEXT, "x")))
    with pytest.raises(ConfigError, match=f"plugin bad: table {name} cannot be made"):
        kit.enable(plugin(tables=[table]), "bad").engine  # noqa: B018


def test_hooks_never_see_the_write_connection(kit: Kit) -> None:
    seen: list[Any] = []
    look = lambda *args: seen.extend(args)  # noqa: E731
    kit.enable(plugin(event_handlers={"message/added": look}, checks=[lambda m: seen.append(m) or [problem("x", "y")]]))
    kit.post("message/added", message(1, "x"))
    for value in seen:
        assert "sqlite3" not in type(value).__module__ and not hasattr(value, "execute")


def test_after_a_pause_one_try_decides() -> None:
    now, told = [0.0], []
    calls = Calls("p", 0.1, lambda: now[0])
    calls.report = lambda part, trouble: told.append((part, trouble is not None))
    results = calls.each("h", lambda n: 1 / n, [(0,), (1,), (0,), (0,), (0,), (1,)])
    assert [type(result).__name__ for result in results] == [
        *("PluginFailed", "float", "PluginFailed", "PluginFailed", "PluginFailed", "PluginPaused"),
    ]
    with pytest.raises(PluginPaused):
        calls.one("h", lambda: 1)
    now[0] = 900.0
    with pytest.raises(PluginFailed):
        calls.one("h", lambda: 1 / 0)
    assert calls.wait("h") == 900.0
    now[0] = 1800.0
    assert calls.one("h", lambda: 1) == 1
    assert told == [("h", True), ("h", True), ("h", False)]
    calls.close()


def test_settings_are_checked_key_by_key() -> None:
    from promptsync.plugins.settings import Settings

    settings = Settings("p", {"a": 1, "b": "x", "c": {"d": ["e"]}}, Path("/base"), lambda v: b"opened")
    assert (settings.number("a"), settings.text("b"), settings.texts("c")) == (1.0, "x", {"d": ["e"]})
    assert settings.path("b") == Path("/base/x") and settings.secret("c") == b"opened"
    for read, key in ((settings.text, "a"), (settings.number, "b"), (settings.flag, "a"), (settings.texts, "b")):
        with pytest.raises(ConfigError, match=rf"plugins\.p\.{key} must be"):
            read(key)
    assert settings.flag("z", True) is True and settings.unknown() == []


def test_hooks_of_an_object_work_too(kit: Kit) -> None:
    class Mine:
        @hookimpl
        def checks(self) -> list[Any]:
            return []

    assert kit.enable(Mine()).engine.plugins.extensions.plugins[0].hooks == ("checks",)


class _Unsayable(PluginError):
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_an_error_that_cannot_say_itself_fails_its_own_call_at_once() -> None:
    """And not by the time that a call has: nothing waits for a thread that has ended."""
    calls = Calls("p", limit=3600)

    def fails(number: int) -> int:
        if number == 1:
            raise _Unsayable
        return number

    zero, one, two = calls.each("hook", fails, [(0,), (1,), (2,)])
    calls.close()
    assert (zero, two) == (0, 2)
    assert isinstance(one, PluginFailed) and "_Unsayable" in str(one)
