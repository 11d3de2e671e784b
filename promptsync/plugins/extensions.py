"""promptsync as the enabled plugins extend it. Owns the shape; it is put together in engine/built_in.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptsync.model import Schema
from promptsync.plugins.declared import Declared, EventHandler, Observer
from promptsync.plugins.loading import Plugin


@dataclass(frozen=True, slots=True)
class Extensions:
    """promptsync as the enabled plugins extend it. ``handlers``: promptsync's own, by event type; ``own``: all that
    ships with it."""

    schema: Schema
    handlers: Mapping[str, EventHandler]
    plugins: tuple[Plugin, ...] = ()
    own: Declared = field(default_factory=Declared)

    def observers(self) -> list[tuple[str, Plugin, Observer]]:
        """Every observer with the name of its queue."""
        return [(f"{p.name}.{o.name}", p, o) for p in self.plugins for o in p.declared.observers]

    def close(self) -> None:
        """Call no plugin any more."""
        for plugin in self.plugins:
            plugin.calls.close()
