"""What a page of ours is: where it is, who may see it, and what it is asked and answers.

Owns these shapes only. A page is a function that runs on a thread, within one read transaction and its time limit; it
reads what it shows and says which template shows it. How it is run is in ``answering``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from promptsync.browse.access import Need
from promptsync.browse.dates import Dates
from promptsync.browse.queries.reader import Reader, Row
from promptsync.browse.words import Words


@dataclass(frozen=True)
class Visit:
    """A request, as a page sees it. ``query``: the last value of each name, cut. ``parts``: of the address.

    ``org``: the organisation chosen by ``?org=``, None where all are meant; ``orgs``: ``id`` and ``name`` of each.
    ``path``: the address without its query, below the root. ``stale_after``: how old the copy may be.
    """

    reader: Reader
    words: Words
    dates: Dates
    path: str
    query: Mapping[str, str]
    parts: Mapping[str, str]
    orgs: Sequence[Row] = ()
    org: int | None = None
    stale_after: timedelta = timedelta(hours=36)

    @cached_property
    def several(self) -> bool:
        """Whether there is more than one organisation to tell apart."""
        return len(self.orgs) > 1

    @property
    def elsewhere(self) -> str:
        """Where another organisation is chosen: the same list, but the start where the page is about one thing."""
        return "/" if "id" in self.parts else self.path

    def say(self, key: str, /, **parts: object) -> str:
        """A sentence, as plain text within markup; see ``Words.say``."""
        return self.words.say(key, **parts)


@dataclass(frozen=True, slots=True)
class Shown:
    """HTML. ``template``: below ``templates/pages``; ``title``: of the window."""

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Sheet:
    """A spreadsheet, as ``.csv`` or ``.xlsx`` was asked for. ``name``: of the file, without date and ending.

    ``lines``: from a position (None: the beginning) to about a thousand lines and the position after them, None at the
    end. Each call gets a transaction of its own, so it must read through the reader that it is given.
    """

    name: str
    headings: Sequence[str]
    lines: Callable[[Reader, Any], tuple[Iterable[Sequence[object]], Any]]


@dataclass(frozen=True, slots=True)
class Document:
    """JSON for programs."""

    content: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """Somewhere else. ``path``: below the root, with its query."""

    path: str


Answer = Shown | Sheet | Document | Moved


@dataclass(frozen=True, slots=True)
class Page:
    """``address``: a pattern of the whole path; its named groups are ``Visit.parts``. ``section``: the link of the
    navigation that it belongs to. ``need``: the right to see it."""

    address: str
    show: Callable[[Visit], Answer]
    section: str = ""
    need: Need = Need.READ

    @property
    def name(self) -> str:
        """What ``/-/`` is followed by, as the gate knows it: ``contact``; "" for the start page."""
        rest = self.address.removeprefix("/-/") if self.address.startswith("/-/") else ""
        plain = rest.replace("\\", "")
        return plain[: next((i for i, c in enumerate(plain) if c in "/.("), len(plain))]
