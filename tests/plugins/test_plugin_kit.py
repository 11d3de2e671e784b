"""The kit that authors test with: every hook can be tried, and what fails shows how it came about."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from promptsync import Claims, FileKind, Observer, Page, PluginError, Settings, Source, hookimpl, ok, problem
from promptsync.testing import Kit
from tests.plugins.plugin_samples import AT, contact, message
from tests.plugins.test_plugin_hooks import plugin


def _decode(path: Path) -> Any:
    for line in path.read_text().splitlines():
        claims = Claims(0, 1, AT * 1000, [])
        claims.row("contact", int(line)).claim("name", claims.at, f"Contact {line}")
        yield claims


def _fetch(folder: Path) -> None:
    (folder / "people_1.txt").write_text("1\n2\n")


def _broken(*_: Any) -> Any:
    raise ValueError("of the author's own")


def test_a_source_is_fetched_and_what_it_leaves_loaded(kit: Kit) -> None:
    list_ = Source("list", timedelta(hours=1), _fetch)
    kit.enable(plugin(file_kinds=[FileKind("people", "people_*.txt", _decode)], sources=[list_]), "people")
    for name, state in (("list", "merged"), ("people.list", "unchanged")):
        (report,) = kit.fetch(name)
        assert (report.name, report.state, report.rows) == ("people_1.txt", state, 2 if state == "merged" else 0)
    assert [row["display_name"] for row in kit.rows("contact")] == ["Contact 1", "Contact 2"]
    with pytest.raises(LookupError, match="no other among the sources of the plugins: list"):
        kit.fetch("other")


def test_a_page_a_check_and_a_command_are_asked(kit: Kit) -> None:
    class Mine:
        @hookimpl
        def commands(self, settings: Settings) -> list[click.Command]:
            @click.command()
            @click.argument("word")
            def count(word: str) -> None:
                click.echo(f"{word}: {len(settings.mirror.rows('SELECT id FROM contact'))}")

            return [count]

        @hookimpl
        def pages(self) -> list[Page]:
            return [Page("hello", "Hello", lambda query, mirror: f"<p>{query['who']} {mirror.rows('SELECT 1 AS x')}")]

        @hookimpl
        def checks(self) -> list[Any]:
            return [lambda mirror: [ok("contacts", "There are some."), problem("contacts", "Too few.")]]

    kit.enable(Mine(), "mine").load("contact", [contact(1)])
    done = kit.command("count", "contacts")
    assert (done.exit_code, done.output) == (0, "contacts: 1\n")
    assert kit.page("hello", who="Ana") == kit.page("/mine/hello", who="Ana") == "<p>Ana [{'x': 1}]"
    assert [(one.level.value, one.says) for one in kit.check()] == [("ok", "There are some."), ("problem", "Too few.")]


def test_what_a_function_raises_is_the_cause_or_is_printed(kit: Kit, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"sources": [Source("list", timedelta(hours=1), _broken)], "pages": [Page("hello", "Hello", _broken)]}
    broken["observers"] = [Observer("all", {"contact": ()}, _broken)]
    kit.enable(plugin(**broken, event_handlers={"message/added": _broken}), "broken").load("contact", [contact(1)])
    for ask in (lambda: kit.fetch("list"), lambda: kit.page("hello"), kit.notify):
        with pytest.raises(PluginError, match="ValueError in line") as caught:
            ask()
        assert isinstance(caught.value.__cause__, ValueError)
    capsys.readouterr()
    kit.post("message/added", message(1, "hello"))
    assert "ValueError: of the author's own" in capsys.readouterr().err


def test_old_names_work(kit: Kit) -> None:
    heard: list[Any] = []

    def handle(fields: Any, claims: Claims) -> None:
        claims.row("contact", 7).told("name", claims.at, "Ana")

    observer = Observer("all", {"contact": ()}, told=lambda changes, _: heard.extend(changes))
    assert observer.told is observer.on_change
    kit.enable(plugin(event_handlers={"ping": handle}, observers=[observer]), "old")
    kit.post("ping", {"orgId": 1})
    assert kit.tell() == 1 and [change.key for change in heard] == [(7,)]
    for wrong in ({}, {"on_change": _broken, "told": _broken}, {"on_chnge": _broken}):
        with pytest.raises(TypeError, match="an Observer takes"):
            Observer("all", {"contact": ()}, **wrong)


def test_pytest_finds_the_fixture_by_itself_and_starts_without_the_kit(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_light(): assert 'promptsync.testing' not in sys.modules\n"
        "def test_kit(kit): assert kit.rows('contact') == []\n"
    )
    others = [option for name in ("aiohttp", "xdist", "timeout") for option in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *others, "test_it.py"]
    alone = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=alone)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
