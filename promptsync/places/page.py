"""Telling a page of the web from the file that was asked for.

Owns what its first bytes say. Servers, and whatever stands between, answer with a page and status 200 where something
is wrong: a login, an error, maintenance.
"""

from typing import Final

from aiohttp import StreamReader

ENOUGH: Final = 64
"""How many bytes of a body are needed."""
_FILES: Final = (b"\x1f\x8b", b"PAR1")
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"


def is_page(content_type: str, head: bytes) -> bool:
    """Whether a body is a page and no file. ``head``: its first bytes, ``ENOUGH`` if it has so many.

    >>> is_page("application/gzip", b" <!doctype html>"), is_page("text/html", b"busy"), is_page("text/html", b"PAR1")
    (True, True, False)
    """
    return not head.startswith(_FILES) and (head.lstrip(_BLANK).startswith(b"<") or "html" in content_type)


async def first_bytes(body: StreamReader, size: int = ENOUGH) -> bytes:
    """The first bytes of a body, ``size`` of them if it has so many."""
    head = b""
    while len(head) < size and (piece := await body.read(size - len(head))):
        head += piece
    return head
