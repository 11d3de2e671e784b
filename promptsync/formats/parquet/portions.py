"""How much of a parquet file is decoded at once, so that memory stays flat whatever its row groups are like.

Owns the sizes, decided from the footer (Apache Parquet format, ColumnMetaData) and from what is known of dictionaries,
where a few bytes of the file can stand for many. Reads nothing itself.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from promptsync.formats.parquet.footer import Footer, Group

_MOST_ROWS = 1 << 16
_CELL = 8  # bytes that a cell takes at least, once decoded
_WORST = 8  # a batch of nothing but the longest values may be so many times the usual size
_REPEATED = 4  # bytes a value: a column that takes less in the file has each value there once for many rows
_DICTIONARY = 1 << 25  # bytes that all values of such a column may be, in one row group
_HEAVY = 1 << 10  # bytes a value: pages of such a column can be too large for a look at its dictionary


@dataclass(frozen=True, slots=True)
class Values:
    """Bytes of the values in dictionaries, of several columns together: as they are on average, and the longest."""

    average: int = 0
    longest: int = 0


@dataclass(slots=True)
class _Group:
    """``size``: bytes of its pages. ``ordinary``: columns of which a look tells. ``longest``: of the others' values."""

    size: int
    rows: int
    ordinary: list[str]
    longest: int = 0


class Plan:
    """What is to be read of a file. ``budget``: bytes that a batch is to be about, once decoded.

    Of the top-level columns of text that have dictionaries, ``repeated`` are read with them, so that each value is
    decoded once: the whole dictionary is then in memory. ``varied`` are read as they come. ``leaves``: how many
    primitive columns there are to read.
    """

    def __init__(self, footer: Footer, columns: Collection[str], budget: int) -> None:
        self._budget = budget
        self._columns = frozenset(columns)
        self.leaves = 0
        self._light: dict[str, bool] = {}
        self._groups = [self._group(group) for group in footer.groups]
        self.repeated = tuple(path for path, is_light in self._light.items() if is_light)
        self.varied = tuple(path for path, is_light in self._light.items() if not is_light)

    def portions(self, look: Callable[[int, Sequence[str]], Values]) -> Iterator[tuple[list[int], int]]:
        """Row groups that are read together, small ones are, and by how many rows at a time.

        ``look``: from the number of a row group and columns of it to the values in their dictionaries.
        """
        together: list[int] = []
        size = 0
        for number, group in enumerate(self._groups):
            if together and size + group.size > self._budget:
                yield together, self._rows(together, look)
                together, size = [], 0
            together.append(number)
            size += group.size
        if together:
            yield together, self._rows(together, look)

    def _group(self, group: Group) -> _Group:
        chunks = [chunk for chunk in group.chunks if {chunk.path, chunk.path.partition(".")[0]} & self._columns]
        self.leaves = max(self.leaves, len(chunks))
        found = _Group(sum(chunk.raw for chunk in chunks), group.rows, [])
        for chunk in chunks:
            if chunk.path not in self._columns or not chunk.text or not chunk.dictionary:
                continue
            size = chunk.raw / max(chunk.values, 1)
            light = size < _REPEATED and chunk.raw <= _DICTIONARY
            self._light[chunk.path] = light and self._light.get(chunk.path, True)
            if size > _HEAVY:
                found.longest += chunk.dictionary
            elif not light:
                found.ordinary.append(chunk.path)
        return found

    def _rows(self, together: list[int], look: Callable[[int, Sequence[str]], Values]) -> int:
        groups = [self._groups[number] for number in together]
        first = groups[0]
        values = look(together[0], [path for path in first.ordinary if path in self.varied])
        row = sum(group.size for group in groups) // max(sum(group.rows for group in groups), 1)
        worst = (values.longest + first.longest) // _WORST
        return min(max(self._budget // max(row, self.leaves * _CELL, values.average, worst, 1), 1), _MOST_ROWS)
