"""The long texts: which there are, how they are shown, and that what they name is there."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_place import run

from promptsync.cli.app import COMMANDS, main
from promptsync.docs import topics
from promptsync.vendors import declared_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "promptsync" / "docs"
TEXTS = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *DOCS.glob("*.md"))}
COMMAND = re.compile(r"^promptsync (?:-v )*([a-z]+)(?: ([a-z]+)\b)?", re.M)
PROMISED = {"backup", "plugins", "merge", "tables", "speed", "troubleshooting", "service", "developing"}


def test_every_file_is_a_topic_with_its_heading() -> None:
    found = topics()
    assert found.keys() == {path.stem for path in DOCS.glob("*.md")} >= PROMISED
    listed = run("help").output
    for name, topic in found.items():
        heading = (DOCS / f"{name}.md").read_text("utf-8").splitlines()[0]
        assert heading == f"# {topic.about}"
        assert re.search(rf"^{name} +{re.escape(topic.about)}$", listed, re.M)


def test_elsewhere_than_on_a_terminal_a_text_is_markdown() -> None:
    assert run("help", "merge").output == (DOCS / "merge.md").read_text("utf-8")


def test_on_a_terminal_a_text_is_set() -> None:
    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "promptsync", "help", "merge"]
    done = subprocess.Popen(command, stdout=terminal, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"})
    os.close(terminal)
    shown = b""
    try:
        while some := os.read(ours, 1 << 16):
            shown += some
    except OSError:  # what Linux says at the end
        pass
    finally:
        os.close(ours)
    assert done.wait(30) == 0
    assert b"\x1b[1" in shown and b"# How" not in shown
    assert max(map(len, re.sub(rb"\x1b\[[0-9;]*m", b"", shown).decode().split("\r\n"))) <= 80


def test_an_unknown_topic_is_answered_with_a_near_one() -> None:
    result = run("help", "bakcup")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'backup'?" in result.stderr


def test_every_table_and_view_is_listed() -> None:
    text = topics()["tables"].text
    schema = declared_schema()
    assert all(f"| `{table.name}` |" in text for table in schema)
    assert all(f"| view `{view.name}` |" in text for view in schema.views)


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere_and_commands_exist(name: str) -> None:
    folder = ROOT if name == "README.md" else DOCS
    for link in re.findall(r"\]\(([^)#]+)\)", TEXTS[name]):
        assert link.startswith("https://") or (folder / link).is_file(), link
    for command, sub in COMMAND.findall(commands_of(TEXTS[name])):
        assert command in COMMANDS, command
        group = main.get_command(click.Context(main), command)
        if isinstance(group, click.Group) and sub:
            assert sub in group.commands, f"{command} {sub}"


def commands_of(text: str) -> str:
    """What is written as code: within back quotes, and in blocks for a shell."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return "\n".join([*blocks, *re.findall(r"(?<!`)`(promptsync [^`]+)`", text)])
