"""What is said of tables that change sets fill, where it needs a person.

Owns the sentences. Reads nothing itself.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from promptsync.clock import MICROS, parse_iso
from promptsync.store.change_set_state import ChangeSetState

_WRONG_CLOCK: Final = 86_400 * MICROS
"""A row that much later than now is no matter of two clocks that differ."""
_UNCHANGING: Final = frozenset({"cio_events", "cio_inbound"})
"""What happened once does not change: a row's time decides between copies of it, which say the same."""


def change_set_problems(states: Iterable[ChangeSetState], now: int) -> Iterator[str]:
    """Sentences, each for a person to act on. ``now``: microseconds."""
    for state in states:
        if state.latest and state.table not in _UNCHANGING and parse_iso(state.latest) > now + _WRONG_CLOCK:
            yield (
                f"{state.later:,} rows of {state.table} in workspace {state.workspace_id} are dated later than now, up "
                f"to {state.latest}, and win over every change before that: once the vendor has put them right, "
                f"'promptsync reset {state.table}' and load its files again."
            )
