"""What a page of ours is: where it is, who may see it, and what it is asked and answers.

Owns these shapes only. A page is a function that runs on a thread, within one read transaction and its time limit; it
reads what it shows and says which template shows it. How it is run is in ``answering``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, date, timedelta
from functools import cached_property
from typing import Any, Final

from promptsync.browse.access import Need
from promptsync.browse.dates import Dates, date_of
from promptsync.browse.freshness import Freshness, look
from promptsync.browse.paging import Position
from promptsync.browse.queries.reader import LAST, Reader, Row
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

    @cached_property
    def copy(self) -> Freshness:
        """How current the copy is that is shown."""
        orgs = [self.org] if self.org is not None else [one["id"] for one in self.orgs]
        return look(self.reader, orgs, self.dates.now, self.stale_after)

    @cached_property
    def days(self) -> tuple[date | None, date | None]:
        """The first and the last day that the address asks for, ``?from=&to=``."""
        return date_of(self.query.get("from")), date_of(self.query.get("to"))

    @property
    def span(self) -> tuple[str, str]:
        """From when to before when these days are, as the mirror writes times; all of time where none is asked for."""
        first, last = self.days
        since = self.dates.begin(first) if first else ""
        return since, self.dates.begin(last + timedelta(days=1)) if last and last.year < MAXYEAR else LAST

    @property
    def elsewhere(self) -> str:
        """Where another organisation is chosen: the same list, but the start where the page is about one thing."""
        return "/" if "id" in self.parts else self.path

    def say(self, key: str, /, **parts: object) -> str:
        """A sentence, as plain text within markup; see ``Words.say``."""
        return self.words.say(key, **parts)


@dataclass(frozen=True, slots=True)
class Shown:
    """HTML. ``template``: below ``templates/staff``; ``title``: of the window."""

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


SHEET_ROWS: Final = 1_000
"""Lines of a spreadsheet that are read at a time."""


def sheet_of(
    name: str,
    headings: Sequence[str],
    page_of: Callable[[Reader, Position | None, int], list[Row]],
    line: Callable[[Row], Sequence[object]],
    edge: tuple[str, str],
) -> Sheet:
    """A list as a spreadsheet. ``page_of``: at least one row more than a number of them, after a position; ``edge``:
    the two columns that a position is made of; ``line``: what of a row is shown."""

    def lines(reader: Reader, place: Position | None) -> tuple[list[Sequence[object]], Position | None]:
        rows = page_of(reader, place, SHEET_ROWS)
        shown = rows[:SHEET_ROWS]
        after = (shown[-1][edge[0]], shown[-1][edge[1]]) if len(rows) > SHEET_ROWS else None
        return [line(row) for row in shown], after

    return Sheet(name, headings, lines)


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
