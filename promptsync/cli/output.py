"""What a command prints, and what becomes of it on a full disk or when its reader has gone.

Owns that for every command alike: what is printed is flushed before the command ends, so that none ends as if all had
been said; on a full disk it ends with a sentence and code 3; and how the rest of a broken stream is discarded, so that
it does not decide how the process ends.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

import click

from promptsync.cli.context import NOT_NOW as NOT_WRITTEN


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


class Watched:
    """A text stream that remembers why it could first not be written. ``error``: that, or None."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """As the stream's own."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """As the stream's own."""
        try:
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error
            raise

    def fileno(self) -> int:
        """As the stream's own."""
        return self._stream.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def is_about_output(error: BaseException) -> bool:
    """Whether it is standard output that raised this."""
    return isinstance(sys.stdout, Watched) and sys.stdout.error is error


def forgive(stream: object) -> None:
    """Forget why a stream could not be written: that is not what the command is judged by."""
    if isinstance(stream, Watched):
        stream.error = None


@contextmanager
def written() -> Iterator[None]:
    """Around a whole command: raises SystemExit(3) if what it printed could not be written."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process: nobody reads it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  for as long as the process lives
    before = sys.stdout
    sys.stdout = watched = Watched(before)
    end: SystemExit | None = None
    try:
        yield
    except SystemExit as error:
        end = error
    except OSError as error:
        if not is_about_output(error):
            raise
    finally:
        sys.stdout = before
        discard_output(sys.stderr)
    _end(watched, end)
    if end is not None:
        raise end


def _end(stdout: Watched, end: SystemExit | None) -> None:
    discard_output(stdout)
    error = stdout.error
    if error is None:
        return
    if isinstance(error, BrokenPipeError):
        raise SystemExit(0 if end is None else end.code)
    if end is None or end.code != NOT_WRITTEN:
        complain(
            f"promptsync: standard output cannot be written ({error.strerror}); make room or print to another place."
        )
    discard_output(sys.stderr)
    raise SystemExit(NOT_WRITTEN)
