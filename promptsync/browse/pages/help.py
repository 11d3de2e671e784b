"""Help: the long texts that ``promptsync help`` shows, as pages.

Owns the way from Markdown to markup: HTML in a text stays text, and links between texts lead to their pages. A
text's own heading is the page's.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from datasette.utils.asgi import NotFound  # type: ignore[import-untyped]
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

from promptsync.browse.page import Page, Shown, Visit
from promptsync.docs import topics

_ENDING: Final = ".md"


class _Renderer(RendererHTML):
    """Tables as the pages have them: those that are too wide can be scrolled, by keyboard too."""

    def table_open(self, *_: object) -> str:
        return '<div class="scroll" tabindex="0"><table class="list">'

    def table_close(self, *_: object) -> str:
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        tokens[at].attrSet("scope", "col")
        return self.renderToken(tokens, at, options, env)

    def link_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: Any) -> str:
        leads = str(tokens[at].attrGet("href"))
        if leads.endswith(_ENDING):
            tokens[at].attrSet("href", f"{env['below']}/{leads.removesuffix(_ENDING)}")
        return self.renderToken(tokens, at, options, env)


def as_markup(text: str, below: str) -> Markup:
    """A text without its heading. ``below``: the address that the texts are below.

    >>> as_markup("# Of links" + chr(10) + "[proxy](proxy.md) <b>", "/-/help")
    Markup('<p><a href="/-/help/proxy">proxy</a> &lt;b&gt;</p>\\n')
    """
    reader = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    return Markup(reader.render(text.partition("\n")[2], {"below": below}))  # noqa: S704  its HTML is escaped


def all_topics(visit: Visit) -> Shown:
    """Which texts there are."""
    return Shown("help.html", visit.say("help.title"), {"topics": topics().values()})


def topic(visit: Visit) -> Shown:
    """One text. Raises NotFound if there is none of that name."""
    found = topics().get(visit.parts["topic"])
    if found is None:
        raise NotFound(visit.say("help.nothing"))
    return Shown("help_topic.html", found.about, {"text": partial(as_markup, found.text)})


PAGES = (
    Page(r"/-/help", all_topics, section="help"),
    Page(r"/-/help/(?P<topic>[a-z-]+)", topic, section="help"),
)
