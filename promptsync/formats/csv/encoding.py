"""Text in UTF-16 as UTF-8, piece by piece.

Owns which encodings are recognised, by their byte order mark alone, and the conversion. Everything else is taken for
UTF-8 and passed on unchanged.
"""

import codecs
from collections.abc import Callable, Iterator
from itertools import chain

from promptsync.errors import Held

UTF8, UTF16 = "UTF-8", "UTF-16"
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_LONGEST = 4


def as_utf8(pieces: Iterator[bytes], said: Callable[[str], None]) -> Iterator[bytes]:
    """The same text in UTF-8. ``said`` is called with the encoding, before the first piece.

    Half a surrogate pair becomes the three bytes that no UTF-8 has, so that its row can be rejected. Raises Held
    ``encoding`` (UTF-32) and ``last_record_cut`` (the text ends within a character).
    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= _LONGEST:
            break
    if head.startswith(_UTF32):
        raise Held("encoding", "The file is UTF-32: have it written as UTF-8.")
    name = _MARKS.get(head[:2])
    said(UTF16 if name else UTF8)
    if name is None:
        if head:
            yield head
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(name)("surrogatepass")
    for piece in chain((head[2:],), pieces):
        if text := decoder.decode(piece):
            yield text.encode("utf-8", "surrogatepass")
    try:
        rest = decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Held("last_record_cut", "The file ends within a character.") from None
    if rest:
        yield rest.encode("utf-8", "surrogatepass")
