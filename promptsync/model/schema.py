"""All tables together: what each is called, which vendor fills it, where a reference of a column leads.

Owns finding a declared table or view by its name. What one of them is, table.py says; knows nothing of SQL or files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from promptsync.errors import ConfigError
from promptsync.model.table import Column, FilledBy, Role, Table


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference points to: the row of ``name`` (table or view) in whose ``columns`` the last is the value.

    The columns before it are the same in the row that refers. ``whole``: they are the table's key; else the reference
    says which thing is meant and not which version of it, and ``name`` is the view of the newest.
    """

    name: str
    columns: tuple[str, ...]
    whole: bool


class Schema:
    """Every declared table, by name, in order of declaration, and their views."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables: dict[str, Table] = {}
        for table in tables:
            if table.name in self._tables:
                raise ValueError(f"table {table.name} is declared twice")
            self._tables[table.name] = table
        self.views = tuple(view for table in self for view in table.views)
        self._views = {view.name: view for view in self.views}

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def __len__(self) -> int:
        return len(self._tables)

    def shape(self, name: str) -> Table | None:
        """The table whose columns the rows of this table or view have; None if neither is declared."""
        view = self._views.get(name)
        return self._tables.get(view.table if view else name)

    def check_reset(self, names: Iterable[str]) -> None:
        """Raises ConfigError unless change sets fill each of these tables: of others nothing would come again."""
        may = [table.name for table in self.filled_by(FilledBy.CHANGE_SET)]
        wrong = [name for name in names if name not in may]
        if wrong:
            such = f", such as {may[0]}" if may else ""
            raise ConfigError(f"{', '.join(wrong)} cannot be reset: only a table that change sets fill can{such}.")

    def target(self, column: Column) -> Target | None:
        """Where a column's reference leads; None if it has none, or one to a table that is not declared."""
        table = self._tables.get(column.references)
        if table is None:
            return None
        for view in table.views:
            if view.newest:
                return Target(view.name, view.per, whole=False)
        return Target(table.name, table.key, whole=True)

    def filled_by(self, *filled: FilledBy) -> tuple[Table, ...]:
        """The tables that files or deliveries of one of these sorts fill, promptsync's own apart."""
        return tuple(table for table in self if table.filled_by in filled and table.role is not Role.OWN)
