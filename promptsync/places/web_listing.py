"""What a web server's list of files says: an HTML index page, or JSON.

Owns reading both. Pure: bytes in, links out; asks nothing, and judges no address.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any, Final

from promptsync.clock import micros_of, parse_iso
from promptsync.errors import InputRefused

_LISTS: Final = ("files", "items", "objects", "results", "data", "content")
_LINKS: Final = ("url", "href", "link", "downloadUrl", "path", "key", "name")
_NAMES: Final = ("name", "key", "path")
_TAGS: Final = ("etag", "eTag", "ETag", "version", "md5")
_TIMES: Final = ("lastModified", "last_modified", "modified", "mtime", "LastModified")


@dataclass(frozen=True, slots=True)
class Link:
    """``target``: relative or absolute, as it stands there. ``name``: what it is called, if that is not its end."""

    target: str
    name: str | None = None
    size: int | None = None
    tag: str | None = None
    modified: int | None = None
    sha256: str | None = None


def read_listing(body: bytes, content_type: str) -> list[Link]:
    """The links of a list. JSON: an array of names or objects, or an object that holds one as ``files`` or ``items``;
    anything else is read as HTML. Raises InputRefused ``listing``."""
    text = body.decode("utf-8", "replace")  # one name that is not UTF-8 is no reason to do without the others
    if "json" in content_type or text.lstrip()[:1] in ("[", "{"):
        return list(_of_json(text))
    page = _Anchors()
    page.feed(text)
    return [Link(target) for target in page.targets]


def http_time(text: str | None) -> int | None:
    """Microseconds of an HTTP date (RFC 9110, 5.6.7) or an ISO one; None if it is neither."""
    for parse in (_of_http_date, parse_iso):
        try:
            return parse(text or "")
        except (ValueError, OverflowError):
            continue
    return None


def _of_http_date(text: str) -> int:
    when = parsedate_to_datetime(text)
    return micros_of(when if when.tzinfo else when.replace(tzinfo=UTC))


def _of_json(text: str) -> Iterator[Link]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InputRefused("listing", "The list of files is no JSON that can be read.") from None
    if isinstance(value, dict):
        value = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    if not isinstance(value, list):
        raise InputRefused("listing", "The list of files is neither an array nor an object with 'files' or 'items'.")
    for entry in value:
        if isinstance(entry, str):
            yield Link(entry.encode("utf-8", "replace").decode())
        elif isinstance(entry, dict) and (target := _text(entry, _LINKS)):
            size = entry.get("size")
            name = _text(entry, _NAMES)
            yield Link(
                target=target,
                name=name.rsplit("/", 1)[-1] if name else None,
                size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
                tag=_text(entry, _TAGS),
                modified=http_time(_text(entry, _TIMES)),
                sha256=_text(entry, ("sha256",)),
            )


def _text(entry: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    found = next((entry[name] for name in names if isinstance(entry.get(name), str) and entry[name]), None)
    return None if found is None else found.encode("utf-8", "replace").decode()


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets += [value for name, value in attrs if name == "href" and value]
