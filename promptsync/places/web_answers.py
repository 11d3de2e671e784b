"""What a web server's answer says of a file: which version it is, and how long.

Owns the comparison of versions (RFC 9110, 8.8 and 13.1.5). Pure: no request is made here.
"""

from collections.abc import Mapping
from email.utils import formatdate
from typing import NamedTuple

from promptsync.clock import MICROS
from promptsync.places.place import Item
from promptsync.places.web_listing import http_time


class Version(NamedTuple):
    """``tag``: an ETag as it was sent; ``size``: bytes of the whole; ``modified``: microseconds. None: not said."""

    tag: str | None = None
    size: int | None = None
    modified: int | None = None

    @property
    def strong(self) -> bool:
        """Whether the tag alone says that all bytes are the same."""
        return self.tag is not None and self.tag.startswith('"')


def version_of(status: int, headers: Mapping[str, str]) -> Version:
    """What an answer offers, be it the whole (200) or a part (206)."""
    said = headers.get("Content-Range", "").rpartition("/")[2] if status == 206 else headers.get("Content-Length", "")
    size = int(said) if said.isascii() and said.isdigit() else None
    return Version(headers.get("ETag") or None, size, http_time(headers.get("Last-Modified")))


def version_listed(item: Item) -> Version:
    """What a list says in the words that its server uses too: an ETag; nothing else can be compared."""
    return Version(item.tag) if item.tag.startswith(('"', 'W/"')) else Version()


def is_same(began: Version, offered: Version) -> bool:
    """Whether it is certain that both are the same bytes: by a strong ETag, else by size and time."""
    if began.tag is not None and offered.tag is not None and began.tag != offered.tag:
        return False
    if began.strong and began.tag == offered.tag:
        return True
    return None not in began[1:] and began[1:] == offered[1:]


def differs(listed: Version, offered: Version) -> bool:
    """Whether it is certain that they are not."""
    if listed.tag and offered.tag:
        return listed.tag != offered.tag
    return any(None not in pair and pair[0] != pair[1] for pair in zip(listed[1:], offered[1:], strict=True))


def headers_for_rest(began: Version, offset: int) -> dict[str, str]:
    """What asks for the bytes from ``offset`` on if the version is the same still.

    It begins one byte earlier, so that there is always something to send, and its version with it.
    """
    headers = {"Range": f"bytes={offset - 1}-"}
    if began.strong:
        return headers | {"If-Range": began.tag or ""}
    if began.tag is None and began.modified is not None:
        return headers | {"If-Range": formatdate(began.modified // MICROS, usegmt=True)}
    return headers
