"""What a place is: it lists items by pages, reads one in chunks, from an offset where it can, takes and gives files.

Owns the contract that every adapter keeps, what is needed to open one, and how a place is named in public: without
user, password, query or fragment. tests/places/place_contract.py is the contract as tests.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit, urlunsplit

from promptsync.errors import PromptsyncError
from promptsync.places.entries import printable

PATTERN_PARTS: Final = ("{table}", "{org}", "{date}")
"""What a web server's location may hold in place of names that are made up for each file."""


class NotContinued(PromptsyncError):
    """The version that a part of an item was begun with cannot be had any more: read it from its beginning."""


class Item(NamedTuple):
    """One file at a place. ``key``: its name there, parts separated by ``/``; never joined to a path of this machine.

    ``tag``: changes when the content does (an ETag, else made of size and time). ``size``: bytes, None if not known.
    ``modified``: microseconds since the epoch. ``sha256``: hex, where the place states it. ``name``: the file name that
    it goes by, if the key's last part is not one.
    """

    key: str
    tag: str
    size: int | None = None
    modified: int | None = None
    sha256: str | None = None
    name: str | None = None

    @property
    def file_name(self) -> str:
        """The name that says what is in it. From outside: to be parsed, not to be trusted."""
        return self.name or self.key.rsplit("/", 1)[-1]


class PassedOver(NamedTuple):
    """An entry that a listing had to leave out. ``key``: its name there; with a slash at its end it is a folder, of
    which nothing below is known. ``why``: what is wrong with it, to follow its name."""

    key: str
    why: str

    def hides(self, key: str) -> bool:
        """Whether it leaves open if there is such an item."""
        return key.startswith(self.key) if self.key.endswith("/") else key == self.key

    def sentence(self) -> str:
        """For people."""
        return f"{printable(self.key)} was passed over: {self.why}"


Pass = Callable[[PassedOver], None]
"""Called with each entry that a listing passes over."""


def ignore(_: PassedOver) -> None:
    """For callers that do not need the entries passed over."""


class Place(Protocol):
    """An open place.

    Every call raises Unavailable if it cannot be reached now, ConfigError if it refuses us, InputRefused if what it
    says makes no sense; those that name an item raise Gone if it is not there any more, or not in that version.
    """

    ranged: bool
    """Whether ``read`` can start in the middle, of the same version."""
    settles: bool
    """Whether a file can be seen before all of it is written."""

    def pages(self, passed: Pass = ignore) -> AsyncIterator[list[Item]]:
        """Every file there, once, in no certain order, some at a time: a place can hold very many.

        An entry that cannot be listed, be it for its name or for what it permits, is handed to ``passed``; the rest is
        listed all the same. An error is raised only for what concerns the place as a whole.
        """
        ...

    def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The item's bytes from ``offset`` on, in pieces of at most a few MiB.

        Raises NotContinued if it is not certain that they belong to the version that was read up to there, and
        FileUnavailable for what comes in place of the file.
        """
        ...

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """The MD5 that the place states of an item, hex; None if it states none.

        Some say it in a way that can mean something else too: with ``sure`` they are asked until it is certain.
        """
        ...

    async def remove(self, item: Item) -> None:
        """Delete this version of an item."""
        ...

    async def move(self, item: Item, folder: str) -> None:
        """Move this version of an item to the same key below ``folder``, in place of what may be there."""
        ...

    async def put(self, key: str, source: Path) -> None:
        """Store a file of this machine under ``key``, in place of what may be there: whole and durable, or not at all.

        Meanwhile no listing has it. Raises FileUnavailable if the file cannot be read.
        """
        ...

    async def tidy(self, prefix: str) -> None:
        """Remove what a killed ``put`` left of keys that begin with ``prefix``, while none of them is being put."""
        ...


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    """What opens a place. ``location``: as configured. ``expected``: values of ``{table} {org} {date}``, each with the
    file name that the result goes by, for a location that is a pattern."""

    location: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)
    known_hosts: Path | None = None
    allowed_hosts: frozenset[str] = frozenset()
    expected: tuple["Expected", ...] = ()
    stall_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Expected:
    """One file that should exist. ``date``: ISO, of the night. ``name``: the vendor's name of such a file."""

    table: str
    org: str
    date: str
    name: str


def partial_key(key: str) -> str:
    """What an item is called while it is being put: hidden, so that no listing has it.

    >>> partial_key("a/b.age")
    'a/.b.age.partial'
    """
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}.{name}.partial"


def is_partial(name: str, prefix: str) -> bool:
    """Whether a file name is that of a part of a key that begins with ``prefix``."""
    return name.startswith(f".{prefix}") and name.endswith(".partial")


def public_name(location: str) -> str:
    """How a place is called in the ledger, in logs and by people: nothing that could open a door.

    >>> public_name("sftp://ana@files.example.com/out?token=1")
    'sftp://files.example.com/out'
    """
    if "://" not in location:
        return location
    parts = urlsplit(location)
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_pattern(location: str) -> bool:
    """Whether a location holds ``{table}``, ``{org}`` or ``{date}``."""
    return any(part in location for part in PATTERN_PARTS)
