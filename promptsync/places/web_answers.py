"""What a web server's answers say of files: which version, how long, a page in place of the file, an answer that is
none.

Owns the comparison of versions (RFC 9110, 8.8 and 13.1.5), what a body's first bytes say (servers, and proxies in
between, answer with a page and status 200 where something is wrong: a login, an error, maintenance), and what is made
of addresses that do not answer where others do: then it is that address's fault, else the server's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Final, NamedTuple

from aiohttp import StreamReader

from promptsync.clock import MICROS
from promptsync.errors import ConfigError, FileUnavailable, InputRefused, PromptsyncError, Unavailable
from promptsync.places.place import Item, Pass, PassedOver
from promptsync.places.web_listing import http_time

AGAIN: Final = 1.0
"""Seconds until something is asked a second time."""
_AT_ONCE: Final = 8
Question = Callable[[], Awaitable[Item | None]]


async def ask_each(questions: Mapping[str, Question], passed: Pass) -> list[Item]:
    """What exists, by key, in the questions' order. Raises Unavailable or ConfigError if no question is answered.

    A question that fails though others are answered is asked once more, if that may help, and then passed over.
    """
    answers = await _round(questions, give_up=_AT_ONCE)
    failed = {key: answer for key, answer in answers.items() if isinstance(answer, PromptsyncError)}
    whole = [error for error in failed.values() if _of_server(error)]
    if whole and len(whole) == len(answers):
        raise next((error for error in whole if isinstance(error, Unavailable)), whole[0])
    again = {key: ask for key, ask in questions.items() if key not in answers or _may_help(answers[key])}
    if again:
        await asyncio.sleep(AGAIN)
        answers |= await _round(again, give_up=len(again))
    for key, answer in answers.items():
        if isinstance(answer, PromptsyncError):
            passed(PassedOver(key, f"it cannot be asked for: {answer}"))
    return [answers[key] for key in questions if isinstance(answers[key], Item)]  # type: ignore[misc]


def _may_help(answer: Item | PromptsyncError | None) -> bool:
    return isinstance(answer, PromptsyncError) and answer.retryable


def _of_server(error: PromptsyncError) -> bool:
    """Whether an error, met alone, would be taken for the server's."""
    return isinstance(error, Unavailable | ConfigError) and not isinstance(error, FileUnavailable)


async def _round(questions: Mapping[str, Question], give_up: int) -> dict[str, Item | PromptsyncError | None]:
    """Every answer, by key. After ``give_up`` of the server's errors and nothing else, no other is asked."""
    gate, answers = asyncio.Semaphore(_AT_ONCE), dict[str, Item | PromptsyncError | None]()

    async def one(key: str, question: Question) -> None:
        async with gate:
            said = answers.values()
            if len(said) >= give_up and all(isinstance(a, PromptsyncError) and _of_server(a) for a in said):
                return
            try:
                answers[key] = await question()
            except (InputRefused, ConfigError, Unavailable) as error:
                answers[key] = error

    tasks = [asyncio.create_task(one(*asked)) for asked in questions.items()]
    try:
        await asyncio.gather(*tasks)
    finally:  # nothing is left to do where all were answered
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return answers


ENOUGH: Final = 64
"""How many bytes of a body are needed."""
_FILES: Final = (b"\x1f\x8b", b"PAR1")
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"


def is_page(content_type: str, head: bytes) -> bool:
    """Whether a body is a page and no file. ``head``: its first bytes, ``ENOUGH`` if it has that many.

    >>> is_page("application/gzip", b" <!doctype html>"), is_page("text/html", b"busy"), is_page("text/html", b"PAR1")
    (True, True, False)
    """
    return not head.startswith(_FILES) and (head.lstrip(_BLANK).startswith(b"<") or "html" in content_type)


async def first_bytes(body: StreamReader, size: int = ENOUGH) -> bytes:
    """The first bytes of a body, ``size`` of them if it has that many."""
    head = b""
    while len(head) < size and (piece := await body.read(size - len(head))):
        head += piece
    return head


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
