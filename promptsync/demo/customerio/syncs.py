"""The syncs of the organisation's Customer.io workspace: which change sets are made, and in what order they arrive.

Owns the course of it: a first sync of all there is (version 4), change sets after it, the upgrade to version 5, some
tables switched off and on so that their history comes again; and how it goes wrong (late, twice, out of order). Writes
nothing itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from promptsync.demo.customerio.account import Account, whole
from promptsync.demo.customerio.files import ROWS, CioFile, rows_of
from promptsync.demo.customerio.messages import CioRow
from promptsync.demo.world.world import DAY, World

_FIRST = 241_600_000_000_311_123
_STEP = 1_017
_PARTS = 3
_AGAIN = ("people", "campaigns", "broadcasts", "objects")  # whose history comes a second time
_QUIET = ("delivery_content",)  # comes one sync after the others
Wave = list[CioFile]
"""Files that arrive together, in order of arrival."""


@dataclass(slots=True)
class Syncs:
    """The workspace's syncs, one after the other. ``made``: every file so far, as the vendor made them."""

    world: World
    made: list[CioFile] = field(default_factory=list)
    _account: Account = field(init=False)
    _turn: Iterator[int] = field(default_factory=count)
    _until: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._account = Account(self.world)

    def days(self, begin: int, end: int) -> list[Wave]:
        """All that arrives while days are lived through, as four waves; what is late is in a later one."""
        middle = whole(begin + (end - begin) // 2)
        first = self.sync(whole(begin), 4)
        second = self.sync(middle, 4)
        again = [self._file(table, 5, (0, middle)) for table in _AGAIN]
        third = self.sync(whole(end), 5)
        history, late_history = _split(first, ("people", "campaigns", "objects", "attributes"))
        changes, late_changes = _split(second, ("people", "deliveries", "campaigns", "metrics"))
        return [[*changes, *history], [*third, *late_history], [*again, *history[:2]], [*late_changes, *third[-2:]]]

    def sync(self, end: int, version: int = 5) -> Wave:
        """What changed since the sync before; a table that has none gets all there is. No rows, no file."""
        self._account.grow()
        made: Wave = []
        for table in ROWS:
            begin = self._until.get(table, 0)
            until = end - DAY // 48 if table in _QUIET else end
            if until <= begin:
                continue
            self._until[table] = until
            if table == "metrics" and not begin:
                made += self._parts(table, version, until)
            else:
                made.append(self._file(table, version, (begin, until)))
        return [file for file in made if file.rows]

    def _parts(self, table: str, version: int, end: int) -> Iterator[CioFile]:
        """A first sync in several files, with two sequences in their names."""
        rows = tuple(rows_of(table, self._account, 0, end))
        sequence = self._sequence()
        size = -(-len(rows) // _PARTS) or 1
        for part in range(_PARTS):
            some = rows[part * size : (part + 1) * size]
            yield self._keep(CioFile(table, version, sequence, _FIRST + part, 0, end, some))

    def _file(self, table: str, version: int, stretch: tuple[int, int]) -> CioFile:
        rows: Iterable[CioRow] = rows_of(table, self._account, *stretch)
        return self._keep(CioFile(table, version, self._sequence(), 0, *stretch, tuple(rows)))

    def _keep(self, file: CioFile) -> CioFile:
        if file.rows:
            self.made.append(file)
        return file

    def _sequence(self) -> int:
        return _FIRST + next(self._turn) * _STEP


def _split(files: Wave, late: Iterable[str]) -> tuple[Wave, Wave]:
    """Those in time, and those of these tables, which are late."""
    late = frozenset(late)
    return [file for file in files if file.table not in late], [file for file in files if file.table in late]
