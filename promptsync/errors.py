"""The error tree: every way promptsync itself gives up.

Owns the types, and how the place of a foreign error, the machine's own reasons and sizes are put into words. Foreign
exceptions are translated into these where they enter; whether to try again is decided by ``retryable``, never by a
message's text; only ``cli/`` turns them into sentences and exit codes.

    PromptsyncError
    +-- ConfigError           wrong configuration or wrong use (exit 2)
    |   +-- NotOwner          another user writes this mirror, and only that one may
    |   +-- SchemaMismatch    the mirror was made by other declarations, and no migration leads to these
    +-- Unavailable           cannot be done now, try again later (exit 3, retryable)
    |   +-- FileUnavailable   one file or folder cannot be taken now: all others can
    |   +-- MirrorLocked      another process writes this mirror
    |   +-- MirrorFull        no room, read-only, or the disk refuses to sync
    +-- MirrorBroken          the database cannot be trusted any more: the process must end
    +-- InputRefused          bytes that cannot be what they claim to be
        +-- Held              a file that a person must look at before it is merged
"""

import errno
import os
import pwd
import traceback
from collections.abc import Sequence


class PromptsyncError(Exception):
    """Base of all. ``str(error)`` is one sentence that says what to do next."""

    retryable = False


class ConfigError(PromptsyncError):
    """The configuration or the call is wrong; nothing was done."""


class NotOwner(ConfigError):
    """Only ``owner``, a user of this machine, may write this mirror; nothing was done."""

    def __init__(self, sentence: str, owner: str) -> None:
        super().__init__(sentence)
        self.owner = owner


class SchemaMismatch(ConfigError):
    """A mirror's table was declared otherwise when it was made, and no migration is written; nothing was done."""


class Unavailable(PromptsyncError):
    """It cannot be done now, but nothing is wrong with the request."""

    retryable = True


class FileUnavailable(Unavailable):
    """One file or folder cannot be read now, or not by what has to decode it; whoever has others goes on with them."""


class MirrorLocked(Unavailable):
    """Another process holds the mirror's write lock."""


class MirrorFull(Unavailable):
    """The mirror cannot be made durable now: disk full, read-only or failing to sync."""


class MirrorBroken(PromptsyncError):
    """A fatal input/output or corruption error: the state is unknown, the process must end."""


class InputRefused(PromptsyncError):
    """Bytes from outside are not what they should be. ``reason`` is a short stable class name."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Can be sent to another process, its traceback apart."""
        return type(self), (self.reason, str(self))


class Held(InputRefused):
    """A file is kept back until a person has looked at it (``load --accept``)."""


def in_words(error: OSError) -> str:
    """The machine's reason, and where it is a permission who needs that, without a full stop.

    >>> in_words(FileNotFoundError(2, "No such file or directory"))
    'No such file or directory'
    """
    why = error.strerror or type(error).__name__
    return (
        f"{why} (let the user {user_name(os.geteuid())} read it)" if error.errno in (errno.EACCES, errno.EPERM) else why
    )


def ended(sentence: str) -> str:
    """A sentence with its full stop, if it has no end yet.

    >>> ended("x is no key, did you mean 'y'?"), ended("x is missing")
    ("x is no key, did you mean 'y'?", 'x is missing.')
    """
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def names_in_words(names: Sequence[str], most: int) -> str:
    """Names in a row, those beyond ``most`` only counted.

    >>> names_in_words(["a", "b", "c"], 3), names_in_words(["a", "b", "c", "d"], 2)
    ('a, b, c', 'a, b and 2 more')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def size_in_words(count: int) -> str:
    """Bytes for people.

    >>> size_in_words(512), size_in_words(3 << 29)
    ('512 B', '1.5 GiB')
    """
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:,.0f} B" if unit == "B" else f"{amount:,.1f} {unit}"


def user_name(uid: int) -> str:
    """What a user of this machine is called; the number of one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def where_raised(error: BaseException) -> str:
    """``file:line`` of the code that raised ``error``, folders left out; empty when it was not raised.

    For foreign errors, whose messages can quote what was received.
    """
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
