"""Standard output on a full disk, and a reader that has gone: one sentence and the right exit code of every command."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_deliveries import customer, line, write
from cli_place import Place
from click.testing import CliRunner

from promptsync.cli import main

PRINT = [
    ["--help"],
    ["--version"],
    ["status"],
    ["status", "--json"],
    ["doctor"],
    ["doctor", "--json"],
    ["schema"],
    ["schema", "--json"],
    ["events", "list"],
    ["events", "list", "--json"],
    ["events", "show", "1"],
    ["events", "export", "-"],
    ["events", "replay", "--all"],
    ["rejects", "list", "--json"],
    ["export", "list"],
    ["plugins", "list"],
    ["plugins", "list", "--json"],
]
FULL = "No space left on device"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[list[str]]:
    """Every command and group of commands, asked for help."""
    found = []
    for name, command in group.commands.items():
        found.append([*path, name, "--help"])
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.fixture
def filled(place: Place, tmp_path: Path) -> Place:
    lines = write(tmp_path / "in.jsonl", line("customer/added", customer()))
    assert place.run("events", "import", lines).exit_code == 0
    return place


@pytest.mark.parametrize("buffering", [1, -1], ids=["each line", "at the end"])
@pytest.mark.parametrize("args", [*PRINT, *commands(main)], ids=" ".join)  # type: ignore[arg-type]
def test_a_full_disk(
    filled: Place,
    args: list[str],
    buffering: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("/dev/full").open("w", buffering=buffering) as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(filled.file), *args], prog_name="promptsync")
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("promptsync: ") and FULL in said


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [(">/dev/full", 3, FULL), ("2>/dev/full", 0, ""), (">/dev/full 2>/dev/full", 3, ""), (">&- 2>&-", 0, "")],
)
def test_the_exit_code_of_a_process(ends: str, code: int, said: str) -> None:
    """Python itself would end with 120 if anything were left to write."""
    env = os.environ | {"PYTHONUNBUFFERED": ""}
    command = f"'{sys.executable}' -m promptsync --version {ends}"
    ran = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert said in ran.stderr and ran.stderr.count("\n") == bool(said)


def test_a_reader_that_has_gone() -> None:
    command = f"'{sys.executable}' -m promptsync schema | head -c 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("#0\n", "")


def test_no_color_where_none_is_wanted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: whatever its value, unless empty."""
    args = ["--config", str(place.file), "doctor"]
    for value, colored in (("", True), ("0", False), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        assert ("\x1b[" in CliRunner().invoke(main, args, color=True).output) is colored
