"""Datasette plugins of others, installed beside promptsync: which of their pages are open, and what does not work here.

Owns the decision that whoever may read may open the routes that such a plugin adds, as its author expects; the
permissions that the plugin asks for itself still count. Datasette's own routes stay for administrators.
"""

import re
from collections.abc import Iterator
from typing import Any

from datasette.plugins import pm  # type: ignore[import-untyped]

from promptsync.browse import plugin as ours

_SHIPPED = ("datasette.", "datasette_auth_passwords", "datasette_block_robots")
"""Beginnings of the modules that Datasette and promptsync bring."""

_UNUSED = {
    "extra_js_urls": "scripts",
    "extra_body_script": "scripts",
    "menu_links": "entries in menus",
    "table_actions": "entries in menus",
    "database_actions": "entries in menus",
    "prepare_connection": "functions in SQL",
}
"""Hooks that these pages never ask, and what of a plugin is therefore missing."""


def guests() -> Iterator[tuple[str, Any]]:
    """The plugins of others: name and plugin."""
    for plugin in pm.get_plugins():
        module = getattr(plugin, "__name__", type(plugin).__module__)
        if plugin is not ours and not module.startswith(_SHIPPED):
            yield str(pm.get_name(plugin)), plugin


def remarks() -> Iterator[str]:
    """A sentence about each that needs what these pages do not have."""
    for name, plugin in sorted(guests(), key=lambda guest: guest[0]):
        used = {hook.name for hook in pm.get_hookcallers(plugin) or ()}
        lacking = sorted({what for hook, what in _UNUSED.items() if hook in used})
        if lacking:
            without = " and no ".join(lacking)
            yield (
                f"The Datasette plugin {name} does not work here in full: these pages have no {without} of plugins. "
                "Uninstall it, or look at the mirror with Datasette itself: datasette --immutable FILE"
            )


class GuestRoutes:
    """Which paths belong to plugins of others, as Datasette dispatches them: the first route that fits."""

    def __init__(self, datasette: Any) -> None:
        self._routes: list[tuple[re.Pattern[str], bool]] = []
        theirs = {id(plugin) for _, plugin in guests()}
        for implementation in reversed(pm.hook.register_routes.get_hookimpls()):
            given = {"datasette": datasette} if "datasette" in implementation.argnames else {}
            for pattern, _ in implementation.function(**given) or ():
                self._routes.append((re.compile(pattern), id(implementation.plugin) in theirs))

    def has(self, path: str) -> bool:
        """Whether a plugin of others answers this path."""
        return next((foreign for pattern, foreign in self._routes if pattern.match(path)), False)
