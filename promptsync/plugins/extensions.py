"""promptsync as the enabled plugins extend it. Owns the shape; it is put together in engine/built_in.py."""

from collections.abc import Mapping
from dataclasses import dataclass

from promptsync.model import Schema
from promptsync.plugins.declared import EventHandler, Observer
from promptsync.plugins.loading import Plugin


@dataclass(frozen=True, slots=True)
class Extensions:
    """promptsync as the enabled plugins extend it. ``handlers``: promptsync's own, by event type."""

    schema: Schema
    handlers: Mapping[str, EventHandler]
    plugins: tuple[Plugin, ...] = ()

    def observers(self) -> list[tuple[str, Plugin, Observer]]:
        """Every observer with the name of its queue."""
        return [(f"{p.name}.{o.name}", p, o) for p in self.plugins for o in p.declared.observers]

    def close(self) -> None:
        """Call no plugin any more."""
        for plugin in self.plugins:
            plugin.calls.close()
