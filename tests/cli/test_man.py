"""The manual pages: one of every command, with all its options, as man(1) can set them."""

import shutil
import subprocess
from pathlib import Path

import click
import pytest
from cli_place import run

from promptsync.cli import main


def commands(group: click.Command, name: str = "promptsync") -> dict[str, click.Command]:
    """Every command by the name of its page."""
    found = {name: group}
    if isinstance(group, click.Group):
        ctx = click.Context(group)
        for inner in group.list_commands(ctx):
            command = group.get_command(ctx, inner)
            assert command is not None
            found |= commands(command, f"{name}-{inner}")
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man") / "man1"
    folder.mkdir()
    (folder / "promptsync-gone.1").write_text(
        '.TH "PROMPTSYNC GONE" "1" "2026-01-31" "0.1.0" "promptsync gone Manual"\n'
    )
    result = run("man", folder)
    assert result.exit_code == 0 and str(folder) in result.output
    return folder


def test_every_command_has_a_page_with_every_option(pages: Path) -> None:
    wanted = commands(main)
    assert {page.name for page in pages.iterdir()} == {f"{name}.1" for name in wanted}
    for name, command in wanted.items():
        text = (pages / f"{name}.1").read_text().replace("\\-", "-")
        for option in (one for one in command.params if isinstance(one, click.Option) and not one.hidden):
            assert all(spelled in text for spelled in option.opts), (name, option.opts)
        if isinstance(command, click.Group):
            assert all(f"{name}-{inner}(1)" in text for inner in command.list_commands(click.Context(command))), name


def test_groff_sets_them_without_a_word(pages: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=100n", "-rHY=0", *map(str, sorted(pages.iterdir()))]
    said = subprocess.run(command, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
    shown = "".join(said.stdout.split())
    for page in pages.iterdir():
        first = page.read_text().partition("SH DESCRIPTION\n")[2].partition("\n")[0].removeprefix("\\&")
        assert "".join(first.split()) in shown, page.name


def test_everybody_can_read_them_and_pages_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "man" / "man1"
    assert run("man", folder).exit_code == 0
    others = {"promptsync-notes.1": ".TH PROMPTSYNC-NOTES 1\n", "promptsync-latin.1": "caf\xe9", "other.1": ""}
    for name, text in others.items():
        (folder / name).write_text(text, "latin-1")
    (folder / "promptsync-load.1").chmod(0o640)
    assert run("man", folder).exit_code == 0
    assert {one.stat().st_mode & 0o777 for one in (folder, folder.parent, folder.parent.parent)} == {0o755}
    assert {page.stat().st_mode & 0o777 for page in folder.iterdir() if page.name not in others} == {0o644}
    assert {name: (folder / name).read_text("latin-1") for name in others} == others


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("man", tmp_path / "file" / "man1")
    assert result.exit_code == 3 and "name another folder" in result.stderr
