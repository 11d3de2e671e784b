"""Asking a plugin for what people see: a page's text, the findings of its checks.

Owns the check of what comes back. Each function is called on a thread of the plugin's own, within its time.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from promptsync.errors import PromptsyncError
from promptsync.plugins.calls import PluginFailed
from promptsync.plugins.declared import Check, Finding, Page, PluginError, ReadOnly, note, problem
from promptsync.plugins.loading import Plugin


def page_text(plugin: Plugin, page: Page, mirror: ReadOnly, query: Mapping[str, str]) -> str:
    """What a page gives for a query. Raises PluginFailed, PluginPaused."""
    text: str = plugin.calls.one("pages", _page, page, mirror, query)
    return text


def findings(plugin: Plugin, mirror: ReadOnly) -> Iterator[Finding]:
    """What a plugin's checks find; a check that fails is a problem itself."""
    for check in plugin.declared.checks:
        try:
            yield from plugin.calls.one("checks", _check, check, mirror)
        except PluginFailed as error:
            yield problem(
                "plugins", f"A check cannot be made: {error}. Put it right, or take it out of plugins.enabled."
            )
        except PromptsyncError as error:
            yield note("plugins", str(error))


def _page(page: Page, mirror: ReadOnly, query: Mapping[str, str]) -> str:
    html: object = page.html(query, mirror)
    if not isinstance(html, str):
        raise PluginError(f"the page {page.path} must be a text, not {type(html).__name__}")
    return html


def _check(check: Check, mirror: ReadOnly) -> list[Finding]:
    found: list[Any] = list(check(mirror))
    if not all(isinstance(one, Finding) for one in found):
        raise PluginError("a check must return what promptsync.ok, note and problem give")
    return found
