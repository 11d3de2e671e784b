"""The frame around every page of ours: head, navigation, search, the line about how current the copy is.

Owns the templates' environment and what every template may use. Whatever is put into a page is cleaned of what turns
text around, then escaped. Blocking: it runs on the page's thread, but for the pages without a mirror.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from datasette.utils.asgi import Request  # type: ignore[import-untyped]
from markupsafe import Markup

from promptsync import __version__
from promptsync.browse import phones
from promptsync.browse.access import Actor
from promptsync.browse.cells import clean
from promptsync.browse.labels import broadcast_label, cut, person_label
from promptsync.browse.metadata import INTERNAL, table_groups
from promptsync.browse.page import Page, Shown, Visit
from promptsync.browse.settings import BrowseSettings
from promptsync.browse.words import Words

_TEMPLATES: Final = Path(__file__).parent / "templates"
_LINKS: Final = {
    "home": "/",
    "people": "/-/people",
    "broadcasts": "/-/broadcasts",
    "opt_outs": "/-/opt-outs",
    "delivery": "/-/delivery",
    "costs": "/-/sending",
    "data": "/mirror",
}


class Frame:
    """Makes pages. ``urls``: Datasette's; ``pages``: those that there are, which links lead to; ``administers``:
    whether somebody does, now."""

    def __init__(
        self,
        urls: Any,
        words: Words,
        pages: Sequence[Page],
        settings: BrowseSettings,
        administers: Callable[[Actor], bool],
    ) -> None:
        self.words = words
        self._urls = urls
        patterns = [re.compile(page.address) for page in pages]
        has = cache(lambda path: any(pattern.fullmatch(path) for pattern in patterns))
        self._links = {name: path for name, path in _LINKS.items() if has(path) or name == "data"}
        self._environment = _environment(words)
        self._environment.globals.update(
            has=has,
            links=self._links,
            plugin_pages=settings.pages,
            table_groups=table_groups(settings.schema),
            known_tables={*(one.name for one in (*settings.schema, *settings.schema.views)), *INTERNAL},
            administers=administers,
            table_title=lambda name: settings.schema[name].title if name in settings.schema else name,
        )

    def sections(self) -> list[tuple[str, str, str]]:
        """The links of the navigation: name, what they are called, path below the root."""
        return [(name, str(self.words.say(f"frame.links.{name}")), path) for name, path in self._links.items()]

    def page(self, request: Request, section: str, visit: Visit, shown: Shown) -> str:
        """A page, whole, with what it says about the copy."""
        values = {
            **shown.values,
            "copy": visit.copy,
            "visit": visit,
            "dates": visit.dates,
            "time": visit.dates.time,
            "title": shown.title,
        }
        return self._rendered(request, f"staff/{shown.template}", section, values, _linking(self._urls, visit.org))

    def plain(self, request: Request | None, template: str, values: Mapping[str, Any]) -> str:
        """A page that needs no mirror: a failure, the login, a page of a plugin."""
        return self._rendered(
            request, template, "", {"copy": None, "visit": None, **values}, _linking(self._urls, None)
        )

    def _rendered(
        self, request: Request | None, template: str, section: str, values: Mapping[str, Any], link: Callable[..., str]
    ) -> str:
        actor = request.actor if request else None
        return self._environment.get_template(template).render(
            **values,
            section=section,
            link=link,
            actor=actor,
            can_log_out=bool(actor and "ds_actor" in request.cookies) if request else False,
            csrftoken=request.scope.get("csrftoken", str) if request else str,
        )


def _environment(words: Words) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_safe,
        auto_reload=False,
    )
    environment.globals.update(
        say=words.say,
        bounded=words.bounded,
        number=words.number,
        share=words.share,
        phone=phones.shown,
        dialled=phones.dialled,
        person=lambda row: person_label(words, row),
        cast_name=lambda name, id_: broadcast_label(words, name, id_),
        version=__version__,
    )
    environment.filters["cut"] = cut
    return environment


def _safe(value: object) -> object:
    """What an expression of a template becomes before it is escaped."""
    if value is None:
        return ""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _linking(urls: Any, org: int | None) -> Callable[..., str]:
    def link(path: str, **query: object) -> str:
        """An address below the root, with the organisation that was chosen. Blank values are left out."""
        values = {"org": org, **query}
        told = {name.rstrip("_"): value for name, value in values.items() if value not in (None, "")}
        return f"{urls.path(path)}?{urlencode(told)}" if told else str(urls.path(path))

    return link
