"""``promptsync man``: the manual pages of this version, a page for each command.

Owns where they are written, for everybody to read, and which of them are no more. The text of a page is click-man's,
made of the same help that ``--help`` shows.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click_man.core import write_man_pages  # type: ignore[import-untyped]

from promptsync import __version__
from promptsync.cli.context import App
from promptsync.errors import Unavailable

_REQUEST: Final = re.compile(r"^'", re.MULTILINE)
"""What groff would take for a request: click-man lets a line of text begin with it."""

_OTHER_PAGE: Final = re.compile(r"promptsync [a-z -]+\(1\)")
"""A page as click-man names it, with spaces."""

_OURS: Final = re.compile(r'^\.TH "PROMPTSYNC[^"]*" "1" "[^"]*" "[^"]*" "promptsync[^"]* Manual"$', re.MULTILINE)
"""How a page of ours begins; others may document promptsync too."""


@click.command()
@click.argument(
    "folder", default="~/.local/share/man/man1", type=click.Path(path_type=Path, file_okay=False), metavar="[FOLDER]"
)
@click.pass_context
def man(ctx: click.Context, folder: Path) -> None:
    """Write the manual pages into FOLDER, where 'man promptsync' and 'man promptsync-load' find them.

    Without FOLDER into your own, ~/.local/share/man/man1; for everybody, as root, into /usr/local/share/man/man1.
    """
    folder = folder.expanduser()
    try:
        _make(folder)
        pages = write_pages(ctx, folder)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    ctx.ensure_object(App).say(f"{len(pages)} pages are in {folder}: man promptsync")


def write_pages(ctx: click.Context, folder: Path) -> list[Path]:
    """Write a page for every command and every command within one, and remove our own of commands that are no more.

    Raises OSError.
    """
    root = ctx.find_root().command
    assert isinstance(root, click.Group)  # noqa: S101  it is what was called
    named = {name: root.get_command(ctx.find_root(), name) for name in root.list_commands(ctx.find_root())}
    whole = click.Group(
        "promptsync",
        commands={name: command for name, command in named.items() if command is not None},
        params=root.params,
        help=root.help,
    )
    for command in _all(whole):
        command.short_help = command.get_short_help_str(200)  # click-man would cut it after 45 letters
    before = {page for page in folder.glob("promptsync*.1") if page.is_file() and _OURS.search(_text(page))}
    write_man_pages("promptsync", whole, version=__version__, target_dir=str(folder))
    written = [folder / f"{name}.1" for name in _names("promptsync", whole)]
    for page in written:
        text = _REQUEST.sub(r"\\&'", _text(page))
        page.write_text(_OTHER_PAGE.sub(lambda found: found[0].replace(" ", "-"), text), "utf-8")
        page.chmod(0o644)
    for gone in before - set(written):
        gone.unlink()
    return written


def _make(folder: Path) -> None:
    """The folder, and those above it that are missing: open to everybody, unlike all else that promptsync makes."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
        one.chmod(0o755)


def _text(page: Path) -> str:
    return page.read_text("utf-8", "replace")


def _all(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _all(inner)


def _names(name: str, command: click.Command) -> list[str]:
    inner = command.commands if isinstance(command, click.Group) else {}
    return [name, *(page for key, one in inner.items() if not one.hidden for page in _names(f"{name}-{key}", one))]
