"""TAB: what is offered in a real shell, and for names that promptsync knows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_place import run
from click.shell_completion import BashComplete

from promptsync.cli import main

ASK = """
{script}
COMP_WORDS=({words}) COMP_CWORD={at}
_promptsync_completion promptsync
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offered(*words: str) -> list[str]:
    """What may stand in place of the last word."""
    completing = BashComplete(main, {}, "promptsync", "_PROMPTSYNC_COMPLETE")
    return [item.value for item in completing.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("comp",), ["completion"]),
        (("schema", "message_st"), ["message_status"]),
        (("schema", "cio_campaigns_"), ["cio_campaigns_current"]),
        (("load", "--table", "opt_i"), ["opt_in"]),
        (("reset", "cio_sub"), ["cio_subjects"]),
        (("reset", "message"), []),
        (("events", "list", "--type", "message/a"), ["message/added"]),
        (("events", "replay", "--type", "customer/optO"), ["customer/optOut"]),
        (("completion", "f"), ["fish"]),
    ],
)
def test_what_promptsync_knows_is_offered(words: tuple[str, ...], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_bash_completes_with_the_script_that_is_printed(tmp_path: Path) -> None:
    script = run("completion", "bash").stdout
    program = tmp_path / "promptsync"
    program.write_text(f"#!{sys.executable}\nfrom promptsync.cli import main\nmain()\n")
    program.chmod(0o755)
    asked = ASK.format(script=script, words="promptsync reset cio_sub", at=2)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(["bash", "--norc", "-c", asked], env=os.environ | path, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("cio_subjects\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_is_one_of_its_shell(shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_PROMPTSYNC_COMPLETE" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, capture_output=True).stderr == ""
