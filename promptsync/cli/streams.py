"""The standard streams of a process whose output may have nowhere to go: a full disk, a reader that has ended.

Owns that neither decides how the process ends.
"""

import os
import select
import sys
from contextlib import suppress
from typing import Protocol

import click


class Writable(Protocol):
    """What is asked of a stream here."""

    def flush(self) -> object: ...

    def fileno(self) -> int: ...


def complain(text: str) -> None:
    """A line to standard error, if it can be written."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True)


def announce(text: str) -> None:
    """Print a line to standard output; the program goes on even if nobody reads it."""
    try:
        click.echo(text)
    except (OSError, ValueError):
        discard_output(sys.stdout)


def discard_output(stream: Writable) -> None:
    """Discard what is left in a stream that cannot be written to, so that the process can still end as it should.

    Otherwise Python would end with code 120.
    """
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def reader_gone(stream: Writable) -> bool:
    """Whether a stream is a pipe that nobody reads any more, as with ``| head``."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False
