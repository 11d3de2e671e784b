"""Applying the inbox while plugins handle or filter deliveries.

Owns the extra step: plugins are called with what deliveries say before the writer's transaction begins, so that a slow
plugin never holds the write lock. Without such plugins this module is not used.
"""

from collections.abc import Callable, Iterable, Sequence

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

Missed = Callable[[int, PluginPaused], None]


def take_part(extensions: Extensions) -> bool:
    """Whether any plugin wants to see deliveries before they are merged."""
    return any(p.declared.event_handlers or p.declared.filters for p in extensions.plugins)


class PluginApplier(EventApplier):
    """Applies pending deliveries, plugins included."""

    def __init__(self, mirror: Mirror, extensions: Extensions, touched: Callable[[Merged], None]) -> None:
        super().__init__(mirror, extensions.handlers, touched)
        self._part = PluginPart(extensions)

    def _prepare(self, events: Sequence[StoredEvent]) -> dict[int, Reading]:
        return {reading.event.id: reading for reading in self._part.of([self._read(event) for event in events])}


class PluginPart:
    """What plugins make of deliveries that were read: their handlers add to it, their filters take away."""

    def __init__(self, extensions: Extensions) -> None:
        self._schema = extensions.schema
        self._handling = [plugin for plugin in extensions.plugins if plugin.declared.event_handlers]
        self._filtering = [p for p in extensions.plugins if any(each.claims for each in p.declared.filters)]

    def of(self, readings: Iterable[Reading], missed: Missed = lambda *_: None) -> list[Reading]:
        """Each of the deliveries as it is then, in the same order. ``missed`` gets the places of those that a paused
        plugin's handlers would have been called with, and why they were not: they are merged without them."""
        found = list(readings)
        for plugin in self._handling:
            self._handle(plugin, found, missed)
        for plugin in self._filtering:
            kept = [n for n, reading in enumerate(found) if reading.claims is not None]
            outcomes = filtered(plugin, self._schema, [(found[n].event.type, _claims(found[n])) for n in kept])
            for n, outcome in zip(kept, outcomes, strict=True):
                if outcome is not found[n].claims:
                    found[n] = _settled(found[n], outcome)
        return found

    def _handle(self, plugin: Plugin, readings: list[Reading], missed: Missed) -> None:
        """Add what a plugin's handlers claim to the readings of deliveries that they know."""
        handlers = plugin.declared.event_handlers
        known = [n for n, r in enumerate(readings) if r.event.type in handlers and r.state != "failed"]
        items = [(handlers[readings[n].event.type], readings[n], self._schema) for n in known]
        for n, more in zip(known, plugin.calls.each("event_handlers", _run_handler, items), strict=True):
            if isinstance(more, PluginPaused):
                missed(n, more)
                continue
            reading = readings[n]
            if isinstance(more, Claims):
                before = reading.claims or Claims(reading.event.id, more.org_id, more.at, [], latest=more.latest)
                for name in ("problems", "rows", "mentions", "happened", "full_lists"):
                    getattr(before, name).extend(getattr(more, name))
                errors = "; ".join(text for text in (reading.error, *more.problems) if text) or None
                readings[n] = reading._replace(state="applied", error=errors, claims=before)
            else:
                readings[n] = _settled(reading, more)


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
