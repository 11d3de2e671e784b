"""Applying the inbox while plugins handle or filter deliveries.

Owns the extra step: plugins are called with what deliveries say before the writer's transaction begins, so that a slow
plugin never holds the write lock. Without such plugins this module is not used.
"""

from collections.abc import Callable, Sequence

from promptsync.events.apply import EventApplier
from promptsync.events.bodies import parse_body
from promptsync.events.claim_check import check_claims
from promptsync.events.claims import AHEAD, Claims
from promptsync.events.fields import Fields
from promptsync.events.merge_claims import Merged
from promptsync.events.reading import Reading
from promptsync.model import Schema
from promptsync.model.delivery import StoredEvent
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import EventHandler, PluginError
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.store.mirror import Mirror


def take_part(extensions: Extensions) -> bool:
    """Whether any plugin wants to see deliveries before they are merged."""
    return any(p.declared.event_handlers or p.declared.filters for p in extensions.plugins)


class PluginApplier(EventApplier):
    """Applies pending deliveries, plugins included."""

    def __init__(self, mirror: Mirror, extensions: Extensions, touched: Callable[[Merged], None]) -> None:
        super().__init__(mirror, extensions.handlers, touched)
        self._extensions = extensions
        self._handling = [plugin for plugin in extensions.plugins if plugin.declared.event_handlers]
        self._filtering = [p for p in extensions.plugins if any(each.claims for each in p.declared.filters)]

    def _prepare(self, events: Sequence[StoredEvent]) -> dict[int, Reading]:
        readings = {event.id: self._read(event) for event in events}
        for plugin in self._handling:
            self._handle(plugin, readings)
        for plugin in self._filtering:
            kept = [reading for reading in readings.values() if reading.claims is not None]
            outcomes = filtered(plugin, self._extensions.schema, [(r.event.type, _claims(r)) for r in kept])
            for reading, outcome in zip(kept, outcomes, strict=True):
                if outcome is not reading.claims:
                    readings[reading.event.id] = _settled(reading, outcome)
        return readings

    def _handle(self, plugin: Plugin, readings: dict[int, Reading]) -> None:
        """Add what a plugin's handlers claim to the readings of deliveries that they know."""
        handlers, schema = plugin.declared.event_handlers, self._extensions.schema
        known = [r for r in readings.values() if r.event.type in handlers and r.state != "failed"]
        items = [(handlers[reading.event.type], reading, schema) for reading in known]
        for reading, more in zip(known, plugin.calls.each("event_handlers", _run_handler, items), strict=True):
            if isinstance(more, PluginPaused):
                continue
            if isinstance(more, Claims):
                before = reading.claims or Claims(reading.event.id, more.org_id, more.at, [], latest=more.latest)
                for name in ("problems", "rows", "mentions", "happened", "full_lists"):
                    getattr(before, name).extend(getattr(more, name))
                errors = "; ".join(text for text in (reading.error, *more.problems) if text) or None
                readings[reading.event.id] = reading._replace(state="applied", error=errors, claims=before)
            else:
                readings[reading.event.id] = _settled(reading, more)


def filtered(plugin: Plugin, schema: Schema, claims: Sequence[tuple[str, Claims]]) -> list[Claims | PluginFailed]:
    """Claims, each with the type it came as, as a plugin's filters leave them; PluginFailed where one failed, and while
    the plugin is paused: a filter may be there to keep something out."""
    results: list[Claims | PluginFailed] = [one for _, one in claims]
    for each in plugin.declared.filters:
        if each.claims is None:
            continue
        alive = [n for n, result in enumerate(results) if isinstance(result, Claims)]
        items = [(each.claims, claims[n][0], results[n], schema) for n in alive]
        for n, outcome in zip(alive, plugin.calls.each("filters", _run_filter, items), strict=True):
            results[n] = outcome
    return results


def _run_handler(handler: EventHandler, reading: Reading, schema: Schema) -> Claims:
    """On the plugin's thread, with a body and claims of its own."""
    latest = reading.event.received_at + AHEAD
    claims = Claims(reading.event.id, reading.org_id or 0, reading.at or 0, [], latest=latest)
    result: object = handler(Fields(parse_body(reading.event.body), claims.problems), claims)  # type: ignore[func-returns-value]
    if result is not None:
        raise PluginError(f"the handler of {reading.event.type} returned {type(result).__name__}, it fills claims")
    return check_claims(schema, claims).bound()


def _run_filter(function: Callable[[str, Claims], None], type_: str, claims: Claims, schema: Schema) -> Claims:
    result: object = function(type_, claims)  # type: ignore[func-returns-value]
    if result is not None:
        raise PluginError(f"the filter returned {type(result).__name__}, it changes the claims it is given")
    return check_claims(schema, claims).bound()


def _claims(reading: Reading) -> Claims:
    assert reading.claims is not None  # noqa: S101  chosen so above
    return reading.claims


def _settled(reading: Reading, outcome: Claims | PluginFailed) -> Reading:
    """A delivery whose plugin failed is not merged at all: nothing passes that a filter might have dropped."""
    if isinstance(outcome, PluginFailed):
        return reading._replace(state="failed", error=str(outcome), claims=None)
    return reading._replace(claims=outcome)
